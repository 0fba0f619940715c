/* Landlock: a process takes file access away from itself. landlock(7), Linux 5.13. */
#include "l_sys.h"

#include <errno.h>
#include <linux/landlock.h>
#include <sys/syscall.h>
#include <unistd.h>

static int l_landlock_abi(lua_State *L) {
    long abi = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
    return l_pushnumber(L, abi, errno, "landlock_abi");
}

static int l_landlock_create_ruleset(lua_State *L) {
    struct landlock_ruleset_attr attributes = {
        .handled_access_fs = (uint64_t)l_checkflags(L, 1, l_landlock_fs_names),
    };
    int *fd = l_newfd(L);
    *fd = (int)syscall(SYS_landlock_create_ruleset, &attributes, sizeof attributes, 0);
    return l_pushfd(L, fd, errno, "landlock_create_ruleset", NULL);
}

static int l_landlock_add_rule(lua_State *L) {
    int ruleset = l_checkfd(L, 1);
    struct landlock_path_beneath_attr rule = {
        .parent_fd = l_checkfd(L, 2),
        .allowed_access = (uint64_t)l_checkflags(L, 3, l_landlock_fs_names),
    };
    long result = syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &rule, 0);
    return l_pushdone(L, (int)result, errno, "landlock_add_rule", NULL);
}

static int l_landlock_restrict_self(lua_State *L) {
    long result = syscall(SYS_landlock_restrict_self, l_checkfd(L, 1), 0);
    return l_pushdone(L, (int)result, errno, "landlock_restrict_self", NULL);
}

static const luaL_Reg functions[] = {{"landlock_abi", l_landlock_abi},
                                     {"landlock_create_ruleset", l_landlock_create_ruleset},
                                     {"landlock_add_rule", l_landlock_add_rule},
                                     {"landlock_restrict_self", l_landlock_restrict_self},
                                     {NULL, NULL}};

void l_sys_landlock(lua_State *L) {
    luaL_setfuncs(L, functions, 0);
}
