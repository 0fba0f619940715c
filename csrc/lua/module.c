/* luactr.core: joins the tables of the l_<concern>.c files. Private to luactr's own Lua files. */
#include "l_util.h"

#include <stddef.h>
#include <string.h>

/* Functions of a concern with a name go into core.<name>; without one into core itself, at once. */
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
    {"netdev", l_open_netdev},   {"json", l_open_json},
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

/* __index of core: a concern is opened when it is asked for, since a start wants half of them. */
static int l_index(lua_State *L) {
    const char *name = lua_tostring(L, 2);
    for (size_t i = 0; i < sizeof concerns / sizeof concerns[0]; i++) {
        if (!name || !concerns[i].name || strcmp(concerns[i].name, name) != 0)
            continue;
        concerns[i].open(L);
        lua_pushvalue(L, -1);
        lua_setfield(L, 1, name);
        return 1;
    }
    return 0;
}

static void open_nameless(lua_State *L, int core) {
    for (size_t i = 0; i < sizeof concerns / sizeof concerns[0]; i++)
        if (!concerns[i].name && concerns[i].open(L))
            merge(L, core);
}

int luaopen_luactr_core(lua_State *L);

__attribute__((visibility("default"))) int luaopen_luactr_core(lua_State *L) {
    lua_newtable(L);
    int core = lua_gettop(L);
    open_nameless(L, core);
    lua_createtable(L, 0, 1);
    lua_pushcfunction(L, l_index);
    lua_setfield(L, -2, "__index");
    lua_setmetatable(L, core);
    lua_pushliteral(L, LUACTR_VERSION);
    lua_setfield(L, core, "version");
    lua_pushliteral(L, LUACTR_OCI_RECIPES);
    lua_setfield(L, core, "oci_recipes");
    return 1;
}
