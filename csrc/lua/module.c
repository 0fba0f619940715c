/* luactr.core: joins the tables of the l_<concern>.c files. Private to luactr's own Lua files. */
#include "l_util.h"

#include <stddef.h>

/* Functions of a concern with a name go into core.<name>; without one into core itself. */
struct concern {
    const char *name;
    lua_CFunction open; /* pushes its table and returns 1, or only registers and returns 0 */
};

static const struct concern concerns[] = {
    /* ORDER CONCERN */
    {NULL, l_open_fd},           {"sys", l_open_sys},         {"plan", l_open_plan},
    {NULL, l_open_spawn},        {"monitor", l_open_monitor}, {"supervise", l_open_supervise},
    {"seccomp", l_open_seccomp}, {"notify", l_open_notify},   {"cgroup", l_open_cgroup},
    {"archive", l_open_archive}, {"digest", l_open_digest},   {"pump", l_open_pump},
    {"gate", l_open_gate},       {"systemd", l_open_systemd}, {"regex", l_open_regex},
    {"netdev", l_open_netdev},
};

static void merge(lua_State *L, int into) {
    lua_pushnil(L);
    while (lua_next(L, -2)) {
        lua_pushvalue(L, -2);
        lua_insert(L, -2);
        lua_settable(L, into);
    }
    lua_pop(L, 1);
}

int luaopen_luactr_core(lua_State *L);

__attribute__((visibility("default"))) int luaopen_luactr_core(lua_State *L) {
    lua_newtable(L);
    int core = lua_gettop(L);
    for (size_t i = 0; i < sizeof concerns / sizeof concerns[0]; i++) {
        if (!concerns[i].open(L))
            continue;
        if (concerns[i].name)
            lua_setfield(L, core, concerns[i].name);
        else
            merge(L, core);
    }
    lua_pushliteral(L, LUACTR_VERSION);
    lua_setfield(L, core, "version");
    lua_pushliteral(L, LUACTR_OCI_RECIPES);
    lua_setfield(L, core, "oci_recipes");
    return 1;
}
