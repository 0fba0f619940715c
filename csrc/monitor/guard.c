/* The other role of the program, see core/guard.h. */
#include "core/guard.h"

#include "core/fd.h"
#include "monitor.h"

#include <asm/termbits.h>
#include <errno.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/uio.h>

#define PATIENCE_MS 1000 /* for a terminal that takes nothing */

static int receive_job(int socket, struct guard_job *job) {
    struct iovec part = {job, sizeof *job};
    union {
        struct cmsghdr header;
        char space[CMSG_SPACE(sizeof(int))];
    } control;
    struct msghdr message = {.msg_iov = &part,
                             .msg_iovlen = 1,
                             .msg_control = &control,
                             .msg_controllen = sizeof control};
    if (recvmsg(socket, &message, MSG_CMSG_CLOEXEC) != sizeof *job)
        return -EPROTO;
    const struct cmsghdr *c = CMSG_FIRSTHDR(&message);
    return c && c->cmsg_type == SCM_RIGHTS ? *(const int *)(const void *)CMSG_DATA(c) : -EPROTO;
}

/* Whether nobody has set the terminal otherwise since then. */
static bool is_as_left(int terminal, const struct guard_settings *changed) {
    struct guard_settings now;
    if (ioctl(terminal, TCGETS, &now) < 0)
        return false;
    for (int i = 0; i < 4; i++)
        if (now.flags[i] != changed->flags[i])
            return false;
    return true;
}

/* It is not our controlling terminal, so no signal stops this. */
static void give_back(int terminal, const struct guard_job *job) {
    struct pollfd room = {.fd = terminal, .events = POLLOUT};
    ioctl(terminal, TCSETS, &job->before);
    if (job->length && poll(&room, 1, PATIENCE_MS) > 0)
        (void)!write(terminal, job->text, job->length);
}

static bool is_guard(int socket) {
    char first = 0;
    return recv(socket, &first, 1, MSG_PEEK) == 1 && first == GUARD_ROLE;
}

void guard(int socket) {
    struct guard_job job;
    struct guard_settings changed;
    bool is_changed = false;
    if (!is_guard(socket))
        return;
    int terminal = receive_job(socket, &job);
    prctl(PR_SET_NAME, "luactr-guard", 0, 0, 0);
    for (;;) {
        ssize_t length = recv(socket, &changed, sizeof changed, 0);
        if (length < 0 && errno == EINTR)
            continue;
        if (length != sizeof changed) {
            if (length <= 0 && (!is_changed || is_as_left(terminal, &changed)))
                give_back(terminal, &job);
            _exit(0);
        }
        is_changed = true;
    }
}
