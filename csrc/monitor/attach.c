#include "attach.h"

#include "core/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#define SEND_BUFFER   (1 << 20)
#define LAST_MESSAGES (1 << 16) /* room for them in a buffer that is full */
#define LAST_PATIENCE 1000      /* milliseconds */

void attach_init(struct attach *attach) {
    attach->socket = attach->input = attach->terminal = -1;
    for (int i = 0; i < ATTACH_CLIENTS; i++)
        attach->clients[i].fd = -1;
}

int attach_open(struct attach *attach, int state) {
    unlinkat(state, ATTACH_UNBORN, 0); /* of a start that failed; the directory is ours */
    attach->socket = lctr_attach_listen(state);
    return attach->socket < 0 ? attach->socket : 0;
}

int attach_publish(int state) {
    return renameat(state, ATTACH_UNBORN, state, ATTACH_SOCKET) < 0 ? -errno : 0;
}

void attach_terminal(struct attach *attach, int fd) {
    attach->terminal = fd;
    attach->is_terminal = true;
}

/* ---- what clients are told */

static int say(int fd, enum attach_kind kind, const void *data, size_t size) {
    char letter = (char)kind;
    struct iovec parts[] = {{&letter, 1}, {(void *)data, size}};
    const struct msghdr message = {.msg_iov = parts, .msg_iovlen = 2};
    return sendmsg(fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT) < 0 ? -errno : 0;
}

static void drop(struct client *client) {
    close(client->fd);
    *client = (struct client){.fd = -1};
}

static void tell_loss(struct client *client) {
    int64_t lost = client->lost;
    int error = say(client->fd, ATTACH_LOST, &lost, sizeof lost);
    if (!error)
        client->lost = 0;
    else if (error != -EAGAIN)
        drop(client);
}

static int64_t now_ms(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* False when there is no patience left. */
static bool wait_for(struct attach *attach, int fd) {
    struct pollfd room = {.fd = fd, .events = POLLOUT};
    if (attach->patience_ms <= 0)
        return false;
    int64_t before = now_ms();
    int ready = poll(&room, 1, attach->patience_ms);
    attach->patience_ms -= (int)(now_ms() - before);
    return ready > 0;
}

/* Who has lost something gets nothing more before half of what waits for it is taken: one gap in
 * what it shows, not many. */
static void give(struct attach *attach, struct client *client, enum attach_kind kind,
                 const char *data, size_t size) {
    if (client->lost && wait_for(attach, client->fd))
        tell_loss(client);
    int error = client->lost ? -EAGAIN : say(client->fd, kind, data, size);
    while (error == -EAGAIN && !client->lost && wait_for(attach, client->fd))
        error = say(client->fd, kind, data, size);
    if (error == -EAGAIN)
        client->lost += (int64_t)size;
    else if (error)
        drop(client);
}

void attach_output(struct attach *attach, const char *stream, const char *data, size_t size) {
    enum attach_kind kind = strcmp(stream, "stderr") == 0 ? ATTACH_STDERR : ATTACH_STDOUT;
    for (int i = 0; i < ATTACH_CLIENTS; i++)
        if (attach->clients[i].fd >= 0 && size > 0)
            give(attach, &attach->clients[i], kind, data, size);
}

/* ---- who comes */

/* The directory is closed to others already; who came to the socket another way is checked, too. */
static bool may_attach(int fd) {
    struct ucred peer;
    socklen_t size = sizeof peer;
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) < 0)
        return false;
    return peer.uid == 0 || peer.uid == geteuid();
}

static struct client *free_client(struct attach *attach) {
    for (int i = 0; i < ATTACH_CLIENTS; i++)
        if (attach->clients[i].fd < 0)
            return &attach->clients[i];
    return NULL;
}

/* A program that writes faster than a terminal shows shall find room. Root may have more of it. */
static void widen(int fd, int size) {
    if (setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof size) < 0)
        setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
}

