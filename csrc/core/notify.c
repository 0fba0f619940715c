#include "core/notify.h"

#include "core/fd.h"
#include "core/local.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

/* Not in headers before Linux 5.14. */
#ifndef SECCOMP_ADDFD_FLAG_SEND
#define SECCOMP_ADDFD_FLAG_SEND (1UL << 1)
#endif

/* A younger kernel's structures may be longer than ours; it writes as many bytes as its own have.
 */
#define ROOM 512

static int request(int listener, unsigned long number, void *argument) {
    for (;;) {
        int result = ioctl(listener, number, argument);
        if (result >= 0)
            return result;
        if (errno != EINTR)
            return -errno;
    }
}

/* The kernel's receive waits where there is nothing to receive, for ever if nobody is left. */
int lctr_notify_receive(int listener, struct seccomp_notif *call) {
    union {
        struct seccomp_notif call;
        char room[ROOM];
    } buffer;
    struct pollfd ready = {.fd = listener, .events = POLLIN};
    if (poll(&ready, 1, 0) < 0)
        return -errno;
    if (!(ready.revents & POLLIN))
        return ready.revents ? -EPIPE : -EAGAIN;
    memset(&buffer, 0, sizeof buffer);
    int result = request(listener, SECCOMP_IOCTL_NOTIF_RECV, &buffer);
    if (result >= 0)
        *call = buffer.call;
    return result < 0 ? result : 0;
}

int lctr_notify_answer(int listener, const struct lctr_answer *answer) {
    union {
        struct seccomp_notif_resp answer;
        char room[ROOM];
    } buffer;
    memset(&buffer, 0, sizeof buffer);
    buffer.answer = (struct seccomp_notif_resp){
        .id = answer->id, .val = answer->value, .error = answer->error, .flags = answer->flags};
    int result = request(listener, SECCOMP_IOCTL_NOTIF_SEND, &buffer);
    return result < 0 ? result : 0;
}

int lctr_notify_valid(int listener, uint64_t id) {
    return request(listener, SECCOMP_IOCTL_NOTIF_ID_VALID, &id);
}

int lctr_notify_give(int listener, const struct lctr_gift *gift) {
    struct seccomp_notif_addfd add = {
        .id = gift->id,
        .srcfd = (uint32_t)gift->fd,
        .newfd_flags = gift->close_exec ? O_CLOEXEC : 0,
    };
    if (gift->number >= 0) {
        add.newfd = (uint32_t)gift->number;
        add.flags |= (uint32_t)SECCOMP_ADDFD_FLAG_SETFD;
    }
    if (gift->answer)
        add.flags |= (uint32_t)SECCOMP_ADDFD_FLAG_SEND;
    return request(listener, SECCOMP_IOCTL_NOTIF_ADDFD, &add);
}

/* ---- the caller's memory */

ssize_t lctr_notify_peek(int memory, uint64_t address, void *data, size_t size) {
    ssize_t length = pread(memory, data, size, (off_t)address);
    return length < 0 ? -errno : length;
}

ssize_t lctr_notify_poke(int memory, uint64_t address, const void *data, size_t size) {
    ssize_t length = pwrite(memory, data, size, (off_t)address);
    return length < 0 ? -errno : length;
}

/* ---- in the caller's place */

int lctr_notify_connect(int socket_fd, const void *address, size_t size) {
    return connect(socket_fd, address, (socklen_t)size) < 0 ? -errno : 0;
}

/* ---- an agent */

static int send_with(int socket_fd, int listener, const void *message, size_t size) {
    struct iovec part = {(void *)message, size};
    union {
        struct cmsghdr header;
        char space[CMSG_SPACE(sizeof(int))];
    } control = {.header = {.cmsg_len = CMSG_LEN(sizeof(int)),
                            .cmsg_level = SOL_SOCKET,
                            .cmsg_type = SCM_RIGHTS}};
    memcpy(CMSG_DATA(&control.header), &listener, sizeof listener);
    const struct msghdr header = {.msg_iov = &part,
                                  .msg_iovlen = 1,
                                  .msg_control = &control,
                                  .msg_controllen = sizeof control};
    ssize_t sent = sendmsg(socket_fd, &header, MSG_NOSIGNAL);
    if (sent < 0)
        return -errno;
    return (size_t)sent == size ? 0 : -EMSGSIZE;
}

/* A path that is too long for an address is one of its directory. */
static int address_of(struct sockaddr_un *address, const char *path, int *directory) {
    const char *slash = strrchr(path, '/');
    char above[PATH_MAX];
    *address = (struct sockaddr_un){.sun_family = AF_UNIX};
    if (strlen(path) < sizeof address->sun_path) {
        strcpy(address->sun_path, path);
        return 0;
    }
    if (!slash || (size_t)(slash - path) + 2 > sizeof above)
        return -ENAMETOOLONG;
    memcpy(above, path, (size_t)(slash - path) + 1);
    above[slash - path + 1] = '\0';
    *directory = open(above, O_PATH | O_DIRECTORY | O_CLOEXEC);
    return *directory < 0 ? -errno : lctr_local_address(address, *directory, slash + 1);
}

int lctr_notify_forward(int listener, const char *path, const void *message, size_t size) {
    struct sockaddr_un address;
    cleanup_fd directory = -1;
    int result = address_of(&address, path, &directory);
    if (result < 0)
        return result;
    cleanup_fd agent = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (agent < 0)
        return -errno;
    if (connect(agent, (const struct sockaddr *)&address, sizeof address) < 0)
        return -errno;
    return send_with(agent, listener, message, size);
}
