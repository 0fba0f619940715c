/* Shared by the files of the init: its state, and one function for each step kind.
 *
 * The rules here: only kernel/ and plan.h, no libc, no allocation, no recursion, nothing global.
 * A function returns 0 or a value >= 0, or -errno. */
#ifndef LUACTR_INIT_H
#define LUACTR_INIT_H

#include "kernel/abi.h"
#include "kernel/calls.h"
#include "plan.h"

#include <stdbool.h>

#define PROC_ROOT_INODE 1 /* of every procfs */

#define EXIT_SETUP 125 /* the init itself failed */
#define COVERS     2

/* What a launch knows. The payload's process is a vfork child and shares it with PID 1: after the
 * exec PID 1 reads `failed` and its own copies only. */
struct init {
    struct plan_header *plan;
    uint32_t index; /* of the step in hand */
    uint32_t aux;   /* where in that step, enum plan_aux */
    bool failed;    /* the status record was written, or is the init's to write: `left` */
    int error;      /* errno of that */

    int status;
    int sync;
    int floor;        /* no fd that is kept lies below: the numbers that dup steps fill */
    unsigned highest; /* nor any fd above */
    uint32_t slot_count;
    int slot[PLAN_MAX_SLOTS];

    int root;              /* the new root, -1 until a step needs it */
    const char *root_path; /* where it can be opened again, in the host's view */
    int proc;              /* own procfs instance, -1 until a step needs it */
    int mask;              /* empty read-only tmpfs that masks directories, -1 likewise */
    int stage;             /* where mount(2) does what newer calls do, -1 without */
    bool covered;          /* the stage lies on the new root */
    bool private;          /* mounts do not come back to the host any more */
    int tty;               /* slave of the console, -1 without one */
    int cgroup;            /* directory that the payload is born in, -1 without one */
    int procs;             /* or the file by which it goes there */
    int life;              /* pidfd of the reaper above the payload, -1 where that is PID 1 */
    int ruleset;           /* of Landlock, -1 without one */

    int cover[COVERS];        /* what lies over /proc and /sys, -1 for nothing: cover.c */
    int tree[PLAN_MAX_TREES]; /* what open_tree steps have opened; 0 is nothing */

    uint32_t death_signal; /* what the parent's death sends to this process */
    int pid1;              /* the reaper above the payload when it is not PID 1 of a namespace */
    bool entered;          /* the container's view: /proc is not the host's */
    bool apart;            /* the payload is going to be in a pid namespace that we are not in */
    bool walks;            /* openat2 is missing: walk.c takes its place */
    bool left;             /* the payload is the parent's own child, and outlives it */
    bool umask_set;
    bool settled;
};

typedef int step_function(struct init *in, const union plan_arg *a);

/* ---- steps.c */
__attribute__((noreturn)) void steps_run(struct init *in, uint32_t from);
__attribute__((noreturn)) void steps_fail(struct init *in, int result); /* the step in hand has */
void steps_tell(const struct init *in);                                 /* the parent, of that */

/* ---- fds.c */
int fds_parse(struct init *in, const char *text, int *plan_fd, size_t *plan_size);
int fds_close_undeclared(struct init *in, int plan_fd);
void fds_close_from(const struct init *in, int first, const int *kept, size_t count);
int fds_raise_all(struct init *in);
int fds_keep(struct init *in, int fd); /* the same file at a number that no dup step fills */
void fds_close(int *fd);
int fds_send(int sync, uint32_t number, int fd); /* a message to the parent, with a descriptor */

/* ---- path.c: everything path-like inside the root */
int path_root(struct init *in);
int path_open(struct init *in, const char *path, uint64_t flags);
int path_walk(struct init *in, int root, const char *path, uint64_t flags, uint32_t mode);
int path_type(int fd, struct statx *st);
bool path_is_same(int a, int b); /* one file, or none at all is false */

/* The directory, made with its parents where it is missing: an O_PATH fd. */
int path_make_dir(struct init *in, const char *path, uint32_t mode);

/* The file, made empty (with its parents) where it is missing: an O_PATH fd. */
int path_make_file(struct init *in, const char *path, uint32_t mode);

/* A name in its (made) parent directory, for calls that create. `dir` is -1 or has to be closed. */
struct place {
    int dir;
    const char *name;
    char buffer[PLAN_MAX_PATH + 1];
};
int path_place(struct init *in, const char *path, struct place *place);

/* ---- walk.c: as openat2(2) with RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS; -EAGAIN: something was
 * moved meanwhile */
int walk_open(int root, const char *path, uint64_t flags, uint32_t mode, uint32_t links);

/* ---- file.c */
int file_write(int fd, const char *data, size_t length);
int file_symlink(struct init *in, const char *text, const char *path);

/* ---- mount.c */
int mount_file(struct init *in, const union plan_arg *a); /* the arguments of the file step */
int mount_target(struct init *in, const char *path, int type, uint32_t policy); /* O_PATH fd */
int mount_attach(struct init *in, int tree, int target); /* of a directory; looks for a new root */
int mount_restrict(struct init *in, int mount, uint32_t attributes);

