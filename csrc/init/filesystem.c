/* New file systems by fsopen(2): configured, filled, and only then attached. */
#include "init.h"

/* "key=value", or "key" alone for a flag. */
static int configure(int context, const char *option) {
    char key[64];
    size_t length = 0;
    while (option[length] && option[length] != '=') {
        if (length == sizeof key - 1)
            return -EINVAL;
        key[length] = option[length];
        length++;
    }
    key[length] = '\0';
    if (!option[length])
        return k_fsconfig(context, FSCONFIG_SET_FLAG, key, NULL, 0);
    return k_fsconfig(context, FSCONFIG_SET_STRING, key, option + length + 1, 0);
}

static const char *option_at(const struct init *in, const union plan_arg *options, uint32_t i) {
    const uint64_t *offsets = plan_data(in, options);
    return (const char *)in->plan + offsets[i];
}

/* By mount(2), which takes the options as one text. */
static int new_by_mount(struct init *in, const char *type, const union plan_arg *options,
                        uint32_t attributes) {
    char data[PLAN_MAX_PATH + 1] = "";
    size_t length = 0;
    for (uint32_t i = 0; i < options->data.length; i++) {
        length = text_append(data, sizeof data, length, i ? "," : "");
        length = text_append(data, sizeof data, length, option_at(in, options, i));
    }
    if (length == sizeof data)
        return -E2BIG;
    return mount_staged(in, type, attributes, data);
}

int filesystem_new(struct init *in, const char *type, const union plan_arg *options,
                   uint32_t attributes) {
    int context = k_fsopen(type, FSOPEN_CLOEXEC);
    if (context == -ENOSYS || context == -EPERM)
        return at(in, AUX_CONFIGURE, new_by_mount(in, type, options, attributes));
    if (context < 0)
        return at(in, AUX_TYPE, context);
    int result = 0;
    for (uint32_t i = 0; i < options->data.length && result >= 0; i++)
        result = at(in, AUX_CONFIGURE, configure(context, option_at(in, options, i)));
    if (result >= 0)
        result = at(in, AUX_CONFIGURE, k_fsconfig(context, FSCONFIG_CMD_CREATE, NULL, NULL, 0));
    if (result >= 0)
        result = at(in, AUX_ATTRIBUTE, k_fsmount(context, FSMOUNT_CLOEXEC, attributes));
    k_close(context);
    return result;
}

/* Options one by one: together they may be longer than the page that mount(2) takes. */
int step_fsmount(struct init *in, const union plan_arg *a) {
    int target = mount_target(in, plan_text(in, &a[0]), S_IFDIR, plan_u32(&a[4]));
    if (target < 0)
        return at(in, AUX_TARGET, target);
    int tree = filesystem_new(in, plan_text(in, &a[1]), &a[3], plan_u32(&a[2]));
    int result = tree < 0 ? tree : mount_attach(in, tree, target);
    fds_close(&tree);
    k_close(target);
    return result;
}

static bool has_key(const char *option, const char *key) {
    while (*key && *option == *key) {
        option++;
        key++;
    }
    return !*key && *option == '=';
}

/* What the options say of the top directory goes before what the covered one is. */
static struct copy_keep said(const struct init *in, const union plan_arg *options) {
    struct copy_keep keep = {0};
    for (uint32_t i = 0; i < options->data.length; i++) {
        const char *option = option_at(in, options, i);
        keep.mode |= has_key(option, "mode");
        keep.owner |= has_key(option, "uid") || has_key(option, "gid");
    }
    return keep;
}

static int fill(struct init *in, int target, int tree, const struct copy_keep *keep) {
    int source = k_openat(target, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
    int copy = k_openat(tree, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
    int result = source < 0 ? source : copy;
    if (result >= 0)
        result = copy_tree(source, copy, keep);
    fds_close(&source);
    fds_close(&copy);
    return at(in, AUX_COPY, result);
}

/* A tmpfs that begins with what it covers. Nobody sees it before it is whole. */
int step_tmpcopyup(struct init *in, const union plan_arg *a) {
    int target = mount_target(in, plan_text(in, &a[0]), S_IFDIR, plan_u32(&a[3]));
    if (target < 0)
        return at(in, AUX_TARGET, target);
    uint32_t attributes = plan_u32(&a[1]);
    uint32_t readonly = attributes & MOUNT_ATTR_RDONLY;
    const struct copy_keep keep = said(in, &a[2]);
    int tree = filesystem_new(in, "tmpfs", &a[2], attributes & ~readonly);
    int result = tree;
    if (result >= 0)
        result = fill(in, target, tree, &keep);
    if (result >= 0 && readonly)
        result = at(in, AUX_ATTRIBUTE, mount_restrict(in, tree, readonly));
    if (result >= 0)
        result = mount_attach(in, tree, target);
    fds_close(&tree);
    k_close(target);
    return result;
}
