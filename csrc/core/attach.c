#include "core/attach.h"

#include "core/fd.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#define BACKLOG 16

/* Through the descriptor: a path may be longer than an address, and have another name by now. */
static void name(struct sockaddr_un *address, int directory) {
    static const char prefix[] = "/proc/self/fd/";
    char digits[12];
    size_t at = sizeof digits;
    memset(address, 0, sizeof *address);
    address->sun_family = AF_UNIX;
    digits[--at] = '/';
    do
        digits[--at] = (char)('0' + directory % 10);
    while (directory /= 10);
    char *end = address->sun_path;
    memcpy(end, prefix, sizeof prefix - 1);
    end += sizeof prefix - 1;
    memcpy(end, digits + at, sizeof digits - at);
    memcpy(end + sizeof digits - at, ATTACH_SOCKET, sizeof ATTACH_SOCKET);
}

static int make(void) {
    int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    return fd < 0 ? -errno : fd;
}

int lctr_attach_listen(int directory) {
    struct sockaddr_un address;
    name(&address, directory);
    cleanup_fd fd = make();
    if (fd < 0)
        return fd;
    if (bind(fd, (const struct sockaddr *)&address, sizeof address) < 0 || listen(fd, BACKLOG) < 0)
        return -errno;
    return take_fd(&fd);
}

int lctr_attach_connect(int directory) {
    struct sockaddr_un address;
    name(&address, directory);
    cleanup_fd fd = make();
    if (fd < 0)
        return fd;
    if (connect(fd, (const struct sockaddr *)&address, sizeof address) < 0)
        return -errno;
    return take_fd(&fd);
}
