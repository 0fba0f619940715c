#include "core/seccomp.h"

#include "core/fd.h"

#include <dlfcn.h>
#include <errno.h>
#include <seccomp.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* ---- the library, by name */

static struct {
    scmp_filter_ctx (*init)(uint32_t action);
    void (*release)(scmp_filter_ctx context);
    int (*attr_set)(scmp_filter_ctx context, enum scmp_filter_attr attribute, uint32_t value);
    int (*rule_add_array)(scmp_filter_ctx context, uint32_t action, int number, unsigned int count,
                          const struct scmp_arg_cmp *conditions);
    int (*export_bpf)(const scmp_filter_ctx context, int fd);
    int (*resolve_name)(const char *name);
    bool loaded;
} library;

static int load_library(void) {
    const struct {
        const char *name;
        void *function; /* where its address goes */
    } symbols[] = {
        {"seccomp_init", &library.init},
        {"seccomp_release", &library.release},
        {"seccomp_attr_set", &library.attr_set},
        {"seccomp_rule_add_array", &library.rule_add_array},
        {"seccomp_export_bpf", &library.export_bpf},
        {"seccomp_syscall_resolve_name", &library.resolve_name},
    };
    if (library.loaded)
        return 0;
    void *handle = dlopen("libseccomp.so.2", RTLD_NOW | RTLD_LOCAL);
    if (!handle)
        return -ELIBACC;
    for (size_t i = 0; i < sizeof symbols / sizeof symbols[0]; i++) {
        void *address = dlsym(handle, symbols[i].name);
        if (!address)
            return -ELIBACC;
        memcpy(symbols[i].function, &address, sizeof address);
    }
    library.loaded = true;
    return 0;
}

/* ---- names */

/* System calls that are younger than a libseccomp in use may be, up to Linux 6.17. Numbers from 424
 * on are the same on all architectures. The last row is the newest number that luactr knows: the
 * default profile must decide about each name here. */
static const struct {
    const char *name;
    int number;
} newer[] = {
    {"process_madvise", 440},
    {"epoll_pwait2", 441},
    {"mount_setattr", 442},
    {"quotactl_fd", 443},
    {"landlock_create_ruleset", 444},
    {"landlock_add_rule", 445},
    {"landlock_restrict_self", 446},
    {"memfd_secret", 447},
    {"process_mrelease", 448},
    {"futex_waitv", 449},
    {"set_mempolicy_home_node", 450},
    {"cachestat", 451},
    {"fchmodat2", 452},
    {"map_shadow_stack", 453},
    {"futex_wake", 454},
    {"futex_wait", 455},
    {"futex_requeue", 456},
    {"statmount", 457},
    {"listmount", 458},
    {"lsm_get_self_attr", 459},
    {"lsm_set_self_attr", 460},
    {"lsm_list_modules", 461},
    {"mseal", 462},
    {"setxattrat", 463},
    {"getxattrat", 464},
    {"listxattrat", 465},
    {"removexattrat", 466},
    {"open_tree_attr", 467},
    {"file_getattr", 468},
    {"file_setattr", 469},
};

#define NEWER_COUNT (sizeof newer / sizeof newer[0])

int lctr_seccomp_newest(void) {
    return newer[NEWER_COUNT - 1].number;
}

static int newer_number(const char *name) {
    for (size_t i = 0; i < NEWER_COUNT; i++)
        if (strcmp(newer[i].name, name) == 0)
            return newer[i].number;
    return __NR_SCMP_ERROR;
}

int lctr_seccomp_resolve(const char *name, enum seccomp_name *kind, int *number) {
    int failed = load_library();
    if (failed)
        return failed;
    int found = library.resolve_name(name);
    if (found == __NR_SCMP_ERROR)
        found = newer_number(name);
    *number = found;
    *kind = found >= 0                 ? SECCOMP_NAME_KNOWN
            : found == __NR_SCMP_ERROR ? SECCOMP_NAME_UNKNOWN
                                       : SECCOMP_NAME_FOREIGN;
    return 0;
}

/* ---- building */

#define OPTIMIZE_AS_TREE 2 /* seccomp_attr_set(3): a binary tree over the numbers */

