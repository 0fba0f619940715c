/* fd handles: the only form in which Lua holds a descriptor that luactr opened. */
#include "l_util.h"

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

static const luaL_Reg methods[] = {{"close", l_close}, {"fileno", l_fileno}, {NULL, NULL}};

static const luaL_Reg meta[] = {
    {"__gc", l_close}, {"__close", l_close}, {"__tostring", l_tostring}, {NULL, NULL}};

int l_open_fd(lua_State *L) {
    l_newclass(L, FD_CLASS, methods, meta);
    return 0;
}
