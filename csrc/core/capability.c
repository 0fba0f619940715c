#include "core/capability.h"

#include <ctype.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/capability.h>

#define PREFIX "cap_"

int lctr_capability_number(const char *name) {
    char full[LCTR_CAPABILITY_NAME_MAX] = PREFIX;
    bool prefixed = strncasecmp(name, PREFIX, strlen(PREFIX)) == 0;
    size_t before = prefixed ? 0 : strlen(PREFIX);
    size_t length = strlen(name);
    cap_value_t number;
    if (before + length >= sizeof full)
        return -EINVAL;
    memcpy(full + before, name, length + 1);
    return cap_from_name(full, &number) < 0 ? -EINVAL : number;
}

void lctr_capability_name(unsigned int number, char name[LCTR_CAPABILITY_NAME_MAX]) {
    char *known = number < CAP_LAST_CAP + 1u ? cap_to_name((cap_value_t)number) : NULL;
    if (known)
        snprintf(name, LCTR_CAPABILITY_NAME_MAX, "%s", known);
    else
        snprintf(name, LCTR_CAPABILITY_NAME_MAX, "CAP_%u", number);
    cap_free(known);
    for (char *c = name; *c; c++)
        *c = (char)toupper((unsigned char)*c);
}

unsigned int lctr_capability_last(void) {
    return (unsigned int)cap_max_bits() - 1;
}

int lctr_capability_get(pid_t pid, struct capability_sets *sets) {
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3, .pid = pid};
    struct __user_cap_data_struct half[_LINUX_CAPABILITY_U32S_3] = {0};
    if (capget(&header, half) < 0)
        return -errno;
    sets->effective = (uint64_t)half[1].effective << 32 | half[0].effective;
    sets->permitted = (uint64_t)half[1].permitted << 32 | half[0].permitted;
    sets->inheritable = (uint64_t)half[1].inheritable << 32 | half[0].inheritable;
    return 0;
}

int lctr_capability_set(const struct capability_sets *sets) {
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct half[_LINUX_CAPABILITY_U32S_3];
    for (int i = 0; i < _LINUX_CAPABILITY_U32S_3; i++) {
        half[i].effective = (uint32_t)(sets->effective >> 32 * i);
        half[i].permitted = (uint32_t)(sets->permitted >> 32 * i);
        half[i].inheritable = (uint32_t)(sets->inheritable >> 32 * i);
    }
    return capset(&header, half) < 0 ? -errno : 0;
}

int lctr_capability_bounding(uint64_t *mask) {
    uint64_t found = 0;
    for (unsigned int i = 0; i <= lctr_capability_last(); i++) {
        int has = cap_get_bound((cap_value_t)i);
        if (has < 0)
            return -errno;
        found |= (uint64_t)has << i;
    }
    *mask = found;
    return 0;
}

int lctr_capability_drop(uint64_t mask) {
    for (unsigned int i = 0; i < 64; i++)
        if (mask >> i & 1 && cap_drop_bound((cap_value_t)i) < 0)
            return -errno;
    return 0;
}

int lctr_capability_ambient(uint64_t *mask) {
    uint64_t found = 0;
    for (unsigned int i = 0; i <= lctr_capability_last(); i++) {
        int has = cap_get_ambient((cap_value_t)i);
        if (has < 0)
            return -errno;
        found |= (uint64_t)has << i;
    }
    *mask = found;
    return 0;
}

int lctr_capability_set_ambient(uint64_t mask) {
    if (cap_reset_ambient() < 0)
        return -errno;
    for (unsigned int i = 0; i < 64; i++)
        if (mask >> i & 1 && cap_set_ambient((cap_value_t)i, CAP_SET) < 0)
            return -errno;
    return 0;
}