static void welcome(struct attach *attach) {
    cleanup_fd fd = accept4(attach->socket, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (fd < 0 || !may_attach(fd))
        return;
    struct client *client = free_client(attach);
    char traits = (char)((attach->is_terminal ? ATTACH_TERMINAL : 0) |
                         (attach->is_terminal || attach->input >= 0 ? ATTACH_TAKES_INPUT : 0));
    if (say(fd, client ? ATTACH_HELLO : ATTACH_FULL, &traits, sizeof traits) < 0 || !client)
        return;
    widen(fd, SEND_BUFFER);
    *client = (struct client){.fd = take_fd(&fd)};
}

/* ---- what clients say */

static int destination(const struct attach *attach) {
    return attach->is_terminal ? attach->terminal : attach->input;
}

static bool has_typed(const struct attach *attach) {
    return attach->done < attach->typed;
}

/* What nobody can read any more is dropped, as by a pipe whose reader is gone. */
static void type(struct attach *attach) {
    size_t left = attach->typed - attach->done;
    ssize_t written = write(destination(attach), attach->message + attach->done, left);
    if (written >= 0)
        attach->done += (size_t)written;
    else if (errno != EAGAIN && errno != EINTR)
        attach->done = attach->typed;
}

static void resize(const struct attach *attach, size_t length) {
    struct attach_size size;
    if (length != 1 + sizeof size || attach->terminal < 0)
        return;
    memcpy(&size, attach->message + 1, sizeof size);
    const struct winsize window = {.ws_row = size.rows, .ws_col = size.columns};
    ioctl(attach->terminal, TIOCSWINSZ, &window);
}

/* False for what no luactr says. */
static bool obey(struct attach *attach, size_t length) {
    switch (attach->message[0]) {
    case ATTACH_INPUT:
        attach->typed = length;
        attach->done = 1;
        type(attach);
        return true;
    case ATTACH_SIZE:
        resize(attach, length);
        return true;
    case ATTACH_END:
        lctr_fd_cleanup(&attach->input);
        attach->input = -1;
        return true;
    default:
        return false;
    }
}

static void take_message(struct attach *attach, struct client *client) {
    ssize_t length =
        recv(client->fd, attach->message, sizeof attach->message, MSG_DONTWAIT | MSG_TRUNC);
    if (length < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    bool sane = length > 0 && (size_t)length <= sizeof attach->message;
    if (!sane || !obey(attach, (size_t)length))
        drop(client);
}

/* ---- the loop's part */

static struct pollfd entry(int fd, int events) {
    return (struct pollfd){.fd = events ? fd : -1, .events = (short)events};
}

void attach_fill(const struct attach *attach, struct pollfd fds[ATTACH_POLLED]) {
    bool typed = has_typed(attach);
    fds[0] = entry(attach->socket, POLLIN);
    fds[1] = entry(destination(attach), typed ? POLLOUT : 0);
    for (int i = 0; i < ATTACH_CLIENTS; i++) {
        const struct client *client = &attach->clients[i];
        fds[2 + i] = entry(client->fd, (typed ? 0 : POLLIN) | (client->lost ? POLLOUT : 0));
    }
}

void attach_serve(struct attach *attach, const struct pollfd fds[ATTACH_POLLED]) {
    if (fds[1].revents)
        type(attach);
    for (int i = 0; i < ATTACH_CLIENTS; i++) {
        struct client *client = &attach->clients[i];
        if (fds[2 + i].revents & POLLOUT && client->lost)
            tell_loss(client);
        if (fds[2 + i].revents & ~POLLOUT && client->fd >= 0 && !has_typed(attach))
            take_message(attach, client);
    }
    if (fds[0].revents)
        welcome(attach);
}

void attach_wait(struct attach *attach, bool may_wait) {
    attach->patience_ms = may_wait ? LAST_PATIENCE : 0;
}

void attach_close(struct attach *attach, int state) {
    if (attach->socket >= 0)
        unlinkat(state, ATTACH_SOCKET, 0);
    for (int i = 0; i < ATTACH_CLIENTS; i++) {
        struct client *client = &attach->clients[i];
        if (client->fd >= 0 && client->lost) {
            widen(client->fd, 2 * SEND_BUFFER + LAST_MESSAGES);
            tell_loss(client);
        }
    }
}
