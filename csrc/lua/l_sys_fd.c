/* Descriptors: open, read, write, pipe, dup, memfd and seals. Everything is close-on-exec, but
 * the target of dup2, which exists to be passed to a program. */
#include "l_sys.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/syscall.h>
#include <unistd.h>

/* ---- open */

static const char *const open_keys[] = {"dir", "resolve", NULL};

/* The options of open: where a relative path starts, and openat2's RESOLVE_ flags. */
static int check_open_options(lua_State *L, int arg, struct open_how *how) {
    int dir = AT_FDCWD;
    if (lua_isnoneornil(L, arg))
        return dir;
    l_checkkeys(L, arg, open_keys);
    lua_getfield(L, arg, "dir");
    dir = l_optfd(L, lua_gettop(L), AT_FDCWD);
    lua_getfield(L, arg, "resolve");
    how->resolve = (uint64_t)l_checkflags(L, lua_gettop(L), l_resolve_names);
    lua_pop(L, 2);
    return dir;
}

#define ATTEMPTS 128

/* -1 with EAGAIN is "..", while somebody somewhere renamed or mounted something. */
static int open_resolved(int dir, const char *path, const struct open_how *how) {
    int fd;
    int attempts = ATTEMPTS;
    do
        fd = (int)syscall(SYS_openat2, dir, path, how, sizeof *how);
    while (fd < 0 && (errno == EINTR || (errno == EAGAIN && --attempts)));
    return fd;
}

static int l_open(lua_State *L) {
    const char *path = l_checkcstring(L, 1);
    int flags = l_checkintflags(L, 2, l_open_names) | O_CLOEXEC;
    bool creates = flags & O_CREAT || (flags & O_TMPFILE) == O_TMPFILE;
    mode_t mode = lua_isnoneornil(L, 3) ? 0666 : l_checkmode(L, 3);
    struct open_how how = {
        .flags = (unsigned int)flags,
        .mode = creates ? mode : 0, /* openat2 refuses a mode that means nothing */
    };
    lua_settop(L, 4);
    int dir = check_open_options(L, 4, &how);
    int *fd = l_newfd(L);
    if (how.resolve)
        *fd = open_resolved(dir, path, &how);
    else
        *fd = (int)TEMP_FAILURE_RETRY(openat(dir, path, flags, mode));
    return l_pushfd(L, fd, errno, "open", path);
}

/* Own a descriptor that came as a number: by inheritance, or from another library. */
static int l_adopt(lua_State *L) {
    int number = (int)l_checkrange(L, 1, 0, INT_MAX);
    int *fd = l_newfd(L);
    if (fcntl(number, F_SETFD, FD_CLOEXEC) < 0)
        return l_pushfail(L, errno, "adopt", NULL);
    *fd = number;
    return 1;
}

/* ---- data */

static int l_lseek(lua_State *L) {
    int fd = l_checkfd(L, 1);
    off_t offset = (off_t)luaL_checkinteger(L, 2);
    int whence = lua_isnoneornil(L, 3) ? SEEK_SET : (int)l_checkname(L, 3, l_seek_names);
    off_t result = lseek(fd, offset, whence);
    return l_pushnumber(L, result, errno, "lseek");
}

static int l_ftruncate(lua_State *L) {
    int fd = l_checkfd(L, 1);
    off_t size = (off_t)l_checkrange(L, 2, 0, LUA_MAXINTEGER);
    int result = (int)TEMP_FAILURE_RETRY(ftruncate(fd, size));
    return l_pushdone(L, result, errno, "ftruncate", NULL);
}

/* sendfile(to, from, count): in the kernel, from the offset of one to that of the other */
static int l_sendfile(lua_State *L) {
    int to = l_checkfd(L, 1);
    int from = l_checkfd(L, 2);
    size_t count = (size_t)l_checkrange(L, 3, 0, LUA_MAXINTEGER);
    ssize_t result = TEMP_FAILURE_RETRY(sendfile(to, from, NULL, count));
    return l_pushnumber(L, result, errno, "sendfile");
}

/* ---- descriptors */

static int l_pipe(lua_State *L) {
    int *reader = l_newfd(L);
    int *writer = l_newfd(L);
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) < 0)
        return l_pushfail(L, errno, "pipe", NULL);
    *reader = ends[0];
    *writer = ends[1];
    return 2;
}

static int l_dup(lua_State *L) {
    int from = l_checkfd(L, 1);
    int *fd = l_newfd(L);
    *fd = fcntl(from, F_DUPFD_CLOEXEC, 0);
    return l_pushfd(L, fd, errno, "dup", NULL);
}

static int l_dup2(lua_State *L) {
    int from = l_checkfd(L, 1);
    int number = (int)l_checkrange(L, 2, 0, INT_MAX);
    int result = (int)TEMP_FAILURE_RETRY(dup2(from, number));
    return l_pushnumber(L, result, errno, "dup2");
}

static int l_set_cloexec(lua_State *L) {
    int fd = l_checkfd(L, 1);
    luaL_checktype(L, 2, LUA_TBOOLEAN);
    int result = fcntl(fd, F_SETFD, lua_toboolean(L, 2) ? FD_CLOEXEC : 0);
    return l_pushdone(L, result, errno, "set_cloexec", NULL);
}

/* ---- memfd */

static int l_memfd_create(lua_State *L) {
    const char *name = l_checkcstring(L, 1);
    int flags = l_checkintflags(L, 2, l_memfd_names);
    int *fd = l_newfd(L);
    *fd = memfd_create(name, (unsigned int)flags | MFD_CLOEXEC);
    return l_pushfd(L, fd, errno, "memfd_create", name);
}

static int l_add_seals(lua_State *L) {
    int fd = l_checkfd(L, 1);
    int seals = l_checkintflags(L, 2, l_seal_names);
    int result = fcntl(fd, F_ADD_SEALS, seals);
    return l_pushdone(L, result, errno, "add_seals", NULL);
}

static int l_get_seals(lua_State *L) {
    int result = fcntl(l_checkfd(L, 1), F_GET_SEALS);
    return l_pushnumber(L, result, errno, "get_seals");
}

static const luaL_Reg functions[] = {{"open", l_open},
                                     {"adopt", l_adopt},
                                     {"close", l_fd_close},
                                     {"read", l_fd_read},
                                     {"write", l_fd_write},
                                     {"lseek", l_lseek},
                                     {"ftruncate", l_ftruncate},
                                     {"sendfile", l_sendfile},
                                     {"pipe", l_pipe},
                                     {"dup", l_dup},
                                     {"dup2", l_dup2},
                                     {"set_cloexec", l_set_cloexec},
                                     {"memfd_create", l_memfd_create},
                                     {"add_seals", l_add_seals},
                                     {"get_seals", l_get_seals},
                                     {NULL, NULL}};

void l_sys_fd(lua_State *L) {
    luaL_setfuncs(L, functions, 0);
}
