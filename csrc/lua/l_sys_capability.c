/* Capabilities by name: the process's sets, the bounding set, the ambient set. capabilities(7). */
#include "core/capability.h"
#include "l_sys.h"

/* ---- names and masks */

/* Push a name's problem and return false, or add its bit to *mask. */
static bool add_name(lua_State *L, int index, uint64_t *mask) {
    const char *name = lua_tostring(L, index);
    int number = lctr_capability_number(name);
    if (number < 0 || number > 63)
        return false;
    *mask |= UINT64_C(1) << number;
    return true;
}

static int l_cap_mask(lua_State *L) {
    luaL_checktype(L, 1, LUA_TTABLE);
    uint64_t mask = 0;
    lua_Integer count = luaL_len(L, 1);
    for (lua_Integer i = 1; i <= count; i++) {
        if (lua_geti(L, 1, i) != LUA_TSTRING)
            return luaL_argerror(L, 1, "list of capability names expected");
        if (!add_name(L, -1, &mask)) {
            luaL_pushfail(L);
            lua_insert(L, -2);
            return 2;
        }
        lua_pop(L, 1);
    }
    lua_pushinteger(L, (lua_Integer)mask);
    return 1;
}

static void push_names(lua_State *L, uint64_t mask) {
    lua_newtable(L);
    lua_Integer count = 0;
    for (unsigned int i = 0; i < 64; i++) {
        if (!(mask >> i & 1))
            continue;
        char name[LCTR_CAPABILITY_NAME_MAX];
        lctr_capability_name(i, name);
        lua_pushstring(L, name);
        lua_seti(L, -2, ++count);
    }
}

static int l_cap_names(lua_State *L) {
    push_names(L, (uint64_t)luaL_checkinteger(L, 1));
    return 1;
}

static int l_last_cap(lua_State *L) {
    lua_pushinteger(L, lctr_capability_last());
    return 1;
}

/* The set at stack index `index` of argument `arg`: a mask, or a list of names. */
static uint64_t check_set(lua_State *L, int index, int arg) {
    if (lua_isinteger(L, index))
        return (uint64_t)lua_tointeger(L, index);
    if (!lua_istable(L, index))
        luaL_argerror(L, arg, "mask or list of capability names expected");
    uint64_t mask = 0;
    lua_Integer count = luaL_len(L, index);
    for (lua_Integer i = 1; i <= count; i++) {
        if (lua_geti(L, index, i) != LUA_TSTRING)
            luaL_argerror(L, arg, "list of capability names expected");
        if (!add_name(L, -1, &mask))
            luaL_argerror(L, arg,
                          lua_pushfstring(L, "unknown capability '%s'", lua_tostring(L, -1)));
        lua_pop(L, 1);
    }
    return mask;
}

/* ---- the sets */

static const char *const set_names[] = {"effective", "permitted", "inheritable", NULL};

static void push_mask(lua_State *L, uint64_t mask) {
    lua_pushinteger(L, (lua_Integer)mask);
}

static int get_sets(lua_State *L, void (*push)(lua_State *L, uint64_t mask)) {
    pid_t pid = l_optpid(L, 1);
    struct capability_sets sets;
    int result = lctr_capability_get(pid, &sets);
    if (result < 0)
        return l_pushfail(L, -result, "capget", NULL);
    const uint64_t masks[] = {sets.effective, sets.permitted, sets.inheritable};
    lua_createtable(L, 0, 3);
    for (int i = 0; set_names[i]; i++) {
        push(L, masks[i]);
        lua_setfield(L, -2, set_names[i]);
    }
    return 1;
}

static int l_capget(lua_State *L) {
    return get_sets(L, push_names);
}

static int l_cap_masks(lua_State *L) {
    return get_sets(L, push_mask);
}

static int l_capset(lua_State *L) {
    l_checkkeys(L, 1, set_names);
    struct capability_sets sets;
    int result = lctr_capability_get(0, &sets);
    uint64_t *const masks[] = {&sets.effective, &sets.permitted, &sets.inheritable};
    for (int i = 0; set_names[i]; i++) {
        if (lua_getfield(L, 1, set_names[i]) != LUA_TNIL)
            *masks[i] = check_set(L, -1, 1);
        lua_settop(L, 1);
    }
    if (result == 0)
        result = lctr_capability_set(&sets);
    return l_pushresult(L, result, "capset", NULL);
}

static int l_capbset_drop(lua_State *L) {
    uint64_t mask = check_set(L, 1, 1);
    return l_pushresult(L, lctr_capability_drop(mask), "capbset_drop", NULL);
}

static int l_cap_ambient(lua_State *L) {
    uint64_t mask = check_set(L, 1, 1);
    return l_pushresult(L, lctr_capability_set_ambient(mask), "cap_ambient", NULL);
}

static int push_read(lua_State *L, int result, uint64_t mask, const char *op) {
    if (result < 0)
        return l_pushfail(L, -result, op, NULL);
    push_names(L, mask);
    return 1;
}

static int l_get_capbset(lua_State *L) {
    uint64_t mask = 0;
    int result = lctr_capability_bounding(&mask);
    return push_read(L, result, mask, "get_capbset");
}

static int l_get_cap_ambient(lua_State *L) {
    uint64_t mask = 0;
    int result = lctr_capability_ambient(&mask);
    return push_read(L, result, mask, "get_cap_ambient");
}

static const luaL_Reg functions[] = {{"cap_mask", l_cap_mask},
                                     {"cap_names", l_cap_names},
                                     {"last_cap", l_last_cap},
                                     {"capget", l_capget},
                                     {"cap_masks", l_cap_masks},
                                     {"capset", l_capset},
                                     {"capbset_drop", l_capbset_drop},
                                     {"get_capbset", l_get_capbset},
                                     {"cap_ambient", l_cap_ambient},
                                     {"get_cap_ambient", l_get_cap_ambient},
                                     {NULL, NULL}};

void l_sys_capability(lua_State *L) {
    luaL_setfuncs(L, functions, 0);
}
