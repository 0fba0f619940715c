#include "core/attach.h"

#include "core/fd.h"
#include "core/local.h"

#include <errno.h>
#include <sys/socket.h>

#define BACKLOG 16

static int make(void) {
    int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    return fd < 0 ? -errno : fd;
}

int lctr_attach_listen(int directory) {
    struct sockaddr_un address;
    lctr_local_address(&address, directory, ATTACH_UNBORN);
    cleanup_fd fd = make();
    if (fd < 0)
        return fd;
    if (bind(fd, (const struct sockaddr *)&address, sizeof address) < 0 || listen(fd, BACKLOG) < 0)
        return -errno;
    return take_fd(&fd);
}

int lctr_attach_connect(int directory) {
    struct sockaddr_un address;
    lctr_local_address(&address, directory, ATTACH_SOCKET);
    cleanup_fd fd = make();
    if (fd < 0)
        return fd;
    if (connect(fd, (const struct sockaddr *)&address, sizeof address) < 0)
        return -errno;
    return take_fd(&fd);
}
