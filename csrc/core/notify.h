/* The listener of a seccomp filter: system calls that wait for an answer. Returns 0 or -errno. */
#ifndef LUACTR_CORE_NOTIFY_H
#define LUACTR_CORE_NOTIFY_H

#include <linux/seccomp.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* The next call that waits. -EAGAIN: none; -EPIPE: nobody is left who could call; -ENOENT: its
 * caller has been killed. Never blocks. */
int lctr_notify_receive(int listener, struct seccomp_notif *call);

/* Answer with a value, with a negative errno, or let the kernel make the call. -ENOENT: the caller
 * does not wait any more. */
struct lctr_answer {
    uint64_t id;
    int64_t value;
    int error;
    uint32_t flags; /* SECCOMP_USER_NOTIF_FLAG_CONTINUE */
};
int lctr_notify_answer(int listener, const struct lctr_answer *answer);

/* Whether the caller still waits: -ENOENT. */
int lctr_notify_valid(int listener, uint64_t id);

/* Put a copy of a descriptor into the caller: its number there. */
struct lctr_gift {
    uint64_t id;
    int fd;
    int number;     /* which one it is to be, or -1 */
    int close_exec; /* whether exec closes it */
    int answer;     /* whether the number is the answer as well */
};
int lctr_notify_give(int listener, const struct lctr_gift *gift);

/* Memory by a descriptor of /proc/PID/mem. How many bytes, less than wanted where it ends. */
ssize_t lctr_notify_peek(int memory, uint64_t address, void *data, size_t size);
ssize_t lctr_notify_poke(int memory, uint64_t address, const void *data, size_t size);

/* connect(2) with an address as its bytes. */
int lctr_notify_connect(int socket_fd, const void *address, size_t size);

/* Pass the listener on to an agent behind a unix socket, with a message. */
int lctr_notify_forward(int listener, const char *path, const void *message, size_t size);

#endif
