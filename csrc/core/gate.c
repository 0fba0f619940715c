#include "core/gate.h"

#include "core/fd.h"
#include "core/local.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#define BACKLOG 16

static int make(struct sockaddr_un *address, int directory) {
    int result = lctr_local_address(address, directory, GATE_SOCKET);
    int fd = result < 0 ? result : socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    return fd < 0 && result == 0 ? -errno : fd;
}

int lctr_gate_listen(int directory) {
    struct sockaddr_un address;
    cleanup_fd fd = make(&address, directory);
    if (fd < 0)
        return fd;
    if (bind(fd, (const struct sockaddr *)&address, sizeof address) < 0 || listen(fd, BACKLOG) < 0)
        return -errno;
    return take_fd(&fd);
}

static ssize_t read_some(int fd, void *data, size_t size) {
    ssize_t length;
    do
        length = read(fd, data, size);
    while (length < 0 && errno == EINTR);
    return length < 0 ? -errno : length;
}

int lctr_gate_knock(int directory) {
    struct sockaddr_un address;
    cleanup_fd fd = make(&address, directory);
    if (fd < 0)
        return fd;
    if (connect(fd, (const struct sockaddr *)&address, sizeof address) < 0)
        return -errno;
    char word = 0;
    ssize_t length = read_some(fd, &word, 1);
    if (length == 0 || length == -ECONNRESET)
        return -EPIPE;
    if (length < 0)
        return (int)length;
    return word == GATE_HERE ? take_fd(&fd) : -EPROTO;
}

int lctr_gate_open(int connection, struct plan_status *record) {
    const char go = GATE_GO;
    if (send(connection, &go, 1, MSG_NOSIGNAL) != 1)
        return errno == EPIPE || errno == ECONNRESET ? -EOWNERDEAD : -errno;
    ssize_t length = read_some(connection, record, sizeof *record);
    if (length < 0)
        return (int)length;
    if (length == 0)
        return 0;
    return length == sizeof *record ? 1 : -EPROTO;
}
