#include "core/guard.h"

#include "core/fd.h"
#include "core/monitor.h"

#include <asm/termbits.h>
#include <errno.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/uio.h>

_Static_assert(sizeof(struct guard_settings) == sizeof(struct termios), "the kernel's settings");

static int send_job(int socket, const struct guard_job *job, int terminal) {
    struct iovec part = {(void *)job, sizeof *job};
    union {
        struct cmsghdr header;
        char space[CMSG_SPACE(sizeof(int))];
    } control = {.header = {.cmsg_level = SOL_SOCKET,
                            .cmsg_type = SCM_RIGHTS,
                            .cmsg_len = CMSG_LEN(sizeof(int))}};
    const struct msghdr message = {.msg_iov = &part,
                                   .msg_iovlen = 1,
                                   .msg_control = &control,
                                   .msg_controllen = sizeof control};
    memcpy(CMSG_DATA(&control.header), &terminal, sizeof terminal);
    return sendmsg(socket, &message, MSG_NOSIGNAL) < 0 ? -errno : 0;
}

int lctr_guard_start(struct lctr_guard *guard, int terminal, const char *text, size_t length) {
    struct guard_job job = {.role = GUARD_ROLE, .length = (uint8_t)length};
    guard->socket = -1;
    if (length > sizeof job.text)
        return -E2BIG;
    memcpy(job.text, text, length);
    if (ioctl(terminal, TCGETS, &job.before) < 0)
        return -errno;
    cleanup_fd socket = lctr_monitor_run("luactr-guard", NULL, NULL);
    int error = socket < 0 ? socket : send_job(socket, &job, terminal);
    if (!error)
        guard->socket = take_fd(&socket);
    return error;
}

void lctr_guard_changed(const struct lctr_guard *guard, int terminal) {
    struct guard_settings now;
    if (guard->socket >= 0 && ioctl(terminal, TCGETS, &now) == 0)
        send(guard->socket, &now, sizeof now, MSG_NOSIGNAL);
}

void lctr_guard_end(struct lctr_guard *guard) {
    if (guard->socket >= 0) {
        send(guard->socket, "", 1, MSG_NOSIGNAL);
        lctr_fd_cleanup(&guard->socket);
    }
    guard->socket = -1;
}