/* ---- detached.c: mounts that are nowhere yet, as descriptors */
int mount_detached(struct init *in, const char *type, unsigned attributes); /* a file system */
int mount_staged(struct init *in, const char *type, unsigned attributes, const char *data);
int mount_clone(struct init *in, int dir, const char *path, unsigned flags); /* AT_* */
int mount_change(struct init *in, int mount, const struct mount_attr *change, bool recursive);
int mount_expose(struct init *in, int tree); /* for a moment, so that it can be cloned */
int mount_put(struct init *in, int tree, int target);
int mount_remove(int mount);
void mount_uncover_root(struct init *in); /* the stage may lie on it */
void mount_leave_stage(struct init *in);

/* ---- submounts.c */
typedef int mount_visitor(struct init *in, int mount, const void *argument);
int submounts_each(struct init *in, int mount, mount_visitor *call, const void *argument);

/* ---- namespace.c */
/* Wait for the parent at a meeting. One that is gone or says anything else has given this launch
 * up: then it does not return. */
void namespace_await(const struct init *in, uint32_t number);

/* ---- filesystem.c */
int filesystem_new(struct init *in, const char *type, const union plan_arg *options,
                   uint32_t attributes); /* configured and detached */

/* ---- copy.c */
struct copy_keep {
    bool mode; /* of the top of the copy: do not take it from the source */
    bool owner;
};
int copy_tree(int source, int copy, const struct copy_keep *keep);

/* ---- cover.c */
/* Something was mounted on the directory at a path; `type` is NULL for a bind. */
int cover_note(struct init *in, const char *path, int target, const char *type);
int cover_open(struct init *in, const char *path); /* as path_open with O_PATH */

/* ---- tree.c */
int tree_detached(struct init *in, const union plan_arg *a); /* that the parent has made */
int tree_kept(struct init *in, uint32_t number); /* -ENOENT where an optional one is missing */

/* ---- owner.c: the arguments owner, uid and gid of a step */
int owner_set(int fd, const union plan_arg *a);
int owner_set_directory(int dir, uint32_t mode, bool exact, const union plan_arg *a);

/* ---- procfs.c */
int procfs_prepare(struct init *in); /* before the old root goes */
int procfs_open(struct init *in);    /* in->proc */
int procfs_write(struct init *in, const char *path, const char *value);
int procfs_read(struct init *in, const char *path, char *text, size_t size); /* adds a NUL */

/* ---- process.c */
int process_arm(struct init *in); /* set the parent-death signal, die if it came too late */
int process_settle(struct init *in);

/* ---- exec.c */
int exec_look(const char *file, const char *path); /* 0 where an exec would find the program */

/* ---- credentials.c */
int credentials_take_over(void); /* rights that came by the ambient set are not to go on that way */
int credentials_become_root(void);

/* ---- text.c */
void *memcpy(void *restrict to, const void *restrict from, size_t count);
size_t text_length(const char *text);
bool text_starts(const char *text, const char *with);
size_t text_append(char *buffer, size_t size, size_t at, const char *text);
size_t text_append_number(char *buffer, size_t size, size_t at, int64_t number);

static inline const void *plan_data(const struct init *in, const union plan_arg *a) {
    return (const char *)in->plan + a->data.offset;
}

/* A string, or NULL for nothing. */
static inline const char *plan_text(const struct init *in, const union plan_arg *a) {
    return a->data.offset == PLAN_NO_OFFSET ? NULL : plan_data(in, a);
}

static inline uint32_t plan_u32(const union plan_arg *a) {
    return (uint32_t)a->u;
}

static inline int plan_slot(const struct init *in, const union plan_arg *a) {
    return a->u < in->slot_count ? in->slot[a->u] : -EBADF;
}

/* The same for a step that is the only one to use it, and closes it. */
static inline int plan_take(struct init *in, const union plan_arg *a) {
    int fd = plan_slot(in, a);
    if (fd >= 0)
        in->slot[a->u] = -EBADF;
    return fd;
}

static inline struct plan_step *plan_steps(const struct init *in) {
    return (struct plan_step *)(in->plan + 1);
}

/* Note where a step failed, and pass the result on. */
static inline int at(struct init *in, enum plan_aux aux, long result) {
    if (result < 0)
        in->aux = aux;
    return (int)result;
}

/* ---- the steps, ORDER STEP (steps.c), each in the file of its concern */
step_function step_time_namespace, step_fork;
step_function step_rendezvous, step_cgroup_attach, step_unshare, step_setns,
    step_parent_death_signal, step_oom_score_adj, step_sethostname, step_setdomainname,
    step_loopback_up, step_sysctl;
step_function step_fsmount, step_fuse, step_unmount, step_tmpcopyup, step_open_tree,
    step_propagation, step_root_bind, step_root_tmpfs, step_mkdir, step_file, step_write,
    step_symlink, step_mknod, step_bind_node, step_mount, step_bind, step_mount_setattr, step_mask,
    step_readonly, step_console, step_pivot_root, step_chroot;
step_function step_init;
step_function step_sched_setaffinity, step_set_mempolicy, step_setpriority, step_sched_setattr,
    step_ioprio_set, step_core_scheduling, step_tsc, step_session_keyring, step_exec_label;
step_function step_setsid, step_controlling_tty, step_dup, step_setrlimit, step_umask,
    step_personality, step_setgroups, step_setresgid, step_setresuid, step_capbset_drop,
    step_capset, step_cap_ambient, step_securebits, step_no_new_privs, step_landlock_create_ruleset,
    step_landlock_path, step_landlock_port, step_landlock_restrict_self, step_chdir,
    step_guard_terminal, step_seccomp, step_gate, step_exec, step_leave;

#endif
