/* A seccomp filter from rules, by libseccomp, as the bytes of a BPF program.
 *
 * libseccomp is loaded by the first call that needs it: the default profile is compiled when luactr
 * is built, so a plain run never does. Calls return -ELIBACC where the library is missing. */
#ifndef LUACTR_CORE_SECCOMP_H
#define LUACTR_CORE_SECCOMP_H

#include "core/seccomp_index.h"

#include <stddef.h>
#include <stdint.h>

#define LCTR_SECCOMP_MAX_CONDITIONS 6

/* A compilation under way. */
struct seccomp_builder {
    void *context;     /* libseccomp's filter; NULL before begin and after end */
    uint32_t *actions; /* by number up to the newest known one: for calls without conditions */
    uint32_t unknown;  /* for numbers above */
    uint32_t otherwise;
};

/* What decides where no rule matches. Actions are SECCOMP_RET_* values. */
struct seccomp_defaults {
    uint32_t otherwise;
    uint32_t foreign; /* for the machine's other ABIs */
    uint32_t unknown; /* for numbers above the newest known one; SECCOMP_ASK: as `otherwise` */
};

/* A comparison of one argument: (argument `op` value), or with `mask`, ((argument & mask) ==
 * value). `op` is an enum scmp_compare. */
struct seccomp_condition {
    unsigned int argument;
    unsigned int op;
    uint64_t mask;
    uint64_t value;
};

/* What a name is on this machine. */
enum seccomp_name {
    SECCOMP_NAME_UNKNOWN, /* no system call of any architecture */
    SECCOMP_NAME_FOREIGN, /* one of another architecture: a rule for it is empty */
    SECCOMP_NAME_KNOWN,   /* *number is its number */
};

/* 0 or -errno. */
int lctr_seccomp_resolve(const char *name, enum seccomp_name *kind, int *number);

/* The highest system call number that luactr knows. */
int lctr_seccomp_newest(void);

int lctr_seccomp_begin(struct seccomp_builder *builder, const struct seccomp_defaults *defaults);

/* Calls of this number that meet all conditions get `action`. -EINVAL where two conditions test
 * the same argument; -EEXIST where another rule says something else about the number. */
int lctr_seccomp_add(struct seccomp_builder *builder, uint32_t action, int number,
                     unsigned int count, const struct seccomp_condition *conditions);

/* Write the program; *fd becomes a memfd with it, which the caller closes. */
int lctr_seccomp_export(struct seccomp_builder *builder, int *fd);

/* Idempotent. */
void lctr_seccomp_end(struct seccomp_builder *builder);

/* The default profile's program. */
const void *lctr_seccomp_default(size_t *size);

#endif
