/* Who has attached to the container: what that writes goes to all of them, what they type goes into
 * it. None of them is ever waited for while the container runs. */
#ifndef LUACTR_MONITOR_ATTACH_H
#define LUACTR_MONITOR_ATTACH_H

#include "core/attach.h"

#include <poll.h>
#include <stdbool.h>

#define ATTACH_CLIENTS 8
#define ATTACH_POLLED  (2 + ATTACH_CLIENTS)

struct client {
    int fd;       /* -1: nobody */
    int64_t lost; /* bytes that it did not take and was not told of */
};

struct attach {
    int socket;
    int input;        /* a pipe, if the container has one for its stdin */
    int terminal;     /* the container's, borrowed; -1: none now */
    bool is_terminal; /* it has one */
    int patience_ms;  /* for all clients together */
    size_t typed;     /* bytes of the message */
    size_t done;      /* of them those that are in the container, or no input */
    char message[1 + ATTACH_INPUT_MAX];
    struct client clients[ATTACH_CLIENTS];
};

void attach_init(struct attach *attach);
int attach_open(struct attach *attach, int state);

/* The start is over: let the others find it, who see by it that they may pause the container. */
int attach_publish(int state);

/* The container's terminal, which is not blocking. */
void attach_terminal(struct attach *attach, int fd);

/* What is to be waited for, and what is to be done then. */
void attach_fill(const struct attach *attach, struct pollfd fds[ATTACH_POLLED]);
void attach_serve(struct attach *attach, const struct pollfd fds[ATTACH_POLLED]);

/* What the container has written. */
void attach_output(struct attach *attach, const char *stream, const char *data, size_t size);

/* Whether clients may be waited for, which is for a moment in all. */
void attach_wait(struct attach *attach, bool may_wait);

/* There is no other life of it. */
void attach_close(struct attach *attach, int state);

#endif
