#include "l_util.h"

#include <string.h>

int l_pushfail(lua_State *L, int error, const char *op, const char *path) {
    luaL_pushfail(L);
    if (path)
        lua_pushfstring(L, "%s %s: %s", op, path, strerror(error));
    else
        lua_pushfstring(L, "%s: %s", op, strerror(error));
    lua_pushinteger(L, error);
    return 3;
}

int l_pushresult(lua_State *L, int result, const char *op, const char *path) {
    if (result < 0)
        return l_pushfail(L, -result, op, path);
    lua_pushboolean(L, 1);
    return 1;
}

void l_newclass(lua_State *L, const char *name, const luaL_Reg *methods, const luaL_Reg *meta) {
    luaL_newmetatable(L, name);
    luaL_setfuncs(L, meta, 0);
    lua_newtable(L);
    luaL_setfuncs(L, methods, 0);
    lua_setfield(L, -2, "__index");
    lua_pop(L, 1);
}
