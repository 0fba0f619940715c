/* fd handles: the only form in which Lua holds a descriptor that luactr opened. */
#include "l_util.h"

#include <errno.h>
#include <unistd.h>

#define FD_CLASS "luactr.fd"

int *l_newfd(lua_State *L) {
    int *fd = lua_newuserdatauv(L, sizeof *fd, 0);
    *fd = -1;
    luaL_setmetatable(L, FD_CLASS);
    return fd;
}

int l_checkfd(lua_State *L, int arg) {
    if (lua_isinteger(L, arg)) {
        lua_Integer fd = lua_tointeger(L, arg);
        luaL_argcheck(L, fd >= 0 && fd <= 0x7fffffff, arg, "not a file descriptor");
        return (int)fd;
    }
    luaL_Stream *stream = luaL_testudata(L, arg, LUA_FILEHANDLE);
    if (stream) {
        luaL_argcheck(L, stream->closef, arg, "closed file");
        return fileno(stream->f);
    }
    int fd = *(int *)luaL_checkudata(L, arg, FD_CLASS);
    luaL_argcheck(L, fd >= 0, arg, "closed file descriptor");
    return fd;
}

int l_optfd(lua_State *L, int arg, int otherwise) {
    return lua_isnoneornil(L, arg) ? otherwise : l_checkfd(L, arg);
}

static int l_close(lua_State *L) {
    int *fd = luaL_checkudata(L, 1, FD_CLASS);
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
    return 0;
}

int l_fd_close(lua_State *L) {
    if (!lua_isinteger(L, 1))
        return l_close(L);
    int result = close(l_checkfd(L, 1));
    return l_pushresult(L, result < 0 ? -errno : 0, "close", NULL);
}

#define READ_DEFAULT 4096
#define READ_MAX     (1 << 30)

int l_fd_read(lua_State *L) {
    int fd = l_checkfd(L, 1);
    lua_Integer count = luaL_optinteger(L, 2, READ_DEFAULT);
    luaL_argcheck(L, count > 0 && count <= READ_MAX, 2, "out of range");
    luaL_Buffer buffer;
    char *data = luaL_buffinitsize(L, &buffer, (size_t)count);
    ssize_t length = TEMP_FAILURE_RETRY(read(fd, data, (size_t)count));
    if (length < 0)
        return l_pushfail(L, errno, "read", NULL);
    luaL_pushresultsize(&buffer, (size_t)length);
    return 1;
}

int l_fd_write(lua_State *L) {
    int fd = l_checkfd(L, 1);
    size_t size;
    const char *data = luaL_checklstring(L, 2, &size);
    ssize_t length = TEMP_FAILURE_RETRY(write(fd, data, size));
    if (length < 0)
        return l_pushfail(L, errno, "write", NULL);
    lua_pushinteger(L, length);
    return 1;
}

static int l_fileno(lua_State *L) {
    lua_pushinteger(L, l_checkfd(L, 1));
    return 1;
}

static int l_tostring(lua_State *L) {
    int fd = *(int *)luaL_checkudata(L, 1, FD_CLASS);
    if (fd < 0)
        lua_pushliteral(L, "fd (closed)");
    else
        lua_pushfstring(L, "fd %d", fd);
    return 1;
}

static const luaL_Reg methods[] = {{"close", l_close},
                                   {"fileno", l_fileno},
                                   {"read", l_fd_read},
                                   {"write", l_fd_write},
                                   {NULL, NULL}};

static const luaL_Reg meta[] = {
    {"__gc", l_close}, {"__close", l_close}, {"__tostring", l_tostring}, {NULL, NULL}};

int l_open_fd(lua_State *L) {
    l_newclass(L, FD_CLASS, methods, meta);
    return 0;
}
