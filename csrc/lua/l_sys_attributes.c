/* What a file has beside its data: times and extended attributes. Functions take a path or a
 * descriptor. */
#include "l_sys.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/limits.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <time.h>
#include <unistd.h>

/* A path, or a descriptor when that is NULL. */
struct subject {
    const char *path;
    int fd;
};

static struct subject check_subject(lua_State *L, int arg) {
    if (lua_type(L, arg) == LUA_TSTRING)
        return (struct subject){.path = l_checkcstring(L, arg), .fd = -1};
    return (struct subject){.fd = l_checkfd(L, arg)};
}

/* ---- extended attributes */

static int l_getxattr(lua_State *L) {
    struct subject file = check_subject(L, 1);
    const char *name = l_checkcstring(L, 2);
    luaL_Buffer buffer;
    char *value = luaL_buffinitsize(L, &buffer, XATTR_SIZE_MAX);
    ssize_t size = file.path ? getxattr(file.path, name, value, XATTR_SIZE_MAX)
                             : fgetxattr(file.fd, name, value, XATTR_SIZE_MAX);
    if (size < 0)
        return l_pushfail(L, errno, "getxattr", file.path);
    luaL_pushresultsize(&buffer, (size_t)size);
    return 1;
}

static int l_setxattr(lua_State *L) {
    struct subject file = check_subject(L, 1);
    const char *name = l_checkcstring(L, 2);
    size_t size;
    const char *value = luaL_checklstring(L, 3, &size);
    int result = file.path ? setxattr(file.path, name, value, size, 0)
                           : fsetxattr(file.fd, name, value, size, 0);
    return l_pushdone(L, result, errno, "setxattr", file.path);
}

static int l_removexattr(lua_State *L) {
    struct subject file = check_subject(L, 1);
    const char *name = l_checkcstring(L, 2);
    int result = file.path ? removexattr(file.path, name) : fremovexattr(file.fd, name);
    return l_pushdone(L, result, errno, "removexattr", file.path);
}

static int l_listxattr(lua_State *L) {
    struct subject file = check_subject(L, 1);
    char *list = lua_newuserdatauv(L, XATTR_LIST_MAX, 0);
    ssize_t size = file.path ? listxattr(file.path, list, XATTR_LIST_MAX)
                             : flistxattr(file.fd, list, XATTR_LIST_MAX);
    if (size < 0)
        return l_pushfail(L, errno, "listxattr", file.path);
    lua_newtable(L);
    lua_Integer count = 0;
    for (const char *name = list; name < list + size; name += strlen(name) + 1) {
        lua_pushstring(L, name);
        lua_seti(L, -2, ++count);
    }
    return 1;
}

/* ---- times */

#define NANOSECONDS 1000000000

static struct timespec time_at(lua_State *L, int arg) {
    if (lua_isnoneornil(L, arg))
        return (struct timespec){.tv_nsec = UTIME_OMIT};
    lua_Integer time = luaL_checkinteger(L, arg);
    lua_Integer rest = time % NANOSECONDS;
    if (rest < 0)
        rest += NANOSECONDS;
    return (struct timespec){.tv_sec = (time_t)((time - rest) / NANOSECONDS), .tv_nsec = rest};
}

/* utimens(file, atime, mtime, flags, dir) */
static int l_utimens(lua_State *L) {
    struct subject file = check_subject(L, 1);
    const struct timespec times[] = {time_at(L, 2), time_at(L, 3)};
    int flags = l_checkintflags(L, 4, l_at_names);
    int dir = l_optfd(L, 5, AT_FDCWD);
    int result = file.path ? utimensat(dir, file.path, times, flags) : futimens(file.fd, times);
    return l_pushdone(L, result, errno, "utimens", file.path);
}

static const luaL_Reg functions[] = {{"getxattr", l_getxattr},       {"setxattr", l_setxattr},
                                     {"removexattr", l_removexattr}, {"listxattr", l_listxattr},
                                     {"utimens", l_utimens},         {NULL, NULL}};

void l_sys_attributes(lua_State *L) {
    luaL_setfuncs(L, functions, 0);
}
