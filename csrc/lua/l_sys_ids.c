/* Users and groups. credentials(7). The raw system calls are per thread; luactr has one. */
#include "l_sys.h"

#include <errno.h>
#include <grp.h>
#include <sys/fsuid.h>
#include <unistd.h>

/* The id of argument `arg`, which must be there. */
static uint32_t check_id(lua_State *L, int arg) {
    luaL_checkinteger(L, arg);
    return l_optid(L, arg);
}

static int l_getuid(lua_State *L) {
    lua_pushinteger(L, getuid());
    return 1;
}

static int l_geteuid(lua_State *L) {
    lua_pushinteger(L, geteuid());
    return 1;
}

static int l_getgid(lua_State *L) {
    lua_pushinteger(L, getgid());
    return 1;
}

static int l_getegid(lua_State *L) {
    lua_pushinteger(L, getegid());
    return 1;
}

static int push_three(lua_State *L, const uint32_t id[3]) {
    for (int i = 0; i < 3; i++)
        lua_pushinteger(L, id[i]);
    return 3;
}

static int l_getresuid(lua_State *L) {
    uint32_t id[3];
    if (getresuid(&id[0], &id[1], &id[2]) < 0)
        return l_pushfail(L, errno, "getresuid", NULL);
    return push_three(L, id);
}

static int l_getresgid(lua_State *L) {
    uint32_t id[3];
    if (getresgid(&id[0], &id[1], &id[2]) < 0)
        return l_pushfail(L, errno, "getresgid", NULL);
    return push_three(L, id);
}

static int l_setuid(lua_State *L) {
    int result = setuid(check_id(L, 1));
    return l_pushdone(L, result, errno, "setuid", NULL);
}

static int l_setgid(lua_State *L) {
    int result = setgid(check_id(L, 1));
    return l_pushdone(L, result, errno, "setgid", NULL);
}

static int l_setresuid(lua_State *L) {
    uid_t real = l_optid(L, 1);
    uid_t effective = l_optid(L, 2);
    uid_t saved = l_optid(L, 3);
    int result = setresuid(real, effective, saved);
    return l_pushdone(L, result, errno, "setresuid", NULL);
}

static int l_setresgid(lua_State *L) {
    gid_t real = l_optid(L, 1);
    gid_t effective = l_optid(L, 2);
    gid_t saved = l_optid(L, 3);
    int result = setresgid(real, effective, saved);
    return l_pushdone(L, result, errno, "setresgid", NULL);
}

/* The calls tell the id from before, and whether they did anything only when asked again. */
static int l_setfsuid(lua_State *L) {
    uid_t uid = check_id(L, 1);
    uid_t before = (uid_t)setfsuid(uid);
    if ((uid_t)setfsuid((uid_t)-1) != uid)
        return l_pushfail(L, EPERM, "setfsuid", NULL);
    lua_pushinteger(L, before);
    return 1;
}

static int l_setfsgid(lua_State *L) {
    gid_t gid = check_id(L, 1);
    gid_t before = (gid_t)setfsgid(gid);
    if ((gid_t)setfsgid((gid_t)-1) != gid)
        return l_pushfail(L, EPERM, "setfsgid", NULL);
    lua_pushinteger(L, before);
    return 1;
}

static int l_setgroups(lua_State *L) {
    luaL_checktype(L, 1, LUA_TTABLE);
    lua_settop(L, 1);
    lua_Unsigned count = lua_rawlen(L, 1);
    gid_t *groups = lua_newuserdatauv(L, (count + 1) * sizeof *groups, 0);
    for (lua_Unsigned i = 0; i < count; i++) {
        lua_rawgeti(L, 1, (lua_Integer)i + 1);
        luaL_argcheck(L, lua_isinteger(L, -1), 1, "list of group ids expected");
        groups[i] = check_id(L, lua_gettop(L));
        lua_pop(L, 1);
    }
    int result = setgroups(count, groups);
    return l_pushdone(L, result, errno, "setgroups", NULL);
}

static int l_getgroups(lua_State *L) {
    int count = getgroups(0, NULL);
    if (count < 0)
        return l_pushfail(L, errno, "getgroups", NULL);
    gid_t *groups = lua_newuserdatauv(L, ((size_t)count + 1) * sizeof *groups, 0);
    count = getgroups(count, groups);
    if (count < 0)
        return l_pushfail(L, errno, "getgroups", NULL);
    lua_createtable(L, count, 0);
    for (int i = 0; i < count; i++) {
        lua_pushinteger(L, groups[i]);
        lua_seti(L, -2, i + 1);
    }
    return 1;
}

static const luaL_Reg functions[] = {
    {"getuid", l_getuid},       {"geteuid", l_geteuid},     {"getgid", l_getgid},
    {"getegid", l_getegid},     {"getresuid", l_getresuid}, {"getresgid", l_getresgid},
    {"setuid", l_setuid},       {"setgid", l_setgid},       {"setresuid", l_setresuid},
    {"setresgid", l_setresgid}, {"setfsuid", l_setfsuid},   {"setfsgid", l_setfsgid},
    {"setgroups", l_setgroups}, {"getgroups", l_getgroups}, {NULL, NULL}};

void l_sys_ids(lua_State *L) {
    luaL_setfuncs(L, functions, 0);
}
