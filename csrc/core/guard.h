/* A process that gives a terminal its settings back when the one that has changed them is killed,
 * and can do it no more. It is the monitor's program in another role (csrc/monitor/guard.c). Who
 * starts it keeps a socket, whose end tells it. */
#ifndef LUACTR_CORE_GUARD_H
#define LUACTR_CORE_GUARD_H

#include <stddef.h>
#include <stdint.h>

#define GUARD_TEXT_MAX 64

/* As the kernel has them; libc's are larger. */
struct guard_settings {
    uint32_t flags[4];
    uint8_t line;
    uint8_t characters[19];
};

/* The first message, with the terminal. A second one has the settings that are to be taken back: if
 * somebody else has changed them meanwhile, they are left alone. A last one of a byte ends it. */
struct guard_job {
    char role; /* GUARD_ROLE; a monitor's first message begins with 0 */
    uint8_t length;
    char text[GUARD_TEXT_MAX]; /* for the terminal, when it is given back */
    struct guard_settings before;
};

#define GUARD_ROLE 'g'

struct lctr_guard {
    int socket; /* -1: none */
};

/* Guard a terminal from before its settings are changed. 0 or -errno: there is none then. */
int lctr_guard_start(struct lctr_guard *guard, int terminal, const char *text, size_t length);

/* They are changed now. */
void lctr_guard_changed(const struct lctr_guard *guard, int terminal);

/* They have been given back. Idempotent. */
void lctr_guard_end(struct lctr_guard *guard);

#endif
