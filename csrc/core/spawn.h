/* Launch a plan in a new process and follow it to its end. Knows no Lua. Returns 0 or -errno. */
#ifndef LUACTR_CORE_SPAWN_H
#define LUACTR_CORE_SPAWN_H

#include "../plan.h"

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct lctr_launch {
    const void *plan; /* as core/plan.c encodes it */
    size_t plan_size;
    const int *fds; /* one for each slot of the plan; borrowed */
    size_t fd_count;
    uint64_t flags; /* CLONE_NEW* */
    int cgroup;     /* cgroup v2 directory to be born in, or -1 */
    bool used;      /* that cgroup has had processes, see core/spawn.c */
    bool times;     /* note when each step was begun */

    /* For specs: step number (from 1, 0 for none) that fails with this errno. */
    uint32_t fail_step;
    int fail_error;
};

/* How a process ended. */
struct lctr_end {
    int status; /* as wait(2) gives it */
    uint64_t user_us;
    uint64_t system_us;
    uint64_t max_rss_kib;
};

struct lctr_process {
    pid_t owner; /* the process that may signal and reap it: a fork of it may not */
    pid_t pid;   /* 0 when there is none */
    int pidfd;
    int sync;
    int status; /* read end of the status pipe, -1 once the launch is decided */
    int plan;   /* shared with the init while it launches, -1 afterwards */
    uint32_t steps;
    bool reaped;
    bool failed;             /* the launch has: the process is about to end by itself */
    bool told;               /* `payload` is what PID 1 reported */
    bool alone;              /* with told: PID 1 has reaped all others */
    struct lctr_end payload; /* valid with told */
    struct lctr_end init;    /* valid with reaped: the end of the process itself */
};

enum lctr_event_kind { LCTR_RENDEZVOUS, LCTR_STARTED, LCTR_FAILED };

struct lctr_event {
    enum lctr_event_kind kind;
    uint32_t number;           /* of the rendezvous */
    int fd;                    /* that came with it, or -1; the caller's from now on */
    struct plan_status record; /* of the failure */
};

/* An inert process, which may be closed. */
void lctr_process_init(struct lctr_process *p);

/* Start the init on the plan. `p` is inert before, and stays so on failure. */
int lctr_spawn(struct lctr_process *p, const struct lctr_launch *launch);

/* Wait for what the init says next. After started or failed there is no more to wait for:
 * -ESRCH. */
int lctr_process_launch(struct lctr_process *p, struct lctr_event *event);

/* Go on from a rendezvous. */
int lctr_process_answer(struct lctr_process *p, uint32_t number);

int lctr_process_signal(struct lctr_process *p, int signal);

/* Wait until the payload has ended, at most this long (negative: for ever): -ETIMEDOUT. 1 when
 * only PID 1 is left, which the kernel takes a while to take apart; 0 when nothing is known of the
 * others: the process has ended, or takes them with it now. */
int lctr_process_settle(struct lctr_process *p, int64_t timeout_ms);

/* Wait for the end and reap, at most this long (negative: for ever): -ETIMEDOUT. Idempotent. */
int lctr_process_wait(struct lctr_process *p, int64_t timeout_ms);

/* 1 once the last step, the exec, has begun, else 0. To be asked before the launch is decided. */
int lctr_process_at_exec(struct lctr_process *p);

/* The record of step `index` with what the init has noted in it. To be asked after the launch is
 * decided. */
int lctr_process_step(struct lctr_process *p, uint32_t index, struct plan_step *step);

/* Kill it if it lives, reap it, close everything. Idempotent. */
void lctr_process_close(struct lctr_process *p);

#endif
