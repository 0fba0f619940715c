/* What a process may use and what the machine has: limits, CPUs, clocks. */
#include "l_sys.h"

#include <errno.h>
#include <limits.h>
#include <sched.h>
#include <sys/resource.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

/* ---- rlimits */

static int check_resource(lua_State *L, int arg) {
    return (int)l_checkname(L, arg, l_rlimit_names);
}

/* A limit is a number or "unlimited"; RLIM_INFINITY reads as -1 in Lua. */
static rlim_t check_limit(lua_State *L, int arg) {
    if (lua_type(L, arg) == LUA_TSTRING) {
        static const char *const words[] = {"unlimited", NULL};
        luaL_checkoption(L, arg, NULL, words);
        return RLIM_INFINITY;
    }
    return (rlim_t)l_checkrange(L, arg, -1, LUA_MAXINTEGER);
}

static int push_limit(lua_State *L, const struct rlimit *limit) {
    lua_pushinteger(L, (lua_Integer)limit->rlim_cur);
    lua_pushinteger(L, (lua_Integer)limit->rlim_max);
    return 2;
}

static int l_getrlimit(lua_State *L) {
    int resource = check_resource(L, 1);
    struct rlimit limit;
    if (prlimit(0, (enum __rlimit_resource)resource, NULL, &limit) < 0)
        return l_pushfail(L, errno, "getrlimit", NULL);
    return push_limit(L, &limit);
}

static int l_setrlimit(lua_State *L) {
    int resource = check_resource(L, 1);
    struct rlimit limit = {.rlim_cur = check_limit(L, 2)};
    limit.rlim_max = lua_isnoneornil(L, 3) ? limit.rlim_cur : check_limit(L, 3);
    int result = prlimit(0, (enum __rlimit_resource)resource, &limit, NULL);
    return l_pushdone(L, result, errno, "setrlimit", NULL);
}

static int l_prlimit(lua_State *L) {
    pid_t pid = l_optpid(L, 1);
    int resource = check_resource(L, 2);
    bool set = !lua_isnoneornil(L, 3);
    struct rlimit limit = {0};
    if (set) {
        limit.rlim_cur = check_limit(L, 3);
        limit.rlim_max = lua_isnoneornil(L, 4) ? limit.rlim_cur : check_limit(L, 4);
    }
    struct rlimit old;
    if (prlimit(pid, (enum __rlimit_resource)resource, set ? &limit : NULL, &old) < 0)
        return l_pushfail(L, errno, "prlimit", NULL);
    return push_limit(L, &old);
}

/* ---- CPUs */

static int l_sched_setaffinity(lua_State *L) {
    pid_t pid = l_optpid(L, 1);
    luaL_checktype(L, 2, LUA_TTABLE);
    cpu_set_t set;
    CPU_ZERO(&set);
    lua_Integer count = luaL_len(L, 2);
    for (lua_Integer i = 1; i <= count; i++) {
        lua_geti(L, 2, i);
        lua_Integer cpu = lua_tointeger(L, -1);
        luaL_argcheck(L, lua_isinteger(L, -1) && cpu >= 0 && cpu < CPU_SETSIZE, 2,
                      "list of CPU numbers expected");
        CPU_SET((size_t)cpu, &set);
        lua_pop(L, 1);
    }
    int result = sched_setaffinity(pid, sizeof set, &set);
    return l_pushdone(L, result, errno, "sched_setaffinity", NULL);
}

static int l_sched_getaffinity(lua_State *L) {
    cpu_set_t set;
    if (sched_getaffinity(l_optpid(L, 1), sizeof set, &set) < 0)
        return l_pushfail(L, errno, "sched_getaffinity", NULL);
    lua_newtable(L);
    lua_Integer count = 0;
    for (int cpu = 0; cpu < CPU_SETSIZE; cpu++) {
        if (!CPU_ISSET((size_t)cpu, &set))
            continue;
        lua_pushinteger(L, cpu);
        lua_seti(L, -2, ++count);
    }
    return 1;
}

static int l_ncpu(lua_State *L) {
    lua_pushinteger(L, sysconf(_SC_NPROCESSORS_ONLN));
    return 1;
}

/* ---- time */

static int l_clock_gettime(lua_State *L) {
    clockid_t clock =
        lua_isnoneornil(L, 1) ? CLOCK_MONOTONIC : (clockid_t)l_checkname(L, 1, l_clock_names);
    struct timespec time;
    if (clock_gettime(clock, &time) < 0)
        return l_pushfail(L, errno, "clock_gettime", NULL);
    lua_pushnumber(L, (lua_Number)time.tv_sec + (lua_Number)time.tv_nsec / 1e9);
    return 1;
}

#define SECONDS_MAX 1e9

static int l_nanosleep(lua_State *L) {
    lua_Number seconds = luaL_checknumber(L, 1);
    luaL_argcheck(L, seconds >= 0 && seconds <= SECONDS_MAX, 1, "out of range");
    struct timespec left = {.tv_sec = (time_t)seconds};
    left.tv_nsec = (long)((seconds - (double)left.tv_sec) * 1e9);
    int result = (int)TEMP_FAILURE_RETRY(nanosleep(&left, &left)); /* goes on with what is left */
    return l_pushdone(L, result, errno, "nanosleep", NULL);
}

/* ---- the system */

static int l_uname(lua_State *L) {
    struct utsname name;
    if (uname(&name) < 0)
        return l_pushfail(L, errno, "uname", NULL);
    const struct {
        const char *key;
        const char *value;
    } rows[] = {{"sysname", name.sysname}, {"nodename", name.nodename},
                {"release", name.release}, {"version", name.version},
                {"machine", name.machine}, {"domainname", name.domainname}};
    lua_createtable(L, 0, sizeof rows / sizeof rows[0]);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        lua_pushstring(L, rows[i].value);
        lua_setfield(L, -2, rows[i].key);
    }
    return 1;
}

static const luaL_Reg functions[] = {{"getrlimit", l_getrlimit},
                                     {"setrlimit", l_setrlimit},
                                     {"prlimit", l_prlimit},
                                     {"sched_setaffinity", l_sched_setaffinity},
                                     {"sched_getaffinity", l_sched_getaffinity},
                                     {"ncpu", l_ncpu},
                                     {"clock_gettime", l_clock_gettime},
                                     {"nanosleep", l_nanosleep},
                                     {"uname", l_uname},
                                     {NULL, NULL}};

void l_sys_resource(lua_State *L) {
    luaL_setfuncs(L, functions, 0);
}
