/* core.regex: extended regular expressions of POSIX, regex(7), as other runtimes take them. */
#include "l_util.h"

#include <regex.h>
#include <stdbool.h>

#define CLASS   "luactr.regex"
#define MESSAGE 256

struct handle {
    bool open;
    regex_t compiled;
};

/* new(pattern) -> regex; nil and what is wrong with it */
static int l_new(lua_State *L) {
    const char *pattern = luaL_checkstring(L, 1);
    struct handle *handle = lua_newuserdatauv(L, sizeof *handle, 0);
    handle->open = false;
    luaL_setmetatable(L, CLASS);
    int result = regcomp(&handle->compiled, pattern, REG_EXTENDED | REG_NOSUB);
    if (result == 0) {
        handle->open = true;
        return 1;
    }
    char text[MESSAGE];
    regerror(result, &handle->compiled, text, sizeof text);
    lua_pushnil(L);
    lua_pushstring(L, text);
    return 2;
}

/* fits(text) -> whether it is somewhere in the text */
static int l_fits(lua_State *L) {
    struct handle *handle = luaL_checkudata(L, 1, CLASS);
    const char *text = luaL_checkstring(L, 2);
    luaL_argcheck(L, handle->open, 1, "closed regex");
    lua_pushboolean(L, regexec(&handle->compiled, text, 0, NULL, 0) == 0);
    return 1;
}

static int l_close(lua_State *L) {
    struct handle *handle = luaL_checkudata(L, 1, CLASS);
    if (handle->open)
        regfree(&handle->compiled);
    handle->open = false;
    return 0;
}

static const luaL_Reg methods[] = {{"fits", l_fits}, {"close", l_close}, {NULL, NULL}};

static const luaL_Reg meta[] = {{"__gc", l_close}, {"__close", l_close}, {NULL, NULL}};

static const luaL_Reg functions[] = {{"new", l_new}, {NULL, NULL}};

int l_open_regex(lua_State *L) {
    l_newclass(L, CLASS, methods, meta);
    luaL_newlib(L, functions);
    return 1;
}
