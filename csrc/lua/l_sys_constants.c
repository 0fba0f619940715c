/* The kernel's constants, by name: families of flags for the functions that take them, and the
 * lazy lookup behind core.sys.CLONE_NEWPID, core.sys.signals and the like. */
#include "l_sys.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/landlock.h>
#include <linux/openat2.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <linux/securebits.h>
#include <signal.h>
#include <string.h>
#include <strings.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* After the C library, whose constants are enums too. */
#include "kernel/shim.h"

/* Pasting and stringising keep C's own name and value together. */
#define N(prefix, name)                                                                            \
    { #prefix #name, sizeof #prefix - 1, (lua_Integer)prefix##name }
#define END                                                                                        \
    { NULL, 0, 0 }

const struct l_name l_clone_names[] = {
    N(CLONE_, NEWNS),  N(CLONE_, NEWUTS),  N(CLONE_, NEWIPC),    N(CLONE_, NEWPID),
    N(CLONE_, NEWNET), N(CLONE_, NEWUSER), N(CLONE_, NEWCGROUP), N(CLONE_, NEWTIME),
    N(CLONE_, FS),     N(CLONE_, FILES),   N(CLONE_, SYSVSEM),   END,
};

const struct l_name l_open_names[] = {
    N(O_, RDONLY), N(O_, WRONLY),    N(O_, RDWR),
    N(O_, APPEND), N(O_, CREAT),     N(O_, EXCL),
    N(O_, TRUNC),  N(O_, DIRECTORY), N(O_, NOFOLLOW),
    N(O_, PATH),   N(O_, CLOEXEC),   N(O_, NONBLOCK),
    N(O_, NOCTTY), N(O_, TMPFILE),   N(O_, SYNC),
    N(O_, DSYNC),  N(O_, DIRECT),    N(O_, NOATIME),
    END,
};

const struct l_name l_resolve_names[] = {
    N(RESOLVE_, NO_XDEV),
    N(RESOLVE_, NO_MAGICLINKS),
    N(RESOLVE_, NO_SYMLINKS),
    N(RESOLVE_, BENEATH),
    N(RESOLVE_, IN_ROOT),
    N(RESOLVE_, CACHED),
    END,
};

const struct l_name l_at_names[] = {
    N(AT_, SYMLINK_NOFOLLOW),
    N(AT_, SYMLINK_FOLLOW),
    N(AT_, REMOVEDIR),
    N(AT_, EMPTY_PATH),
    N(AT_, NO_AUTOMOUNT),
    N(AT_, RECURSIVE),
    END,
};

const struct l_name l_rename_names[] = {N(RENAME_, NOREPLACE), N(RENAME_, EXCHANGE), END};

const struct l_name l_mount_names[] = {
    N(MS_, RDONLY),
    N(MS_, NOSUID),
    N(MS_, NODEV),
    N(MS_, NOEXEC),
    N(MS_, SYNCHRONOUS),
    N(MS_, REMOUNT),
    N(MS_, MANDLOCK),
    N(MS_, DIRSYNC),
    N(MS_, NOSYMFOLLOW),
    N(MS_, NOATIME),
    N(MS_, NODIRATIME),
    N(MS_, BIND),
    N(MS_, MOVE),
    N(MS_, REC),
    N(MS_, SILENT),
    N(MS_, POSIXACL),
    N(MS_, UNBINDABLE),
    N(MS_, PRIVATE),
    N(MS_, SLAVE),
    N(MS_, SHARED),
    N(MS_, RELATIME),
    N(MS_, I_VERSION),
    N(MS_, STRICTATIME),
    N(MS_, LAZYTIME),
    END,
};

const struct l_name l_umount_names[] = {
    N(MNT_, FORCE), N(MNT_, DETACH), N(MNT_, EXPIRE), N(UMOUNT_, NOFOLLOW), END,
};

const struct l_name l_mount_attr_names[] = {
    N(MOUNT_ATTR_, RDONLY),      N(MOUNT_ATTR_, NOSUID),      N(MOUNT_ATTR_, NODEV),
    N(MOUNT_ATTR_, NOEXEC),      N(MOUNT_ATTR_, _ATIME),      N(MOUNT_ATTR_, RELATIME),
    N(MOUNT_ATTR_, NOATIME),     N(MOUNT_ATTR_, STRICTATIME), N(MOUNT_ATTR_, NODIRATIME),
    N(MOUNT_ATTR_, NOSYMFOLLOW), N(MOUNT_ATTR_, IDMAP),       END,
};

const struct l_name l_fsopen_names[] = {N(FSOPEN_, CLOEXEC), END};
const struct l_name l_fsmount_names[] = {N(FSMOUNT_, CLOEXEC), END};

const struct l_name l_fsconfig_names[] = {
    N(FSCONFIG_, SET_FLAG),   N(FSCONFIG_, SET_STRING),      N(FSCONFIG_, SET_BINARY),
    N(FSCONFIG_, SET_PATH),   N(FSCONFIG_, SET_PATH_EMPTY),  N(FSCONFIG_, SET_FD),
    N(FSCONFIG_, CMD_CREATE), N(FSCONFIG_, CMD_RECONFIGURE), END,
};

const struct l_name l_open_tree_names[] = {
    N(OPEN_TREE_, CLONE),
    N(OPEN_TREE_, CLOEXEC),
    N(AT_, SYMLINK_NOFOLLOW),
    N(AT_, RECURSIVE),
    N(AT_, NO_AUTOMOUNT),
    N(AT_, EMPTY_PATH),
    END,
};

const struct l_name l_move_mount_names[] = {
    N(MOVE_MOUNT_, F_SYMLINKS),   N(MOVE_MOUNT_, F_AUTOMOUNTS),
    N(MOVE_MOUNT_, F_EMPTY_PATH), N(MOVE_MOUNT_, T_SYMLINKS),
    N(MOVE_MOUNT_, T_AUTOMOUNTS), N(MOVE_MOUNT_, T_EMPTY_PATH),
    N(MOVE_MOUNT_, SET_GROUP),    END,
};

const struct l_name l_wait_names[] = {
    N(W, EXITED), N(W, STOPPED), N(W, CONTINUED), N(W, NOHANG), N(W, NOWAIT), END,
};

const struct l_name l_file_type_names[] = {
    N(S_, IFSOCK), N(S_, IFLNK), N(S_, IFREG), N(S_, IFBLK), N(S_, IFDIR), N(S_, IFCHR),
    N(S_, IFIFO),  N(S_, ISUID), N(S_, ISGID), N(S_, ISVTX), END,
};

const struct l_name l_seek_names[] = {
    N(SEEK_, SET), N(SEEK_, CUR), N(SEEK_, END), N(SEEK_, DATA), N(SEEK_, HOLE), END,
};

const struct l_name l_memfd_names[] = {
    N(MFD_, CLOEXEC), N(MFD_, ALLOW_SEALING), N(MFD_, HUGETLB), N(MFD_, EXEC), END,
};

const struct l_name l_seal_names[] = {
    N(F_SEAL_, SEAL),  N(F_SEAL_, SHRINK),       N(F_SEAL_, GROW),
    N(F_SEAL_, WRITE), N(F_SEAL_, FUTURE_WRITE), END,
};

const struct l_name l_securebit_names[] = {
    N(SECBIT_, NOROOT),
    N(SECBIT_, NOROOT_LOCKED),
    N(SECBIT_, NO_SETUID_FIXUP),
    N(SECBIT_, NO_SETUID_FIXUP_LOCKED),
    N(SECBIT_, KEEP_CAPS),
    N(SECBIT_, KEEP_CAPS_LOCKED),
    N(SECBIT_, NO_CAP_AMBIENT_RAISE),
    N(SECBIT_, NO_CAP_AMBIENT_RAISE_LOCKED),
    END,
};

const struct l_name l_seccomp_names[] = {
    N(SECCOMP_FILTER_FLAG_, TSYNC),
    N(SECCOMP_FILTER_FLAG_, LOG),
    N(SECCOMP_FILTER_FLAG_, SPEC_ALLOW),
    N(SECCOMP_FILTER_FLAG_, NEW_LISTENER),
    N(SECCOMP_FILTER_FLAG_, TSYNC_ESRCH),
    N(SECCOMP_FILTER_FLAG_, WAIT_KILLABLE_RECV),
    END,
};

const struct l_name l_landlock_fs_names[] = {
    N(LANDLOCK_ACCESS_FS_, EXECUTE),
    N(LANDLOCK_ACCESS_FS_, WRITE_FILE),
    N(LANDLOCK_ACCESS_FS_, READ_FILE),
    N(LANDLOCK_ACCESS_FS_, READ_DIR),
    N(LANDLOCK_ACCESS_FS_, REMOVE_DIR),
    N(LANDLOCK_ACCESS_FS_, REMOVE_FILE),
    N(LANDLOCK_ACCESS_FS_, MAKE_CHAR),
    N(LANDLOCK_ACCESS_FS_, MAKE_DIR),
    N(LANDLOCK_ACCESS_FS_, MAKE_REG),
    N(LANDLOCK_ACCESS_FS_, MAKE_SOCK),
    N(LANDLOCK_ACCESS_FS_, MAKE_FIFO),
    N(LANDLOCK_ACCESS_FS_, MAKE_BLOCK),
    N(LANDLOCK_ACCESS_FS_, MAKE_SYM),
    N(LANDLOCK_ACCESS_FS_, REFER),
    N(LANDLOCK_ACCESS_FS_, TRUNCATE),
    N(LANDLOCK_ACCESS_FS_, IOCTL_DEV),
    END,
};

const struct l_name l_landlock_net_names[] = {
    N(LANDLOCK_ACCESS_NET_, BIND_TCP),
    N(LANDLOCK_ACCESS_NET_, CONNECT_TCP),
    END,
};

const struct l_name l_landlock_scope_names[] = {
    N(LANDLOCK_SCOPE_, ABSTRACT_UNIX_SOCKET),
    N(LANDLOCK_SCOPE_, SIGNAL),
    END,
};

const struct l_name l_landlock_restrict_names[] = {
    N(LANDLOCK_RESTRICT_SELF_, LOG_SAME_EXEC_OFF),
    N(LANDLOCK_RESTRICT_SELF_, LOG_NEW_EXEC_ON),
    N(LANDLOCK_RESTRICT_SELF_, LOG_SUBDOMAINS_OFF),
    END,
};

const struct l_name l_rlimit_names[] = {
    N(RLIMIT_, AS),
    N(RLIMIT_, CORE),
    N(RLIMIT_, CPU),
    N(RLIMIT_, DATA),
    N(RLIMIT_, FSIZE),
    N(RLIMIT_, LOCKS),
    N(RLIMIT_, MEMLOCK),
    N(RLIMIT_, MSGQUEUE),
    N(RLIMIT_, NICE),
    N(RLIMIT_, NOFILE),
    N(RLIMIT_, NPROC),
    N(RLIMIT_, RSS),
    N(RLIMIT_, RTPRIO),
    N(RLIMIT_, RTTIME),
    N(RLIMIT_, SIGPENDING),
    N(RLIMIT_, STACK),
    END,
};

const struct l_name l_clock_names[] = {
    N(CLOCK_, REALTIME),          N(CLOCK_, MONOTONIC), N(CLOCK_, PROCESS_CPUTIME_ID),
    N(CLOCK_, THREAD_CPUTIME_ID), N(CLOCK_, BOOTTIME),  END,
};

static const struct l_name other_names[] = {N(RLIM_, INFINITY), END};

static const struct l_name *const families[] = {
    /* ORDER FAMILY */
    l_clone_names,        l_open_names,           l_resolve_names,
    l_at_names,           l_rename_names,         l_mount_names,
    l_umount_names,       l_mount_attr_names,     l_fsopen_names,
    l_fsmount_names,      l_fsconfig_names,       l_open_tree_names,
    l_move_mount_names,   l_wait_names,           l_file_type_names,
    l_seek_names,         l_memfd_names,          l_seal_names,
    l_securebit_names,    l_seccomp_names,        l_landlock_fs_names,
    l_landlock_net_names, l_landlock_scope_names, l_landlock_restrict_names,
    l_rlimit_names,       l_clock_names,          other_names,
};

/* ---- names to numbers */

static const struct l_name *find(const struct l_name *family, const char *name) {
    for (; family->name; family++)
        if (strcasecmp(name, family->name) == 0 ||
            strcasecmp(name, family->name + family->skip) == 0)
            return family;
    return NULL;
}

/* The value of the integer or name at stack index `index`, which belongs to argument `arg`. */
static lua_Integer value_at(lua_State *L, int index, int arg, const struct l_name *family) {
    if (lua_isinteger(L, index))
        return lua_tointeger(L, index);
    if (lua_type(L, index) != LUA_TSTRING)
        luaL_argerror(L, arg, "integer or name expected");
    const char *name = lua_tostring(L, index);
    const struct l_name *found = find(family, name);
    if (!found)
        return luaL_argerror(L, arg,
                             lua_pushfstring(L, "unknown name '%s' (want one like '%s')", name,
                                             family->name + family->skip));
    return found->value;
}

lua_Integer l_checkname(lua_State *L, int arg, const struct l_name *family) {
    return value_at(L, arg, arg, family);
}

lua_Integer l_checkflags(lua_State *L, int arg, const struct l_name *family) {
    if (lua_isnoneornil(L, arg))
        return 0;
    if (!lua_istable(L, arg))
        return value_at(L, arg, arg, family);
    lua_Integer flags = 0;
    lua_Integer count = luaL_len(L, arg);
    for (lua_Integer i = 1; i <= count; i++) {
        lua_geti(L, arg, i);
        flags |= value_at(L, -1, arg, family);
        lua_pop(L, 1);
    }
    return flags;
}

int l_checkintflags(lua_State *L, int arg, const struct l_name *family) {
    lua_Integer flags = l_checkflags(L, arg, family);
    luaL_argcheck(L, flags >= 0 && flags <= UINT_MAX, arg, "flags out of range");
    return (int)(unsigned int)flags;
}

/* The C library knows the names, so no table of ours can be wrong. */
static int signal_number(const char *name) {
    if (strncasecmp(name, "SIG", 3) == 0)
        name += 3;
    for (int i = 1; i < NSIG; i++) {
        const char *abbreviation = sigabbrev_np(i);
        if (abbreviation && strcasecmp(abbreviation, name) == 0)
            return i;
    }
    return -1;
}

int l_checksignal(lua_State *L, int arg) {
    if (lua_isinteger(L, arg))
        return (int)l_checkrange(L, arg, 0, NSIG - 1);
    int number = signal_number(luaL_checkstring(L, arg));
    luaL_argcheck(L, number > 0, arg, "unknown signal");
    return number;
}

/* ---- tables of names */

static void push_signals(lua_State *L) {
    lua_newtable(L);
    for (int i = 1; i < NSIG; i++) {
        const char *name = sigabbrev_np(i);
        if (!name)
            continue;
        lua_pushinteger(L, i);
        lua_setfield(L, -2, name);
    }
}

/* Linux numbers its errors without large holes; 133 is the last today. */
#define ERRNO_END 200

static void push_errno(lua_State *L) {
    lua_createtable(L, 0, ERRNO_END); /* or it would grow, and be hashed again, eight times */
    for (int i = 1; i < ERRNO_END; i++) {
        const char *name = strerrorname_np(i);
        if (!name)
            continue;
        lua_pushinteger(L, i);
        lua_setfield(L, -2, name);
    }
}

static void push_rlimits(lua_State *L) {
    lua_newtable(L);
    for (const struct l_name *row = l_rlimit_names; row->name; row++) {
        lua_pushinteger(L, row->value);
        lua_setfield(L, -2, row->name + row->skip);
    }
}

static const struct {
    const char *name;
    void (*push)(lua_State *L);
} tables[] = {{"signals", push_signals}, {"errno", push_errno}, {"rlimits", push_rlimits}};

static bool push_table(lua_State *L, const char *name) {
    for (size_t i = 0; i < sizeof tables / sizeof tables[0]; i++) {
        if (strcmp(tables[i].name, name) != 0)
            continue;
        tables[i].push(L);
        return true;
    }
    return false;
}

static bool push_constant(lua_State *L, const char *name) {
    for (size_t i = 0; i < sizeof families / sizeof families[0]; i++) {
        for (const struct l_name *row = families[i]; row->name; row++) {
            if (strcmp(row->name, name) != 0)
                continue;
            lua_pushinteger(L, row->value);
            return true;
        }
    }
    return false;
}

/* __index of core.sys: most runs need a handful of the 250 names, so each is made when asked for.
 */
static int l_index(lua_State *L) {
    if (lua_type(L, 2) != LUA_TSTRING)
        return 0;
    const char *name = lua_tostring(L, 2);
    if (!push_constant(L, name) && !push_table(L, name))
        return 0;
    lua_pushvalue(L, 2);
    lua_pushvalue(L, -2);
    lua_rawset(L, 1);
    return 1;
}

static int l_errname(lua_State *L) {
    const char *name = strerrorname_np((int)l_checkrange(L, 1, INT_MIN, INT_MAX));
    lua_pushstring(L, name); /* nil for a number without a name */
    return 1;
}

static int l_signame(lua_State *L) {
    lua_pushstring(L, sigabbrev_np((int)l_checkrange(L, 1, INT_MIN, INT_MAX)));
    return 1;
}

static int l_strerror(lua_State *L) {
    lua_pushstring(L, strerror((int)l_checkrange(L, 1, INT_MIN, INT_MAX)));
    return 1;
}

static const luaL_Reg functions[] = {
    {"errname", l_errname}, {"signame", l_signame}, {"strerror", l_strerror}, {NULL, NULL}};

void l_sys_constants(lua_State *L) {
    luaL_setfuncs(L, functions, 0);
    lua_createtable(L, 0, 1);
    lua_pushcfunction(L, l_index);
    lua_setfield(L, -2, "__index");
    lua_setmetatable(L, -2);
}
