/* Whether the kernel has a call or an option of one: it is asked with arguments with which it can
 * do nothing. What an answer means depends on the call: see the rows. */
#include "kernel/landlock.h"
#include "l_sys.h"

#include <errno.h>
#include <linux/prctl.h>
#include <linux/seccomp.h>
#include <string.h>
#include <sys/syscall.h>

#define BAD_FD   (-1L)
#define BAD_FLAG 0xffffffffL

struct probe {
    const char *name;
    long number;
    long argument[5];
    int absent; /* the errno that means "not there", beside ENOSYS */
};

/* Filters are taken from user memory after their flags were checked. */
#define SECCOMP_FLAG(name, flags)                                                                  \
    { "seccomp_" name, __NR_seccomp, {SECCOMP_SET_MODE_FILTER, flags}, EINVAL }

static const struct probe probes[] = {
    {"openat2", __NR_openat2, {BAD_FD}, 0},
    {"close_range", __NR_close_range, {1, 0, 0}, 0},
    {"clone3", __NR_clone3, {0, 0}, 0},
    {"pidfd_open", __NR_pidfd_open, {-1, 0}, 0},
    {"pidfd_send_signal", __NR_pidfd_send_signal, {BAD_FD}, 0},
    {"fsopen", __NR_fsopen, {0, BAD_FLAG}, 0},
    {"fsconfig", __NR_fsconfig, {BAD_FD, BAD_FLAG}, 0},
    {"fsmount", __NR_fsmount, {BAD_FD, BAD_FLAG}, 0},
    {"open_tree", __NR_open_tree, {BAD_FD, 0, BAD_FLAG}, 0},
    {"move_mount", __NR_move_mount, {BAD_FD, 0, BAD_FD, 0, BAD_FLAG}, 0},
    {"mount_setattr", __NR_mount_setattr, {BAD_FD, 0, BAD_FLAG, 0, 0}, 0},
    {"memfd_create", __NR_memfd_create, {0, BAD_FLAG}, 0},
    {"execveat", __NR_execveat, {BAD_FD, 0, 0, 0, BAD_FLAG}, 0},
    {"keyctl", __NR_keyctl, {-1}, 0},
    {"set_mempolicy", __NR_set_mempolicy, {-1}, 0},
    {"sched_setattr", __NR_sched_setattr, {-1}, 0},
    {"quotactl_fd", __NR_quotactl_fd, {BAD_FD}, 0},
    {"core_scheduling", __NR_prctl, {PR_SCHED_CORE, PR_SCHED_CORE_GET, 0, 0, 0}, EINVAL},
    SECCOMP_FLAG("filter", 0),
    SECCOMP_FLAG("tsync", SECCOMP_FILTER_FLAG_TSYNC),
    SECCOMP_FLAG("log", SECCOMP_FILTER_FLAG_LOG),
    SECCOMP_FLAG("spec_allow", SECCOMP_FILTER_FLAG_SPEC_ALLOW),
    SECCOMP_FLAG("new_listener", SECCOMP_FILTER_FLAG_NEW_LISTENER),
    SECCOMP_FLAG("wait_killable_recv",
                 SECCOMP_FILTER_FLAG_NEW_LISTENER | SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV),
};

static const struct probe *find(const char *name) {
    for (size_t i = 0; i < sizeof probes / sizeof probes[0]; i++)
        if (strcmp(probes[i].name, name) == 0)
            return &probes[i];
    return NULL;
}

static int l_probe(lua_State *L) {
    const struct probe *p = find(luaL_checkstring(L, 1));
    luaL_argcheck(L, p, 1, "unknown probe");
    const long *a = p->argument;
    int result = (int)k_call(p->number, a[0], a[1], a[2], a[3], a[4]);
    if (result == -ENOSYS || (p->absent && result == -p->absent) || result == -ENODEV)
        return l_pushfail(L, -result, p->name, NULL);
    lua_pushboolean(L, true);
    return 1;
}

static const luaL_Reg functions[] = {{"probe", l_probe}, {NULL, NULL}};

void l_sys_probe(lua_State *L) {
    luaL_setfuncs(L, functions, 0);
}
