/* The settings of a cgroup: one row each, with a file and an encoder for v1 and for v2. Pure. */
#ifndef LUACTR_CORE_CGROUP_SETTING_H
#define LUACTR_CORE_CGROUP_SETTING_H

#include "core/cgroup_layout.h"

#include <stdint.h>

#define CGROUP_WRITES_MAX 128
#define CGROUP_FILE_MAX   160

/* The pseudo file of the device program: its text is a list of rules, and writing it attaches a
 * program to the v2 cgroup. See core/bpf_device.h. */
#define CGROUP_DEVICE_PROGRAM "bpf:cgroup_device"

enum cgroup_value_kind {
    CGROUP_VALUE_REAL,
    CGROUP_VALUE_INTEGER,
    CGROUP_VALUE_TEXT,
};

/* What an encoder gets. `key` is the part of a setting that has parts: a device number, a page
 * size, an interface, a file. */
struct cgroup_value {
    enum cgroup_value_kind kind;
    double real;
    int64_t integer;
    const char *text;
    const char *key;
};

struct cgroup_write {
    char file[CGROUP_FILE_MAX];
    bool instead; /* only if the kernel lacks the file of the write before it */
    size_t text;  /* offset in struct cgroup_writes */
};

struct cgroup_writes {
    struct cgroup_write write[CGROUP_WRITES_MAX];
    size_t count;
    size_t used;
    char text[CGROUP_TEXT_MAX];
};

typedef int cgroup_encoder(const char *file, const struct cgroup_value *value,
                           struct cgroup_writes *writes);

/* One version's side of a setting. The encoder is NULL where the version has no such setting. */
struct cgroup_form {
    const char *file;
    cgroup_encoder *encode;
};

struct cgroup_setting {
    const char *name; /* as in the recipe's limits: "memory", "io.read_bps" */
    enum cgroup_controller controller;
    enum cgroup_value_kind kind;
    bool keyed;
    struct cgroup_form v1;
    struct cgroup_form v2;
};

extern const struct cgroup_setting lctr_cgroup_settings[];
extern const size_t lctr_cgroup_setting_count;

const struct cgroup_setting *lctr_cgroup_setting(const char *name);

/* Append the writes that give a setting its value. 0; -EOPNOTSUPP: not with this version;
 * -ERANGE: not a value the kernel takes; -EINVAL: no such form; -ENOSPC: too many writes. */
int lctr_cgroup_encode(const struct cgroup_setting *setting, const struct cgroup_value *value,
                       int version, struct cgroup_writes *writes);

/* The kernel's own conversion (kernel/sched/core.c): weight 100 is 1024 shares. */
int64_t lctr_cgroup_shares(int64_t weight);
int64_t lctr_cgroup_weight(int64_t shares);

#endif
