/* The monitor: parent of one detached container, from its start to its end. Knows core/, no Lua.
 *
 * It writes the container's log, enforces the limits that no cgroup knows, and leaves the record of
 * how the container ended in its state directory. Functions return 0 or -errno. */
#ifndef LUACTR_MONITOR_MONITOR_H
#define LUACTR_MONITOR_MONITOR_H

#include "attach.h"
#include "core/cgroup_meter.h"
#include "core/monitor.h"
#include "log.h"

#define MONITOR_SOURCES 3

/* A pipe or terminal that the container writes to. */
struct source {
    int fd; /* -1 at its end */
    const char *name;
};

/* A limit that has been reached. */
struct fired {
    const char *reason; /* NULL: none has */
    int64_t value;      /* in units of 1 / `per` */
    int64_t limit;
    int64_t per;
};

#define NO_STEP UINT32_MAX

/* Lives after the first, see restart.c. */
struct again {
    uint32_t policy; /* enum monitor_restart */
    uint32_t count;  /* of restarts */
    int cwd;         /* where the plan's paths begin */
    int life;        /* the file that tells of this life */
    int64_t delay_us;
    struct plan_status failed; /* what kept the last one from starting; perhaps no step */
    bool has_failed;
    bool is_told; /* of the end of this life, to the process with the callbacks */
    struct cgroup_meter spent[CGROUP_METERS_MAX]; /* by the lives before */
    size_t spent_count;
};

struct monitor {
    int caller; /* -1 once the container is ours */
    int state;  /* the container's directory, locked */
    int plan_file;
    const struct monitor_job *job; /* gone after the start, if there is only one */
    size_t job_size;
    const int *fds; /* that came with the job, in its order */
    struct lctr_process process;
    struct cgroup group;
    char name[MONITOR_NAME_MAX];
    char freezer[CGROUP_PATH_MAX];
    struct source sources[MONITOR_SOURCES];
    struct attach attach;
    struct log log;
    int record; /* the file of the exit record, with room for it */
    int news;   /* to the process with the callbacks, or -1 */

    int64_t wall_us; /* limits; negative: none */
    int64_t cpu_us;
    int64_t output;
    int64_t cpus;       /* of the host */
    int64_t cpu_due_us; /* when to look at the CPU time again */

    int64_t started_us; /* CLOCK_MONOTONIC */
    int64_t started_at_us;
    int64_t finished_us;
    int64_t finished_at_us;
    int64_t written; /* bytes of output */
    bool truncated;
    struct fired fired;
    struct cgroup_meter meters[CGROUP_METERS_MAX];
    size_t meter_count;
    bool settled; /* the command has ended */
    int signals;  /* meant for us */
    bool last;    /* of its lives: somebody wants it ended for good */
    struct again again;
    int oom; /* tells of memory that ran out, or -1 */
    short oom_events;
    int oom_looks; /* that are still to be taken */
    int64_t oom_kills;
};

int64_t clock_us(int clock);

/* job.c: take over what the caller sends. */
int job_receive(struct monitor *m);

/* launch.c: start the container, and be left alone with it; start it once more. */
int launch(struct monitor *m);
int launch_again(struct monitor *m);
int launch_refuse(const struct monitor *m, int error, const char *what); /* returns the error */

/* restart.c: what has to be known for that; whether there is another life to watch; what the meters
 * have counted in this one. */
int restart_prepare(struct monitor *m);
int restart_meet(struct monitor *m, uint32_t number);
void restart_tell(const struct monitor *m,
                  int64_t due_us); /* of this life, or when the next is due */
bool restart(struct monitor *m);
void restart_measure(struct monitor *m);

/* watch.c: until it has ended. */
void watch(struct monitor *m);
int open_signals(void);
void take_signals(struct monitor *m);
void kill_container(struct monitor *m);

/* event.c: tell of it in the log of events, and to the process with the callbacks; a line of JSON
 * to that alone. */
void event_tell(const struct monitor *m, const char *event);
void event_refused(const struct monitor *m);
bool event_oom(struct monitor *m); /* false when no more were killed than it has told */
void event_exit(const struct monitor *m);
void event_restart(const struct monitor *m);
void news_tell(const struct monitor *m, const char *line, size_t length);
int64_t signal_sent(const struct monitor *m);
bool ended_by_user(const struct monitor *m); /* with the signal that was sent to it */

/* guard.c: return if that is not what the program was started for. */
void guard(int socket);

/* record.c: reserve the space on the disk, fill it. */
int record_open(int state);
void record_write(struct monitor *m);
void record_keep(struct monitor *m); /* of a life that another one follows */

#endif
