/* core.sys: joins the l_sys_*.c files, and holds the argument checks that they share. */
#include "l_sys.h"

#include <limits.h>
#include <string.h>

const char *l_checkcstring(lua_State *L, int arg) {
    size_t length;
    const char *string = luaL_checklstring(L, arg, &length);
    luaL_argcheck(L, strlen(string) == length, arg, "string contains a zero byte");
    return string;
}

const char *l_optcstring(lua_State *L, int arg) {
    return lua_isnoneornil(L, arg) ? NULL : l_checkcstring(L, arg);
}

lua_Integer l_checkrange(lua_State *L, int arg, lua_Integer low, lua_Integer high) {
    lua_Integer value = luaL_checkinteger(L, arg);
    luaL_argcheck(L, value >= low && value <= high, arg, "out of range");
    return value;
}

mode_t l_checkmode(lua_State *L, int arg) {
    lua_Integer mode = 0;
    if (lua_type(L, arg) == LUA_TSTRING) {
        const char *digits = lua_tostring(L, arg);
        luaL_argcheck(L, *digits && strspn(digits, "01234567") == strlen(digits), arg,
                      "octal digits expected");
        for (; *digits && mode <= 0177777; digits++)
            mode = mode * 8 + (*digits - '0');
    } else {
        mode = luaL_checkinteger(L, arg);
    }
    luaL_argcheck(L, mode >= 0 && mode <= 0177777, arg, "not a file mode");
    return (mode_t)mode;
}

uint32_t l_optid(lua_State *L, int arg) {
    if (lua_isnoneornil(L, arg))
        return (uint32_t)-1;
    return (uint32_t)l_checkrange(L, arg, 0, UINT32_MAX - 1);
}

static bool is_known(const char *key, const char *const *known) {
    for (; *known; known++)
        if (strcmp(key, *known) == 0)
            return true;
    return false;
}

void l_checkkeys(lua_State *L, int arg, const char *const *known) {
    luaL_checktype(L, arg, LUA_TTABLE);
    lua_pushnil(L);
    while (lua_next(L, arg)) {
        lua_pop(L, 1);
        if (lua_type(L, -1) != LUA_TSTRING || !is_known(lua_tostring(L, -1), known))
            luaL_argerror(L, arg,
                          lua_pushfstring(L, "unknown key '%s'", luaL_tolstring(L, -1, NULL)));
    }
}

int l_pushdone(lua_State *L, int result, int error, const char *op, const char *path) {
    return l_pushresult(L, result < 0 ? -error : 0, op, path);
}

int l_pushnumber(lua_State *L, lua_Integer result, int error, const char *op) {
    if (result < 0)
        return l_pushfail(L, error, op, NULL);
    lua_pushinteger(L, result);
    return 1;
}

int l_pushfd(lua_State *L, const int *fd, int error, const char *op, const char *path) {
    return *fd < 0 ? l_pushfail(L, error, op, path) : 1;
}

static void (*const parts[])(lua_State *L) = {
    /* ORDER SYS */
    l_sys_constants, l_sys_fd,       l_sys_file,     l_sys_mount,
    l_sys_namespace, l_sys_process,  l_sys_clone,    l_sys_resource,
    l_sys_ids,       l_sys_security, l_sys_landlock, l_sys_capability,
    l_sys_terminal,  l_sys_quota,    l_sys_probe,    l_sys_attributes,
};

int l_open_sys(lua_State *L) {
    lua_newtable(L);
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++)
        parts[i](L);
    return 1;
}
