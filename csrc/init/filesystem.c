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

/* ---- a file system that a program of the host serves */

/* The host's device, and only if it is the real one. The kernel wants it opened by who mounts: in
 * the same user namespace. */
static int open_fuse(struct init *in) {
    struct statx st;
    int fd = k_openat(AT_FDCWD, "/dev/fuse", O_RDWR | O_NOFOLLOW | O_CLOEXEC, 0);
    if (fd < 0)
        return at(in, AUX_SOURCE, fd);
    int type = path_type(fd, &st);
    if (type == S_IFCHR && st.stx_rdev_major == 10 && st.stx_rdev_minor == 229)
        return fd;
    k_close(fd);
    return at(in, AUX_VERIFY, -ENODEV);
}

static int new_fuse(struct init *in, int device, uint32_t attributes) {
    static const char *const options[] = {"source=fuse", "rootmode=40000",      "user_id=0",
                                          "group_id=0",  "default_permissions", "allow_other"};
    char fd[32];
    text_append_number(fd, sizeof fd, text_append(fd, sizeof fd, 0, "fd="), device);
    int context = k_fsopen("fuse", FSOPEN_CLOEXEC);
    if (context < 0)
        return at(in, AUX_TYPE, context);
    int result = configure(context, fd);
    for (size_t i = 0; i < sizeof options / sizeof options[0] && result >= 0; i++)
        result = configure(context, options[i]);
    if (result >= 0)
        result = k_fsconfig(context, FSCONFIG_CMD_CREATE, NULL, NULL, 0);
    at(in, AUX_CONFIGURE, result);
    if (result >= 0)
        result = at(in, AUX_ATTRIBUTE, k_fsmount(context, FSMOUNT_CLOEXEC, attributes));
    k_close(context);
    return result;
}

/* Whoever looks at a file system that nobody serves yet waits; if its program is gone that fails,
 * as long as no descriptor of the device is left here. */
static int await_served(struct init *in, int tree, int *device) {
    int result = at(in, AUX_PEER, fds_send(in->sync, MEET_FUSE, *device));
    fds_close(device);
    if (result < 0)
        return result;
    namespace_await(in, MEET_FUSE);
    int root = k_openat(tree, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
    if (root < 0)
        return at(in, AUX_PEER, root);
    k_close(root);
    return 0;
}

int step_fuse(struct init *in, const union plan_arg *a) {
    int target = mount_target(in, plan_text(in, &a[0]), S_IFDIR, 0);
    if (target < 0)
        return at(in, AUX_TARGET, target);
    int device = open_fuse(in);
    int tree = device < 0 ? device : new_fuse(in, device, plan_u32(&a[1]));
    int result = tree < 0 ? tree : await_served(in, tree, &device);
    if (result >= 0)
        result = mount_attach(in, tree, target);
    fds_close(&device);
    fds_close(&tree);
    k_close(target);
    return result;
}

/* ---- a tmpfs that copies */

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
