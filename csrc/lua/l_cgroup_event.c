/* core.cgroup: to be told of what happens in a container's cgroup. Each of these descriptors lives
 * as long as its handle, and no longer than the group. */
#include "core/cgroup_oom.h"
#include "core/cgroup_pressure.h"
#include "l_cgroup.h"

#include <poll.h>

static int push_events(lua_State *L, short events) {
    lua_pushstring(L, events == POLLPRI ? "p" : "r");
    return 2;
}

/* oom_open(group) -> fd, what to poll it for: "r" or "p" */
static int l_oom_open(lua_State *L) {
    struct cgroup *group = l_checkgroup(L, 1);
    int *fd = l_newfd(L);
    int result = lctr_cgroup_oom_open(group);
    if (result < 0)
        return l_pushfail(L, -result, "open", "memory events");
    *fd = result;
    return push_events(L, lctr_cgroup_oom_events(group));
}

/* oom_kills(group, fd) -> how many processes were killed for want of memory; waits anew */
static int l_oom_kills(lua_State *L) {
    int64_t kills = lctr_cgroup_oom_kills(l_checkgroup(L, 1), l_checkfd(L, 2));
    if (kills < 0)
        return l_pushfail(L, (int)-kills, "read", "memory events");
    lua_pushinteger(L, kills);
    return 1;
}

static long check_microseconds(lua_State *L, int arg) {
    lua_Number seconds = luaL_checknumber(L, arg);
    luaL_argcheck(L, seconds > 0 && seconds < 1e6, arg, "out of range");
    return (long)(seconds * 1e6 + 0.5);
}

/* stall_open(group, "cpu" | "memory" | "io", "some" | "full", seconds, window) -> fd, "p" */
static int l_stall_open(lua_State *L) {
    static const char *const resources[] = {"cpu", "memory", "io", NULL}; /* ORDER PRESSURE */
    static const char *const kinds[] = {"some", "full", NULL};
    struct cgroup *group = l_checkgroup(L, 1);
    struct cgroup_trigger trigger = {
        .what = (enum cgroup_pressure_of)luaL_checkoption(L, 2, NULL, resources),
        .full = luaL_checkoption(L, 3, NULL, kinds) == 1,
        .stall_us = check_microseconds(L, 4),
        .window_us = check_microseconds(L, 5),
    };
    int *fd = l_newfd(L);
    int result = lctr_cgroup_stall_open(group, &trigger);
    if (result < 0)
        return l_pushfail(L, -result, "watch", lua_tostring(L, 2));
    *fd = result;
    return push_events(L, POLLPRI);
}

/* level_open(group, "low" | "medium" | "critical") -> fd, "r" */
static int l_level_open(lua_State *L) {
    static const char *const levels[] = {"low", "medium", "critical", NULL};
    struct cgroup *group = l_checkgroup(L, 1);
    const char *level = levels[luaL_checkoption(L, 2, NULL, levels)];
    int *fd = l_newfd(L);
    int result = lctr_cgroup_level_open(group, level);
    if (result < 0)
        return l_pushfail(L, -result, "watch", "memory.pressure_level");
    *fd = result;
    return push_events(L, POLLIN);
}

static const luaL_Reg functions[] = {{"oom_open", l_oom_open},
                                     {"oom_kills", l_oom_kills},
                                     {"stall_open", l_stall_open},
                                     {"level_open", l_level_open},
                                     {NULL, NULL}};

void l_cgroup_event(lua_State *L) {
    luaL_setfuncs(L, functions, 0);
}
