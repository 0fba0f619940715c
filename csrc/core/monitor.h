/* The monitor of a detached container: a process of its own (csrc/monitor/), the job that it is
 * given, and how it is started and spoken with. Knows no Lua. Returns 0 or -errno.
 *
 * The caller sends the job and the descriptors over a SOCK_SEQPACKET socket, in this order: the
 * job's file (struct monitor_job, then the plan), one descriptor for each slot of the plan, each
 * directory of the cgroup, the state directory, the monitor's end of each stream, and what is only
 * to be held. The monitor starts the container and tells how far it is; at a meeting the
 * caller does what is to be done and answers. From MONITOR_COMMIT on the container is the
 * monitor's; if the caller ends before it, the container ends too. */
#ifndef LUACTR_CORE_MONITOR_H
#define LUACTR_CORE_MONITOR_H

#include "core/cgroup.h"
#include "core/spawn.h"

#include <signal.h>

#define MONITOR_MAGIC     0x6e6f6d6cu /* "lmon" */
#define MONITOR_FDS_MAX   (PLAN_MAX_SLOTS + CGROUP_HIERARCHIES + 32)
#define MONITOR_FDS_CHUNK 128 /* of one message; the kernel takes 253 */
#define MONITOR_NAME_MAX  72
#define MONITOR_SOCKET    3 /* where the monitor finds its end */

#define MONITOR_LAST_LIFE SIGUSR1 /* tells it not to start the container again */

/* Those that it logs, one that it feeds with what attached clients type, and one to whom it tells
 * what happens: the process that has the recipe's callbacks. */
enum monitor_stream {
    MONITOR_STDOUT,
    MONITOR_STDERR,
    MONITOR_STDIN,
    MONITOR_NEWS,
    MONITOR_STREAMS
};

enum monitor_restart { RESTART_NO, RESTART_ON_FAILURE, RESTART_ALWAYS };

#define MONITOR_NO_SLOT (-1)
#define MONITOR_MAP_MAX 1024

/* What another life of the container needs that only its starter knew. */
struct monitor_again {
    uint32_t policy; /* enum monitor_restart */
    uint32_t most;   /* restarts; 0: any number */
    int32_t rewound; /* slot of a file that is read from its beginning again, or -1 */
    uint8_t copied[PLAN_MAX_SLOTS]; /* slots of mounts, which a container uses up */
    char setgroups[8];              /* what to write at the meeting for id maps, if there is one */
    char uid_map[MONITOR_MAP_MAX];
    char gid_map[MONITOR_MAP_MAX];
};

struct monitor_job {
    uint32_t magic;
    uint32_t fds; /* in all, without the job's own */
    uint64_t plan_size;
    uint64_t flags; /* CLONE_NEW* */
    uint32_t times;
    uint32_t fail_step;
    int32_t fail_error;
    int32_t born_in; /* index of the cgroup directory for CLONE_INTO_CGROUP, or -1 */
    uint32_t slots;
    uint32_t logged; /* bits of enum monitor_stream that it has an end of */
    int64_t wall_us; /* limits; negative: none */
    int64_t cpu_us;
    int64_t output;
    int64_t cpus;      /* of the host */
    uint64_t log_size; /* of one file */
    uint32_t log_files;
    char name[MONITOR_NAME_MAX];   /* the container's */
    char freezer[CGROUP_PATH_MAX]; /* a directory that may be made later, or "" */
    struct monitor_again again;
    struct cgroup group; /* its descriptors count as given */
};

enum monitor_say {
    MONITOR_SPAWNED,    /* `pid` is the container's, with the plan's file */
    MONITOR_RENDEZVOUS, /* `number` */
    MONITOR_STARTED,
    MONITOR_FAILED,  /* `record` tells of the step */
    MONITOR_REFUSED, /* `error` of what came before the first step, and `what` it was */
};

struct monitor_event {
    uint32_t kind;
    uint32_t number;
    int32_t pid;
    int32_t monitor; /* the monitor's own */
    int32_t error;
    struct plan_status record;
    char what[32];
};

enum monitor_order_kind { MONITOR_ANSWER, MONITOR_COMMIT };

struct monitor_order {
    uint32_t kind;
    uint32_t number;
};

/* ---- the caller's side */

struct lctr_monitor {
    int socket;
    pid_t pid;
    struct lctr_process seen; /* the container: its pid, and the plan with the init's notes */
};

struct lctr_monitor_start {
    struct monitor_job *job; /* what follows is filled in */
    const struct lctr_launch *launch;
    const char *name; /* the container's, for ps(1) */
    int state;
    int streams[MONITOR_STREAMS]; /* -1 for one that is not the monitor's */
    const int *held;
    size_t held_count;
};

/* An inert value, which may be closed. */
void lctr_monitor_init(struct lctr_monitor *monitor);

/* Start a monitor and the container. On failure `what` is what could not be done. */
int lctr_monitor_start(struct lctr_monitor *monitor, struct lctr_monitor_start *start,
                       char what[32]);

/* Run the monitor's program by a name, and whose it is: our end of its socket, or -errno. With
 * `first` the process that starts it is the caller's to reap. */
int lctr_monitor_run(const char *name, const char *of, pid_t *first);

/* As lctr_process_launch and lctr_process_answer. */
int lctr_monitor_launch(struct lctr_monitor *monitor, struct lctr_event *event);
int lctr_monitor_answer(struct lctr_monitor *monitor, uint32_t number);

/* Leave the container to the monitor. */
int lctr_monitor_commit(struct lctr_monitor *monitor);

/* Without a commit the container ends, and this returns when it has. Idempotent. */
void lctr_monitor_close(struct lctr_monitor *monitor);

#endif
