/* Rules for device nodes, as text: one a line, "allow c 1:3 rwm", "deny b *:* rwm", "deny a".
 * The last rule that speaks of a node and an access decides; before the first, all is refused. */
#ifndef LUACTR_CORE_DEVICE_RULE_H
#define LUACTR_CORE_DEVICE_RULE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DEVICE_RULES_MAX 96
#define DEVICE_RULE_MAX  64
#define DEVICE_ANY       UINT32_MAX /* a star; no device number is that large */

/* Bits as linux/bpf.h has them (BPF_DEVCG_ACC_*). */
enum device_access {
    DEVICE_MKNOD = 1,
    DEVICE_READ = 2,
    DEVICE_WRITE = 4,
    DEVICE_ALL = 7,
};

struct device_rule {
    bool allow;
    char type; /* 'c', 'b', or 'a' for all: then the rest is any and all */
    uint32_t major;
    uint32_t minor;
    unsigned int access;
};

struct device_rules {
    struct device_rule rule[DEVICE_RULES_MAX];
    size_t count;
};

/* 0, -EINVAL for a line of another form, -ENOSPC for too many. Empty lines are nothing. */
int lctr_device_rules_parse(const char *text, struct device_rules *rules);

/* A rule as the files of cgroup v1 take it: "c 1:3 rwm". */
void lctr_device_rule_text(const struct device_rule *rule, char text[DEVICE_RULE_MAX]);

/* Whether cgroup v1, which keeps a list of exceptions to one default, can express the rules. */
bool lctr_device_rules_are_exceptions(const struct device_rules *rules);

#endif
