/* core.monitor: a plan becomes a container with a monitor of its own; the handle follows the start.
 */
#include "core/monitor.h"

#include "core/attach.h"
#include "core/events.h"
#include "core/round.h"

#include "l_cgroup.h"
#include "l_spawn.h"
#include "l_util.h"

#include <errno.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/socket.h>

#define CLASS "luactr.monitor"

static struct lctr_monitor *check(lua_State *L) {
    return luaL_checkudata(L, 1, CLASS);
}

static struct lctr_monitor *check_open(lua_State *L) {
    struct lctr_monitor *monitor = check(L);
    luaL_argcheck(L, monitor->socket >= 0, 1, "closed monitor");
    return monitor;
}

/* ---- start{ as spawn, name =, group =, state =, streams =, held =, limits =, log =, freezer =,
 * again = } */

#define OPTIONS 1

#define NO_LIMIT     (-1)
#define MICROSECONDS 1e6

static int64_t number_field(lua_State *L, int table, const char *name, double scale) {
    int64_t value = NO_LIMIT;
    if (lua_getfield(L, table, name) != LUA_TNIL)
        value = lctr_round_up(luaL_checknumber(L, -1) * scale);
    lua_pop(L, 1);
    return value;
}

static void read_limits(lua_State *L, struct monitor_job *job) {
    luaL_argcheck(L, lua_getfield(L, OPTIONS, "limits") == LUA_TTABLE, OPTIONS, "limits expected");
    int limits = lua_gettop(L);
    job->wall_us = number_field(L, limits, "wall_time", MICROSECONDS);
    job->cpu_us = number_field(L, limits, "cpu_time", MICROSECONDS);
    job->output = number_field(L, limits, "output", 1);
    luaL_argcheck(L, lua_getfield(L, OPTIONS, "log") == LUA_TTABLE, OPTIONS, "log expected");
    int log = lua_gettop(L);
    job->log_size = (uint64_t)l_integerfield(L, log, "size", 0);
    job->log_files = (uint32_t)l_integerfield(L, log, "files", 1);
    luaL_argcheck(L, job->log_size > 0 && job->log_files > 0, OPTIONS, "log: out of range");
    lua_pop(L, 2);
}

static void read_cgroup(lua_State *L, struct monitor_job *job) {
    size_t length = 0;
    if (lua_getfield(L, OPTIONS, "group") != LUA_TNIL)
        job->group = *l_checkgroup(L, lua_gettop(L));
    lua_getfield(L, OPTIONS, "freezer");
    const char *freezer = luaL_optlstring(L, -1, "", &length);
    luaL_argcheck(L, length < sizeof job->freezer, OPTIONS, "freezer: too long");
    memcpy(job->freezer, freezer, length);
    lua_pop(L, 2);
}

static void read_streams(lua_State *L, struct lctr_monitor_start *start) {
    static const char *const names[] = {"stdout", "stderr", "stdin",
                                        "news"}; /* enum monitor_stream */
    luaL_argcheck(L, lua_getfield(L, OPTIONS, "streams") == LUA_TTABLE, OPTIONS, "streams");
    for (int i = 0; i < MONITOR_STREAMS; i++) {
        lua_getfield(L, -1, names[i]);
        start->streams[i] = l_optfd(L, lua_gettop(L), -1);
        lua_pop(L, 1);
    }
    lua_getfield(L, OPTIONS, "state");
    start->state = l_checkfd(L, lua_gettop(L));
    lua_pop(L, 2);
}

static void read_text(lua_State *L, int table, const char *name, char *text, size_t size) {
    size_t length;
    lua_getfield(L, table, name);
    const char *given = luaL_optlstring(L, -1, "", &length);
    luaL_argcheck(L, length < size, OPTIONS, "again: too long");
    memcpy(text, given, length);
    lua_pop(L, 1);
}

/* again = { policy =, most =, rewound = slot, copied = slots, setgroups =, uid_map =, gid_map = }
 */
static void read_again(lua_State *L, struct monitor_again *again) {
    again->rewound = MONITOR_NO_SLOT;
    if (lua_getfield(L, OPTIONS, "again") == LUA_TTABLE) {
        int table = lua_gettop(L);
        again->policy = (uint32_t)l_integerfield(L, table, "policy", RESTART_NO);
        again->most = (uint32_t)l_integerfield(L, table, "most", 0);
        again->rewound = (int32_t)l_integerfield(L, table, "rewound", MONITOR_NO_SLOT + 1) - 1;
        read_text(L, table, "setgroups", again->setgroups, sizeof again->setgroups);
        read_text(L, table, "uid_map", again->uid_map, sizeof again->uid_map);
        read_text(L, table, "gid_map", again->gid_map, sizeof again->gid_map);
        lua_getfield(L, table, "copied");
        for (lua_Integer i = 1; lua_rawgeti(L, -1, i) != LUA_TNIL; i++, lua_pop(L, 1)) {
            lua_Integer slot = luaL_checkinteger(L, -1);
            luaL_argcheck(L, slot >= 1 && slot <= PLAN_MAX_SLOTS, OPTIONS, "again: slot");
            again->copied[slot - 1] = 1;
        }
        lua_pop(L, 2);
    }
    lua_pop(L, 1);
}

/* Leaves the list of numbers on the stack. */
static void read_held(lua_State *L, struct lctr_monitor_start *start) {
    luaL_argcheck(L, lua_getfield(L, OPTIONS, "held") == LUA_TTABLE, OPTIONS, "held expected");
    int list = lua_gettop(L);
    size_t count = lua_rawlen(L, list);
    int *fds = lua_newuserdatauv(L, (count + 1) * sizeof *fds, 0);
    for (size_t i = 0; i < count; i++) {
        lua_rawgeti(L, list, (lua_Integer)i + 1);
        fds[i] = l_checkfd(L, lua_gettop(L));
        lua_pop(L, 1);
    }
    start->held = fds;
    start->held_count = count;
}

