/* The container's terminal: a pty of its own devpts, whose master goes to the parent. Or the
 * terminal of somebody else, which the payload may use but not type into. */
#include "init.h"

/* A name in devpts can be neither a symlink nor renamed, so once the directory is known to be
 * devpts, its ptmx is the real one. */
static int open_master(struct init *in) {
    struct statfs fs;
    struct statx st;
    int dir = path_open(in, "dev/pts", O_PATH | O_DIRECTORY);
    if (dir < 0)
        return at(in, AUX_SOURCE, dir);
    int result = k_fstatfs(dir, &fs);
    if (result >= 0 && fs.f_type != DEVPTS_SUPER_MAGIC)
        result = -ENODEV;
    if (result < 0) {
        k_close(dir);
        return at(in, AUX_VERIFY, result);
    }
    int master = k_openat(dir, "ptmx", O_RDWR | O_NOFOLLOW | O_NOCTTY | O_CLOEXEC, 0);
    k_close(dir);
    if (master < 0)
        return at(in, AUX_SOURCE, master);
    bool real =
        path_type(master, &st) == S_IFCHR && st.stx_rdev_major == 5 && st.stx_rdev_minor == 2;
    if (!real)
        fds_close(&master);
    return real ? master : at(in, AUX_VERIFY, -ENODEV);
}

static int open_slave(struct init *in, int master, const union plan_arg *a) {
    const int unlocked = 0;
    const struct winsize size = {.ws_row = (unsigned short)plan_u32(&a[0]),
                                 .ws_col = (unsigned short)plan_u32(&a[1])};
    int result = k_ioctl(master, TIOCSPTLCK, &unlocked);
    if (result >= 0)
        result = k_ioctl(master, TIOCSWINSZ, &size);
    if (result < 0)
        return at(in, AUX_CONFIGURE, result);
    int slave = k_ioctl_number(master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
    if (slave < 0)
        return at(in, AUX_PEER, slave);
    in->tty = fds_keep(in, slave);
    if (in->tty < 0)
        return in->tty;
    uint32_t uid = plan_u32(&a[2]);
    uint32_t gid = plan_u32(&a[3]) ? plan_u32(&a[3]) : UINT32_MAX; /* else as devpts has set it */
    return at(in, AUX_ATTRIBUTE, k_fchown(in->tty, uid, gid));
}

static int bind_console(struct init *in) {
    int target = path_make_file(in, "dev/console", 0600);
    if (target < 0)
        return at(in, AUX_TARGET, target);
    int tree = mount_clone(in, in->tty, "", 0);
    int result = tree < 0 ? tree : mount_put(in, tree, target);
    fds_close(&tree);
    k_close(target);
    return at(in, AUX_ATTACH, result);
}

int step_console(struct init *in, const union plan_arg *a) {
    int master = open_master(in);
    if (master < 0)
        return master;
    int result = open_slave(in, master, a);
    if (result >= 0 && !plan_u32(&a[4]))
        result = bind_console(in);
    if (result >= 0)
        result = at(in, AUX_PEER, fds_send(in->sync, MEET_CONSOLE, master));
    k_close(master);
    return result;
}

/* With a console its slave becomes the terminal and the standard fds; without one fd 0 does, which
 * a dup step has put there. Needs setsid before. */
int step_controlling_tty(struct init *in, const union plan_arg *a) {
    (void)a;
    if (in->tty < 0)
        return k_ioctl_number(0, TIOCSCTTY, 0);
    int result = k_ioctl_number(in->tty, TIOCSCTTY, 0);
    for (int number = 0; number < 3 && result >= 0; number++)
        result = k_dup3(in->tty, number, O_CLOEXEC);
    return result;
}

/* ---- a terminal that is not the container's own */

#if defined(__x86_64__)
#define NATIVE_ARCH AUDIT_ARCH_X86_64
#define OTHER_IOCTL (0x40000000 | 514) /* of x32 */
#define COMPAT_ARCH AUDIT_ARCH_I386
#else
#define NATIVE_ARCH AUDIT_ARCH_AARCH64
#define OTHER_IOCTL __NR_ioctl
#define COMPAT_ARCH AUDIT_ARCH_ARM
#endif
#define COMPAT_IOCTL 54

#define LOAD(field)       BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, field))
#define EQUAL(k, yes, no) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, k, yes, no)
#define RETURN(value)     BPF_STMT(BPF_RET | BPF_K, value)

/* Refused are the requests that put text into a terminal's input, which a shell outside would read,
 * and the one that makes something else of the line. The kernel looks at their low half. */
static const struct sock_filter guard[] = {
    LOAD(arch),
    EQUAL(NATIVE_ARCH, 0, 3),
    LOAD(nr),
    EQUAL(__NR_ioctl, 4, 0),
    EQUAL(OTHER_IOCTL, 3, 7),
    EQUAL(COMPAT_ARCH, 0, 6),
    LOAD(nr),
    EQUAL(COMPAT_IOCTL, 0, 4),
    LOAD(args[1]),
    EQUAL(TIOCSTI, 3, 0),
    EQUAL(TIOCLINUX, 2, 0),
    EQUAL(TIOCSETD, 1, 0),
    RETURN(SECCOMP_RET_ALLOW),
    RETURN(SECCOMP_RET_ERRNO | EPERM),
};

static bool is_terminal(int fd) {
    struct termios settings;
    return k_ioctl(fd, TCGETS, &settings) >= 0;
}

/* A session of its own keeps the payload from that only as long as the terminal has another one,
 * and as the payload may not do everything. */
int step_guard_terminal(struct init *in, const union plan_arg *a) {
    (void)a;
    const struct sock_fprog program = {.len = sizeof guard / sizeof guard[0],
                                       .filter = (struct sock_filter *)guard};
    for (int fd = 0; fd < in->floor; fd++)
        if (is_terminal(fd))
            return k_seccomp(SECCOMP_SET_MODE_FILTER, 0, &program);
    return 0;
}
