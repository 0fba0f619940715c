/* Capability names (libcap), the three sets of a process, its bounding and ambient sets.
 * A set is a mask: bit n is capability number n. */
#ifndef LUACTR_CORE_CAPABILITY_H
#define LUACTR_CORE_CAPABILITY_H

#include <stdint.h>
#include <sys/types.h>

#define LCTR_CAPABILITY_NAME_MAX 64

struct capability_sets {
    uint64_t effective;
    uint64_t permitted;
    uint64_t inheritable;
};

/* The number of "CAP_CHOWN", "cap_chown" or "CHOWN"; -EINVAL for a name that libcap lacks. */
int lctr_capability_number(const char *name);

/* Write "CAP_CHOWN" for a number, "CAP_63" for one that libcap cannot name. */
void lctr_capability_name(unsigned int number, char name[LCTR_CAPABILITY_NAME_MAX]);

/* The highest capability that the running kernel knows. */
unsigned int lctr_capability_last(void);

/* Read the sets of `pid` (0: this thread), or set those of this thread. 0 or -errno. */
int lctr_capability_get(pid_t pid, struct capability_sets *sets);
int lctr_capability_set(const struct capability_sets *sets);

/* The bounding set: read it, or drop each capability of `mask` for good. 0 or -errno. */
int lctr_capability_bounding(uint64_t *mask);
int lctr_capability_drop(uint64_t mask);

/* The ambient set: read it, or make it exactly `mask`. 0 or -errno. */
int lctr_capability_ambient(uint64_t *mask);
int lctr_capability_set_ambient(uint64_t mask);

#endif
