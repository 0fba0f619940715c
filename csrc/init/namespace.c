/* Namespaces, their names, cgroup membership, and meetings with the parent. */
#include "init.h"

/* What leads to the host's cgroups is open no longer than it has to be. */
int step_cgroup_attach(struct init *in, const union plan_arg *a) {
    int procs = plan_take(in, &a[0]);
    if (procs < 0)
        return procs;
    int result = (int)k_write(procs, "0", 1);
    k_close(procs);
    return result;
}

/* A new user namespace is a change of credentials, which disarms the parent-death signal. Another
 * mount namespace makes "/" another mount; what was opened before is no place to mount on. */
static int namespaces_changed(struct init *in, bool mounts) {
    if (mounts) {
        fds_close(&in->root);
        in->root_path = NULL;
    }
    return process_arm(in);
}

int step_unshare(struct init *in, const union plan_arg *a) {
    uint32_t flags = plan_u32(&a[0]);
    int result = k_unshare(flags);
    return result < 0 ? result : namespaces_changed(in, flags & CLONE_NEWNS);
}

static int join(int ns, uint32_t flags) {
    int result = k_setns(ns, flags);
    if (result >= 0 && flags & CLONE_NEWUSER)
        result = credentials_become_root();
    return result;
}

/* Whoever is in the namespaces already must not trace us or read our descriptors. In another user
 * namespace we are nobody until we take one of its ids. What later steps write to procfs they write
 * to ours: in the container anything may be mounted there. */
int step_setns(struct init *in, const union plan_arg *a) {
    int ns = plan_take(in, &a[0]);
    if (ns < 0)
        return ns;
    uint32_t flags = plan_u32(&a[1]); /* 0: whatever namespace the fd is */
    bool mounts = !flags || flags & CLONE_NEWNS;
    int result = mounts ? procfs_prepare(in) : 0;
    if (result >= 0)
        result = at(in, AUX_ATTRIBUTE, k_prctl(PR_SET_DUMPABLE, 0, 0, 0));
    if (result >= 0)
        result = join(ns, flags);
    if (result >= 0) /* fs.suid_dumpable has a say when rights change */
        result = at(in, AUX_ATTRIBUTE, k_prctl(PR_SET_DUMPABLE, 0, 0, 0));
    k_close(ns);
    in->apart |= (flags & CLONE_NEWPID) != 0;
    if (mounts) { /* whatever is there now is theirs */
        in->entered = true;
        in->private = false;
    }
    return result < 0 ? result : namespaces_changed(in, mounts);
}

/* To make a time namespace is to make it for children; its clocks can be set until the first
 * process is in it. That is this one: a vfork would not take the payload in on every kernel. */
int step_time_namespace(struct init *in, const union plan_arg *a) {
    const char *offsets = plan_text(in, &a[0]);
    int result = k_unshare(CLONE_NEWTIME);
    if (result >= 0)
        result = procfs_open(in);
    if (result >= 0 && offsets)
        result = at(in, AUX_CONFIGURE, procfs_write(in, "self/timens_offsets", offsets));
    if (result < 0)
        return result;
    int fd = k_openat(in->proc, "self/ns/time_for_children", O_RDONLY | O_CLOEXEC, 0);
    if (fd < 0)
        return at(in, AUX_ATTACH, fd);
    result = at(in, AUX_ATTACH, k_setns(fd, CLONE_NEWTIME));
    k_close(fd);
    return result;
}

int step_sethostname(struct init *in, const union plan_arg *a) {
    return k_sethostname(plan_text(in, &a[0]), a[0].data.length);
}

int step_setdomainname(struct init *in, const union plan_arg *a) {
    return k_setdomainname(plan_text(in, &a[0]), a[0].data.length);
}

/* Any socket takes interface requests; a unix one exists in every kernel. */
int step_loopback_up(struct init *in, const union plan_arg *a) {
    (void)a;
    const struct k_ifreq request = {.name = "lo", .flags = IFF_UP};
    int fd = k_socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return at(in, AUX_SOURCE, fd);
    int result = k_ioctl(fd, SIOCSIFFLAGS, &request);
    k_close(fd);
    return result;
}

void namespace_await(const struct init *in, uint32_t number) {
    struct plan_message message = {0};
    struct iovec vector = {.iov_base = &message, .iov_len = sizeof message};
    struct k_msghdr header = {.iov = &vector, .iov_count = 1};
    if (k_recvmsg(in->sync, &header, 0) != sizeof message || message.number != number)
        k_exit(EXIT_SETUP);
}

/* Tell the parent which meeting this is, and wait for the same number. */
int step_rendezvous(struct init *in, const union plan_arg *a) {
    struct plan_message message = {.number = plan_u32(&a[0])};
    struct iovec vector = {.iov_base = &message, .iov_len = sizeof message};
    const struct k_msghdr header = {.iov = &vector, .iov_count = 1};
    long result = k_sendmsg(in->sync, &header, MSG_NOSIGNAL);
    if (result < 0)
        return (int)result;
    namespace_await(in, message.number);
    if (message.number != MEET_ID_MAPS)
        return 0;
    result = credentials_become_root();
    if (result >= 0 && in->plan->flags & PLAN_FLAG_SEEN)
        result = k_prctl(PR_SET_DUMPABLE, 0, 0, 0);
    return at(in, AUX_ATTRIBUTE, result < 0 ? result : process_arm(in));
}
