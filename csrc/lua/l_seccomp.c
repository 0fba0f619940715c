/* core.seccomp: the system calls' names, the programs that ship, what the kernel can do. What a
 * profile means is Lua's business (luactr/security/seccomp.lua). */
#include "core/seccomp.h"
#include "l_util.h"

/* table() -> the text of csrc/syscalls.c */
static int l_table(lua_State *L) {
    size_t size;
    const char *text = lctr_seccomp_table(&size);
    lua_pushlstring(L, text, size);
    return 1;
}

/* builtin(name) -> the program of a profile that ships, nil for another name */
static int l_builtin(lua_State *L) {
    size_t size;
    const void *program = lctr_seccomp_builtin(luaL_checkstring(L, 1), &size);
    if (program)
        lua_pushlstring(L, program, size);
    else
        lua_pushnil(L);
    return 1;
}

/* has_action(SECCOMP_RET_*), has_flags(SECCOMP_FILTER_FLAG_*) -> true, or the triple */
static int l_has_action(lua_State *L) {
    uint32_t action = (uint32_t)luaL_checkinteger(L, 1);
    return l_pushresult(L, lctr_seccomp_has_action(action), "seccomp", NULL);
}

static int l_has_flags(lua_State *L) {
    uint32_t flags = (uint32_t)luaL_checkinteger(L, 1);
    return l_pushresult(L, lctr_seccomp_has_flags(flags), "seccomp", NULL);
}

static const luaL_Reg functions[] = {{"table", l_table},
                                     {"builtin", l_builtin},
                                     {"has_action", l_has_action},
                                     {"has_flags", l_has_flags},
                                     {NULL, NULL}};

int l_open_seccomp(lua_State *L) {
    luaL_newlib(L, functions);
    return 1;
}
