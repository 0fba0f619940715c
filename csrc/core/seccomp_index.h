/* The front of a seccomp program: a search over ranges of system call numbers.
 *
 * libseccomp compares number by number; programs of 550 instructions cost 250 us to install, which
 * is a tenth of a container's start. Most calls are allowed or refused whatever their arguments, in
 * long runs of numbers, so ranges take a sixth of it. Numbers whose arguments matter fall through
 * to libseccomp's program, which stands behind. */
#ifndef LUACTR_CORE_SECCOMP_INDEX_H
#define LUACTR_CORE_SECCOMP_INDEX_H

#include <linux/filter.h>
#include <stddef.h>
#include <stdint.h>

/* In place of an action: the program behind decides. */
#define SECCOMP_ASK UINT32_MAX

struct seccomp_index {
    const uint32_t *actions; /* by number */
    size_t count;
    uint32_t above; /* for the numbers from `count` on */
};

/* Instructions that any index of `count` numbers fits into. */
#define LCTR_SECCOMP_INDEX_ROOM(count) (3 * ((count) + 1) + 4)

/* Write the instructions and return how many there are. */
size_t lctr_seccomp_index(const struct seccomp_index *index, struct sock_filter *out);

#endif
