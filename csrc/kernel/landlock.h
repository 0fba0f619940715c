/* Landlock's structures as the newest kernel that luactr knows has them (ABI 7), and its calls. An
 * older kernel takes the longer structure as long as what it does not know is 0. Goes with the
 * headers of libc and without. landlock(7) */
#ifndef LUACTR_KERNEL_LANDLOCK_H
#define LUACTR_KERNEL_LANDLOCK_H

#include "raw.h"

#include <linux/landlock.h>

#include "shim.h"

#include <stddef.h>
#include <stdint.h>

struct k_landlock_ruleset {
    uint64_t fs;    /* ABI 1: what is denied where no rule allows it */
    uint64_t net;   /* ABI 4 */
    uint64_t scope; /* ABI 6 */
};

struct k_landlock_path {
    uint64_t access;
    int32_t beneath;
} __attribute__((packed));

struct k_landlock_port {
    uint64_t access;
    uint64_t port;
};

/* The ABI of the kernel. */
static inline int k_landlock_abi(void) {
    return (int)k_call(__NR_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
}

static inline int k_landlock_create_ruleset(const struct k_landlock_ruleset *denied) {
    return (int)k_call(__NR_landlock_create_ruleset, denied, sizeof *denied, 0);
}

static inline int k_landlock_allow_path(int ruleset, int beneath, uint64_t access) {
    const struct k_landlock_path rule = {.access = access, .beneath = beneath};
    return (int)k_call(__NR_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &rule, 0);
}

static inline int k_landlock_allow_port(int ruleset, uint64_t port, uint64_t access) {
    const struct k_landlock_port rule = {.access = access, .port = port};
    return (int)k_call(__NR_landlock_add_rule, ruleset, K_LANDLOCK_RULE_NET_PORT, &rule, 0);
}

static inline int k_landlock_restrict_self(int ruleset, unsigned flags) {
    return (int)k_call(__NR_landlock_restrict_self, ruleset, flags);
}

/* What a rule may allow for anything but a directory. */
#define K_LANDLOCK_FILE_ACCESS                                                                     \
    (LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_READ_FILE |   \
     LANDLOCK_ACCESS_FS_TRUNCATE | LANDLOCK_ACCESS_FS_IOCTL_DEV)

#endif
