#include "core/seccomp.h"

#include "kernel/calls.h"

#include <errno.h>
#include <linux/seccomp.h>
#include <string.h>

/* ---- what the build has made: CMakeLists.txt, function embed */

extern const char lctr_syscalls_image[], lctr_syscalls_image_end[];
extern const char lctr_default_filter_image[], lctr_default_filter_image_end[];
extern const char lctr_strict_filter_image[], lctr_strict_filter_image_end[];

static const struct {
    const char *name;
    const char *image;
    const char *end;
} profiles[] = {
    {"default", lctr_default_filter_image, lctr_default_filter_image_end},
    {"strict", lctr_strict_filter_image, lctr_strict_filter_image_end},
};

const char *lctr_seccomp_table(size_t *size) {
    *size = (size_t)(lctr_syscalls_image_end - lctr_syscalls_image);
    return lctr_syscalls_image;
}

const void *lctr_seccomp_builtin(const char *name, size_t *size) {
    for (size_t i = 0; i < sizeof profiles / sizeof profiles[0]; i++)
        if (strcmp(profiles[i].name, name) == 0) {
            *size = (size_t)(profiles[i].end - profiles[i].image);
            return profiles[i].image;
        }
    return NULL;
}

/* ---- what the kernel has */

int lctr_seccomp_has_action(uint32_t action) {
    const uint32_t kind = action & SECCOMP_RET_ACTION_FULL;
    return k_seccomp(SECCOMP_GET_ACTION_AVAIL, 0, &kind);
}

/* Without a program the kernel gets as far as to the flags. */
int lctr_seccomp_has_flags(uint32_t flags) {
    int result = k_seccomp(SECCOMP_SET_MODE_FILTER, flags, NULL);
    return result == -EFAULT ? 0 : result;
}