static int begin(struct seccomp_builder *builder, const struct seccomp_defaults *defaults) {
    builder->context = library.init(defaults->otherwise);
    if (!builder->context)
        return -EINVAL;
    size_t count = (size_t)lctr_seccomp_newest() + 1;
    builder->actions = calloc(count, sizeof *builder->actions);
    if (!builder->actions)
        return -ENOMEM;
    for (size_t i = 0; i < count; i++)
        builder->actions[i] = defaults->otherwise;
    builder->unknown = defaults->unknown;
    builder->otherwise = defaults->otherwise;
    /* Calls whose arguments matter still pay for the search; a library without the tree still gives
     * a right one. */
    (void)library.attr_set(builder->context, SCMP_FLTATR_CTL_OPTIMIZE, OPTIMIZE_AS_TREE);
    return library.attr_set(builder->context, SCMP_FLTATR_ACT_BADARCH, defaults->foreign);
}

int lctr_seccomp_begin(struct seccomp_builder *builder, const struct seccomp_defaults *defaults) {
    int failed = load_library();
    if (!failed)
        failed = begin(builder, defaults);
    if (failed)
        lctr_seccomp_end(builder);
    return failed;
}

/* Without conditions the index decides, and nobody else may have said something about the number.
 */
static int add_plain(struct seccomp_builder *builder, uint32_t action, int number) {
    uint32_t *known = &builder->actions[number];
    if (*known != builder->otherwise && *known != action)
        return -EEXIST;
    *known = action;
    return 0;
}

static int add_to_library(struct seccomp_builder *builder, uint32_t action, int number,
                          unsigned int count, const struct seccomp_condition *conditions) {
    struct scmp_arg_cmp native[LCTR_SECCOMP_MAX_CONDITIONS];
    for (unsigned int i = 0; i < count; i++) {
        bool masked = conditions[i].op == SCMP_CMP_MASKED_EQ;
        native[i] = (struct scmp_arg_cmp){
            .arg = conditions[i].argument,
            .op = (enum scmp_compare)conditions[i].op,
            .datum_a = masked ? conditions[i].mask : conditions[i].value,
            .datum_b = masked ? conditions[i].value : 0,
        };
    }
    return library.rule_add_array(builder->context, action, number, count, native);
}

int lctr_seccomp_add(struct seccomp_builder *builder, uint32_t action, int number,
                     unsigned int count, const struct seccomp_condition *conditions) {
    if (count > LCTR_SECCOMP_MAX_CONDITIONS || number < 0)
        return -EINVAL;
    if (number > lctr_seccomp_newest()) /* known to a younger library only */
        return -EINVAL;
    if (count == 0)
        return add_plain(builder, action, number);
    int failed = add_plain(builder, SECCOMP_ASK, number);
    return failed ? failed : add_to_library(builder, action, number, count, conditions);
}

void lctr_seccomp_end(struct seccomp_builder *builder) {
    if (builder->context)
        library.release(builder->context);
    free(builder->actions);
    builder->context = NULL;
    builder->actions = NULL;
}

/* ---- the program: the index, behind it libseccomp's */

static int write_index(const struct seccomp_builder *builder, int fd) {
    const struct seccomp_index index = {
        .actions = builder->actions,
        .count = (size_t)lctr_seccomp_newest() + 1,
        .above = builder->unknown,
    };
    struct sock_filter *program = calloc(LCTR_SECCOMP_INDEX_ROOM(index.count), sizeof *program);
    if (!program)
        return -ENOMEM;
    size_t size = lctr_seccomp_index(&index, program) * sizeof *program;
    ssize_t written = write(fd, program, size);
    free(program);
    return written == (ssize_t)size ? 0 : -EIO;
}

int lctr_seccomp_export(struct seccomp_builder *builder, int *fd) {
    cleanup_fd file = memfd_create("luactr-seccomp", MFD_CLOEXEC);
    if (file < 0)
        return -errno;
    int failed = write_index(builder, file);
    if (!failed)
        failed = library.export_bpf(builder->context, file);
    if (!failed)
        *fd = take_fd(&file);
    return failed;
}

/* ---- the default profile: compiled by csrc/seccomp.lua at build time */

extern const char lctr_seccomp_default_image[], lctr_seccomp_default_image_end[];

const void *lctr_seccomp_default(size_t *size) {
    *size = (size_t)(lctr_seccomp_default_image_end - lctr_seccomp_default_image);
    return lctr_seccomp_default_image;
}
