/* Mounts: the classic calls (mount(2)) and the ones by descriptor (Linux 5.2 and later). */
#include "core/loop.h"
#include "kernel/calls.h"
#include "l_sys.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

/* ---- classic */

static int l_mount(lua_State *L) {
    const char *source = l_optcstring(L, 1);
    const char *target = l_checkcstring(L, 2);
    const char *type = l_optcstring(L, 3);
    unsigned long flags = (unsigned int)l_checkintflags(L, 4, l_mount_names);
    const char *data = l_optcstring(L, 5);
    int result = mount(source, target, type, flags, data);
    return l_pushdone(L, result, errno, "mount", target);
}

static int l_umount(lua_State *L) {
    const char *target = l_checkcstring(L, 1);
    int flags = l_checkintflags(L, 2, l_umount_names);
    int result = umount2(target, flags);
    return l_pushdone(L, result, errno, "umount", target);
}

static int l_pivot_root(lua_State *L) {
    const char *new_root = l_checkcstring(L, 1);
    const char *put_old = l_checkcstring(L, 2);
    return l_pushresult(L, k_pivot_root(new_root, put_old), "pivot_root", new_root);
}

/* ---- a file system context: fsopen, fsconfig, fsmount */

static int l_fsopen(lua_State *L) {
    const char *type = l_checkcstring(L, 1);
    unsigned int flags = (unsigned int)l_checkintflags(L, 2, l_fsopen_names);
    int *fd = l_newfd(L);
    *fd = fsopen(type, flags | FSOPEN_CLOEXEC);
    return l_pushfd(L, fd, errno, "fsopen", type);
}

/* fsconfig's value and number mean something else for each command. */
struct parameter {
    const void *value;
    int aux;
};

static struct parameter check_parameter(lua_State *L, int arg, unsigned int command) {
    struct parameter parameter = {0};
    size_t size;
    switch (command) {
    case FSCONFIG_SET_STRING:
        parameter.value = l_checkcstring(L, arg);
        break;
    case FSCONFIG_SET_BINARY:
        parameter.value = luaL_checklstring(L, arg, &size);
        luaL_argcheck(L, size <= INT32_MAX, arg, "too long");
        parameter.aux = (int)size;
        break;
    case FSCONFIG_SET_PATH:
    case FSCONFIG_SET_PATH_EMPTY:
        parameter.value = l_checkcstring(L, arg);
        parameter.aux = l_optfd(L, arg + 1, AT_FDCWD);
        break;
    case FSCONFIG_SET_FD:
        parameter.aux = l_checkfd(L, arg);
        break;
    default:
        break;
    }
    return parameter;
}

static int l_fsconfig(lua_State *L) {
    int fd = l_checkfd(L, 1);
    unsigned int command = (unsigned int)l_checkname(L, 2, l_fsconfig_names);
    const char *key = l_optcstring(L, 3);
    struct parameter parameter = check_parameter(L, 4, command);
    int result = fsconfig(fd, command, key, parameter.value, parameter.aux);
    return l_pushdone(L, result, errno, "fsconfig", key);
}

static int l_fsmount(lua_State *L) {
    int context = l_checkfd(L, 1);
    unsigned int attributes = (unsigned int)l_checkintflags(L, 2, l_mount_attr_names);
    int *fd = l_newfd(L);
    *fd = fsmount(context, FSMOUNT_CLOEXEC, attributes);
    return l_pushfd(L, fd, errno, "fsmount", NULL);
}

/* ---- mounts by descriptor */

static int l_open_tree(lua_State *L) {
    const char *path = l_checkcstring(L, 1);
    unsigned int flags = (unsigned int)l_checkintflags(L, 2, l_open_tree_names);
    int dir = l_optfd(L, 3, AT_FDCWD);
    int *fd = l_newfd(L);
    *fd = open_tree(dir, path, flags | OPEN_TREE_CLOEXEC);
    return l_pushfd(L, fd, errno, "open_tree", path);
}

static int l_move_mount(lua_State *L) {
    bool from_fd = lua_type(L, 1) != LUA_TSTRING;
    int from_dir = from_fd ? l_checkfd(L, 1) : AT_FDCWD;
    const char *from = from_fd ? "" : l_checkcstring(L, 1);
    const char *to = l_checkcstring(L, 2);
    unsigned int flags = (unsigned int)l_checkintflags(L, 3, l_move_mount_names);
    int to_dir = l_optfd(L, 4, AT_FDCWD);
    if (from_fd)
        flags |= MOVE_MOUNT_F_EMPTY_PATH;
    int result = move_mount(from_dir, from, to_dir, to, flags);
    return l_pushdone(L, result, errno, "move_mount", to);
}

static const char *const attr_keys[] = {"set", "clear", "propagation", "userns", "recursive", NULL};

static uint64_t flags_field(lua_State *L, const char *key, const struct l_name *family) {
    lua_getfield(L, 2, key);
    return (uint64_t)l_checkflags(L, lua_gettop(L), family);
}

/* The attributes table at 2. Leaves its values on the stack. */
static struct mount_attr check_attributes(lua_State *L, bool *recursive) {
    l_checkkeys(L, 2, attr_keys);
    struct mount_attr attributes = {
        .attr_set = flags_field(L, "set", l_mount_attr_names),
        .attr_clr = flags_field(L, "clear", l_mount_attr_names),
        .propagation = flags_field(L, "propagation", l_mount_names),
    };
    if (lua_getfield(L, 2, "userns") != LUA_TNIL) {
        attributes.attr_set |= MOUNT_ATTR_IDMAP;
        attributes.userns_fd = (unsigned int)l_checkfd(L, lua_gettop(L));
    }
    lua_getfield(L, 2, "recursive");
    *recursive = lua_toboolean(L, -1);
    return attributes;
}

static int l_mount_setattr(lua_State *L) {
    bool by_fd = lua_type(L, 1) != LUA_TSTRING;
    int dir = by_fd ? l_checkfd(L, 1) : AT_FDCWD;
    const char *path = by_fd ? "" : l_checkcstring(L, 1);
    bool recursive;
    struct mount_attr attributes = check_attributes(L, &recursive);
    unsigned int flags = (by_fd ? AT_EMPTY_PATH : 0) | (recursive ? AT_RECURSIVE : 0);
    int result = mount_setattr(dir, path, flags, &attributes, sizeof attributes);
    return l_pushdone(L, result, errno, "mount_setattr", by_fd ? NULL : path);
}

/* ---- what is mounted */

/* loop_attach(file) -> the device, its path */
static int l_loop_attach(lua_State *L) {
    char path[LOOP_PATH_MAX];
    int file = l_checkfd(L, 1);
    int *fd = l_newfd(L);
    int result = lctr_loop_attach(file, path, sizeof(path));
    if (result < 0)
        return l_pushfail(L, -result, "loop_attach", NULL);
    *fd = result;
    lua_pushstring(L, path);
    return 2;
}

static const luaL_Reg functions[] = {{"mount", l_mount},
                                     {"umount", l_umount},
                                     {"pivot_root", l_pivot_root},
                                     {"fsopen", l_fsopen},
                                     {"fsconfig", l_fsconfig},
                                     {"fsmount", l_fsmount},
                                     {"open_tree", l_open_tree},
                                     {"move_mount", l_move_mount},
                                     {"mount_setattr", l_mount_setattr},
                                     {"loop_attach", l_loop_attach},
                                     {NULL, NULL}};

void l_sys_mount(lua_State *L) {
    luaL_setfuncs(L, functions, 0);
}
