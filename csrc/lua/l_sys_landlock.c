/* Landlock: a process takes access to files, ports and processes away from itself. landlock(7) */
#include "kernel/landlock.h"
#include "l_sys.h"

static int l_landlock_abi(lua_State *L) {
    int abi = k_landlock_abi();
    return l_pushnumber(L, abi, -abi, "landlock_abi");
}

static int l_landlock_create_ruleset(lua_State *L) {
    const struct k_landlock_ruleset denied = {
        .fs = (uint64_t)l_checkflags(L, 1, l_landlock_fs_names),
        .net = (uint64_t)l_checkflags(L, 2, l_landlock_net_names),
        .scope = (uint64_t)l_checkflags(L, 3, l_landlock_scope_names),
    };
    int *fd = l_newfd(L);
    int result = k_landlock_create_ruleset(&denied);
    if (result >= 0)
        *fd = result;
    return l_pushfd(L, fd, -result, "landlock_create_ruleset", NULL);
}

static int l_landlock_add_rule(lua_State *L) {
    int ruleset = l_checkfd(L, 1);
    int beneath = l_checkfd(L, 2);
    lua_Integer access = l_checkflags(L, 3, l_landlock_fs_names);
    int result = k_landlock_allow_path(ruleset, beneath, (uint64_t)access);
    return l_pushresult(L, result, "landlock_add_rule", NULL);
}

static int l_landlock_add_port(lua_State *L) {
    int ruleset = l_checkfd(L, 1);
    lua_Integer port = l_checkrange(L, 2, 0, UINT16_MAX);
    lua_Integer access = l_checkflags(L, 3, l_landlock_net_names);
    int result = k_landlock_allow_port(ruleset, (uint64_t)port, (uint64_t)access);
    return l_pushresult(L, result, "landlock_add_port", NULL);
}

static int l_landlock_restrict_self(lua_State *L) {
    int ruleset = l_checkfd(L, 1);
    int flags = l_checkintflags(L, 2, l_landlock_restrict_names);
    int result = k_landlock_restrict_self(ruleset, (unsigned)flags);
    return l_pushresult(L, result, "landlock_restrict_self", NULL);
}

static const luaL_Reg functions[] = {{"landlock_abi", l_landlock_abi},
                                     {"landlock_create_ruleset", l_landlock_create_ruleset},
                                     {"landlock_add_rule", l_landlock_add_rule},
                                     {"landlock_add_port", l_landlock_add_port},
                                     {"landlock_restrict_self", l_landlock_restrict_self},
                                     {NULL, NULL}};

void l_sys_landlock(lua_State *L) {
    luaL_setfuncs(L, functions, 0);
}
