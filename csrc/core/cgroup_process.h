/* The processes of a cgroup and its end: list, signal, freeze, remove. */
#ifndef LUACTR_CORE_CGROUP_PROCESS_H
#define LUACTR_CORE_CGROUP_PROCESS_H

#include "core/cgroup.h"

/* Called for each process; a result other than 0 ends the walk and is its result. */
typedef int cgroup_visitor(pid_t pid, void *context);

/* Visit the processes in and below a cgroup directory. 0 or -errno. */
int lctr_cgroup_visit(int dir, cgroup_visitor *visit, void *context);

/* Send a signal to every process in and below `dir`. SIGKILL reaches also those that are forked
 * meanwhile, and takes apart what they have frozen. 0 or -errno. */
int lctr_cgroup_signal(int dir, int signal, pid_t except);

/* SIGKILL for each, one pass, where the cgroup is used again: see core/spawn.c for what cgroup.kill
 * does to those that are born there later. */
int lctr_cgroup_kill_each(int dir);

/* cgroup v2 lets a cgroup give controllers to those below only when no process is in it. (For some
 * controllers it does, but what is below is then fit for threads alone.) If this process is the
 * only one in `base`, move it to a leaf of its own below it. 0; -EBUSY: there are others. */
int lctr_cgroup_step_aside(int base);

/* Move all processes in and below a directory to another hierarchy's directory. 0 or -errno. */
int lctr_cgroup_move(int from, int to);

/* Whether a process is in or below a directory: 1, 0 or -errno. */
int lctr_cgroup_is_used(int dir);

/* Stop all processes, and return when they have; let them go on. 0 or -errno: -ETIMEDOUT,
 * -ENODEV: no freezer. */
int lctr_cgroup_freeze(struct cgroup *group);
int lctr_cgroup_thaw(struct cgroup *group);

/* Kill what is left and remove the directories, nested ones too. Idempotent. 0 or -errno. */
int lctr_cgroup_destroy(struct cgroup *group);

/* Kill what is left and remove what was made below, and keep the directories, with their limits,
 * for other processes. 0 or -errno. */
int lctr_cgroup_empty(struct cgroup *group);

/* Remove the directory that a directory is in, a pod's, if nothing else is in there. */
void lctr_cgroup_leave(const char *path);

/* Kill whoever is in a directory, and remove what is below it. 0 or -errno. */
int lctr_cgroup_clear(int dir, const char *path);

/* Remove what is below a directory. 0 or -errno. */
int lctr_cgroup_remove_below(const char *path);

/* Remove a directory and those below, with the processes in them if `kill`. 0 or -errno. */
int lctr_cgroup_remove(const char *path, bool kill);

#endif