/* -> handle | nil, message, errno, what could not be done */
static int l_start(lua_State *L) {
    int fds[PLAN_MAX_SLOTS];
    char what[32];
    struct lctr_launch launch = {0};
    luaL_checktype(L, OPTIONS, LUA_TTABLE);
    lua_settop(L, OPTIONS);
    struct monitor_job *job = lua_newuserdatauv(L, sizeof *job, 0);
    memset(job, 0, sizeof *job);
    lua_getfield(L, OPTIONS, "name");
    struct lctr_monitor_start start = {
        .job = job, .launch = &launch, .name = luaL_checkstring(L, -1)};
    l_readlaunch(L, &launch, fds);
    read_limits(L, job);
    read_cgroup(L, job);
    read_again(L, &job->again);
    read_streams(L, &start);
    read_held(L, &start);
    struct lctr_monitor *monitor = lua_newuserdatauv(L, sizeof *monitor, 0);
    lctr_monitor_init(monitor);
    luaL_setmetatable(L, CLASS);
    int error = lctr_monitor_start(monitor, &start, what);
    if (!error)
        return 1;
    l_pushfail(L, -error, what, NULL);
    lua_pushstring(L, what);
    return 4;
}

/* ---- methods */

static int l_pid(lua_State *L) {
    lua_pushinteger(L, check_open(L)->seen.pid);
    return 1;
}

/* monitor_pid() -> the monitor's own */
static int l_monitor_pid(lua_State *L) {
    lua_pushinteger(L, check_open(L)->pid);
    return 1;
}

static int l_launch(lua_State *L) {
    struct lctr_monitor *monitor = check_open(L);
    struct lctr_event event;
    int *fd = l_newfd(L);
    int error = lctr_monitor_launch(monitor, &event);
    if (error)
        return l_pushfail(L, -error, "launch", NULL);
    *fd = event.fd;
    return l_pushevent(L, &event);
}

static int l_answer(lua_State *L) {
    struct lctr_monitor *monitor = check_open(L);
    lua_Integer number = luaL_checkinteger(L, 2);
    return l_pushresult(L, lctr_monitor_answer(monitor, (uint32_t)number), "answer", NULL);
}

/* commit(): the container is the monitor's. Closes. */
static int l_commit(lua_State *L) {
    return l_pushresult(L, lctr_monitor_commit(check_open(L)), "commit", NULL);
}

static int l_step_time(lua_State *L) {
    return l_steptime(L, &check_open(L)->seen);
}

static int l_step_skipped(lua_State *L) {
    return l_stepskipped(L, &check_open(L)->seen);
}

static int l_close(lua_State *L) {
    lctr_monitor_close(check(L));
    return 0;
}

static const luaL_Reg methods[] = {{"pid", l_pid},
                                   {"monitor_pid", l_monitor_pid},
                                   {"launch", l_launch},
                                   {"answer", l_answer},
                                   {"commit", l_commit},
                                   {"step_time", l_step_time},
                                   {"step_skipped", l_step_skipped},
                                   {"close", l_close},
                                   {NULL, NULL}};

static const luaL_Reg meta[] = {{"__gc", l_close}, {"__close", l_close}, {NULL, NULL}};

/* notify(directory) -> fd that becomes readable when something in the directory changes */
static int l_notify(lua_State *L) {
    const char *path = luaL_checkstring(L, 1);
    int *fd = l_newfd(L);
    *fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
    if (*fd < 0 ||
        inotify_add_watch(*fd, path, IN_MODIFY | IN_CREATE | IN_MOVED_TO | IN_DELETE_SELF) < 0)
        return l_pushfail(L, errno, "inotify", path);
    return 1;
}

/* event(directory, line): append to the events of a state directory */
static int l_event(lua_State *L) {
    int directory = l_checkfd(L, 1);
    size_t length;
    const char *line = luaL_checklstring(L, 2, &length);
    return l_pushresult(L, lctr_events_add(directory, line, length), "write", EVENTS_FILE);
}

/* attach(directory) -> socket to the monitor of a container, which does not block */
static int l_attach(lua_State *L) {
    int directory = l_checkfd(L, 1);
    int *fd = l_newfd(L);
    *fd = lctr_attach_connect(directory);
    return *fd < 0 ? l_pushfail(L, -*fd, "connect", ATTACH_SOCKET) : 1;
}

/* tell(socket, message) -> true; to nobody it is no signal, but EPIPE */
static int l_tell(lua_State *L) {
    int fd = l_checkfd(L, 1);
    size_t length;
    const char *message = luaL_checklstring(L, 2, &length);
    ssize_t sent = send(fd, message, length, MSG_NOSIGNAL);
    return l_pushresult(L, sent < 0 ? -errno : 0, "send", NULL);
}

static const luaL_Reg functions[] = {{"start", l_start},   {"notify", l_notify}, {"event", l_event},
                                     {"attach", l_attach}, {"tell", l_tell},     {NULL, NULL}};

int l_open_monitor(lua_State *L) {
    l_newclass(L, CLASS, methods, meta);
    luaL_newlib(L, functions);
    lua_pushliteral(L, ATTACH_SOCKET);
    lua_setfield(L, -2, "SOCKET");
    lua_pushinteger(L, MONITOR_LAST_LIFE);
    lua_setfield(L, -2, "LAST_LIFE");
    return 1;
}
