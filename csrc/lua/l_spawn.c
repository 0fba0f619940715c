/* core.spawn: a plan becomes a process; the handle follows it. */
#include "l_spawn.h"
#include "core/image.h"
#include "core/plan.h"
#include "core/round.h"
#include "core/spawn.h"
#include "l_plan.h"
#include "l_util.h"

#include <errno.h>
#include <sys/wait.h>

#define PROCESS_CLASS "luactr.process"

static struct lctr_process *check_process(lua_State *L) {
    return luaL_checkudata(L, 1, PROCESS_CLASS);
}

static struct lctr_process *check_open(lua_State *L) {
    struct lctr_process *p = check_process(L);
    luaL_argcheck(L, p->pid, 1, "closed process");
    return p;
}

/* ---- spawn{ plan =, flags =, fds =, cgroup =, times =, fail = } */

enum { OPTIONS = 1, PROCESS };

lua_Integer l_integerfield(lua_State *L, int table, const char *name, lua_Integer otherwise) {
    lua_Integer value = otherwise;
    int is_integer = 1;
    if (lua_getfield(L, table, name) != LUA_TNIL)
        value = lua_tointegerx(L, -1, &is_integer);
    if (!is_integer)
        luaL_error(L, "%s: integer expected, got %s", name, luaL_typename(L, -1));
    lua_pop(L, 1);
    return value;
}

static void read_fds(lua_State *L, struct lctr_launch *launch, int *fds) {
    size_t count = 0;
    if (lua_getfield(L, OPTIONS, "fds") == LUA_TTABLE)
        count = lua_rawlen(L, -1);
    else if (!lua_isnil(L, -1))
        luaL_error(L, "fds: list expected, got %s", luaL_typename(L, -1));
    const struct plan_header *plan = launch->plan;
    if (count != plan->slots)
        luaL_error(L, "fds: %I expected, one for each slot of the plan, got %I",
                   (lua_Integer)plan->slots, (lua_Integer)count);
    for (size_t i = 0; i < count; i++) {
        lua_rawgeti(L, -1, (lua_Integer)i + 1);
        fds[i] = l_checkfd(L, lua_gettop(L));
        lua_pop(L, 1);
    }
    lua_pop(L, 1);
    launch->fds = fds;
    launch->fd_count = count;
}

static void read_fault(lua_State *L, struct lctr_launch *launch) {
    if (lua_getfield(L, OPTIONS, "fail") != LUA_TNIL) {
        luaL_checktype(L, -1, LUA_TTABLE);
        int fail = lua_gettop(L);
        launch->fail_step = (uint32_t)l_integerfield(L, fail, "step", 0);
        launch->fail_error = (int)l_integerfield(L, fail, "errno", EIO);
    }
    lua_pop(L, 1);
}

void l_readlaunch(lua_State *L, struct lctr_launch *launch, int *fds) {
    lua_getfield(L, OPTIONS, "plan");
    const struct plan_header *plan = l_checkplan(L, -1);
    lua_pop(L, 1); /* the options table keeps it */
    launch->plan = plan;
    launch->plan_size = plan->size;
    launch->flags = (uint64_t)l_integerfield(L, OPTIONS, "flags", 0);
    lua_getfield(L, OPTIONS, "cgroup");
    launch->cgroup = l_optfd(L, lua_gettop(L), -1);
    lua_getfield(L, OPTIONS, "times");
    launch->times = lua_toboolean(L, -1);
    lua_pop(L, 2);
    read_fds(L, launch, fds);
    read_fault(L, launch);
}

static int l_spawn(lua_State *L) {
    int fds[PLAN_MAX_SLOTS];
    struct lctr_launch launch = {0};
    luaL_checktype(L, OPTIONS, LUA_TTABLE);
    lua_settop(L, OPTIONS);
    l_readlaunch(L, &launch, fds);
    struct lctr_process *p = lua_newuserdatauv(L, sizeof *p, 0);
    lctr_process_init(p);
    luaL_setmetatable(L, PROCESS_CLASS);
    int result = lctr_spawn(p, &launch);
    return result < 0 ? l_pushfail(L, -result, "spawn", NULL) : 1;
}

/* ---- methods */

static int l_pid(lua_State *L) {
    lua_pushinteger(L, check_open(L)->pid);
    return 1;
}

static int l_pidfd(lua_State *L) {
    lua_pushinteger(L, check_open(L)->pidfd);
    return 1;
}

static int l_syncfd(lua_State *L) {
    lua_pushinteger(L, check_open(L)->sync);
    return 1;
}

/* The status pipe until the launch is decided, nil afterwards: to wait for more than the init. */
static int l_statusfd(lua_State *L) {
    const struct lctr_process *p = check_open(L);
    if (p->status >= 0)
        lua_pushinteger(L, p->status);
    else
        lua_pushnil(L);
    return 1;
}

static int push_failure(lua_State *L, const struct plan_status *record) {
    lua_pushliteral(L, "failed");
    lua_pushinteger(L, (lua_Integer)record->step + 1);
    lua_pushstring(L, lctr_plan_name(record->kind));
    lua_pushinteger(L, record->error);
    lua_pushstring(L, lctr_plan_aux(record->aux));
    return 5;
}

int l_pushevent(lua_State *L, const struct lctr_event *event) {
    switch (event->kind) {
    case LCTR_RENDEZVOUS:
        lua_pushliteral(L, "rendezvous");
        lua_pushinteger(L, event->number);
        if (event->fd < 0)
            return 2;
        lua_pushvalue(L, -3);
        return 3;
    case LCTR_STARTED:
        lua_pushliteral(L, "started");
        return 1;
    default:
        return push_failure(L, &event->record);
    }
}

/* "rendezvous", number, fd | "started" | "failed", step, op, errno, part of the step */
static int l_launch(lua_State *L) {
    struct lctr_process *p = check_open(L);
    struct lctr_event event;
    int *fd = l_newfd(L);
    int result = lctr_process_launch(p, &event);
    if (result < 0)
        return l_pushfail(L, -result, "launch", NULL);
    *fd = event.fd;
    return l_pushevent(L, &event);
}

static int l_answer(lua_State *L) {
    struct lctr_process *p = check_open(L);
    lua_Integer number = luaL_checkinteger(L, 2);
    return l_pushresult(L, lctr_process_answer(p, (uint32_t)number), "answer", NULL);
}

static int l_signal(lua_State *L) {
    struct lctr_process *p = check_open(L);
    lua_Integer number = luaL_checkinteger(L, 2);
    return l_pushresult(L, lctr_process_signal(p, (int)number), "signal", NULL);
}

static void set_status(lua_State *L, int status, const char *code, const char *signal) {
    bool by_signal = WIFSIGNALED(status);
    lua_pushinteger(L, by_signal ? WTERMSIG(status) : WEXITSTATUS(status));
    lua_setfield(L, -2, by_signal ? signal : code);
}

static void set_seconds(lua_State *L, uint64_t microseconds, const char *name) {
    lua_pushnumber(L, (lua_Number)microseconds / 1e6);
    lua_setfield(L, -2, name);
}

static void push_end(lua_State *L, const struct lctr_process *p) {
    const struct lctr_end *end = p->told ? &p->payload : &p->init;
    lua_createtable(L, 0, 6);
    set_status(L, end->status, "code", "signal");
    lua_pushboolean(L, WIFSIGNALED(end->status) && WCOREDUMP(end->status));
    lua_setfield(L, -2, "core_dumped");
    set_seconds(L, end->user_us, "user_seconds");
    set_seconds(L, end->system_us, "system_seconds");
    lua_pushinteger(L, (lua_Integer)end->max_rss_kib * 1024);
    lua_setfield(L, -2, "max_rss");
    set_status(L, p->init.status, "init_code", "init_signal");
}

/* Milliseconds, -1 for ever. */
static int64_t check_timeout(lua_State *L, int arg) {
    lua_Number seconds = luaL_optnumber(L, arg, -1);
    luaL_argcheck(L, seconds < 1e15, arg, "too long");
    return seconds < 0 ? -1 : lctr_round_up(seconds * 1000);
}

static int push_unfinished(lua_State *L, int error) {
    if (error != ETIMEDOUT)
        return l_pushfail(L, error, "wait", NULL);
    luaL_pushfail(L);
    lua_pushliteral(L, "timeout");
    return 2;
}

/* settle(seconds | nil) -> the command has ended; true when only PID 1 is left | nil, "timeout" */
static int l_settle(lua_State *L) {
    int result = lctr_process_settle(check_open(L), check_timeout(L, 2));
    if (result < 0)
        return push_unfinished(L, -result);
    lua_pushboolean(L, result);
    return 1;
}

/* wait(seconds | nil) -> end | nil, "timeout" */
static int l_wait(lua_State *L) {
    struct lctr_process *p = check_open(L);
    int result = lctr_process_wait(p, check_timeout(L, 2));
    if (result < 0)
        return push_unfinished(L, -result);
    push_end(L, p);
    return 1;
}

static int read_step(lua_State *L, struct lctr_process *p, struct plan_step *step) {
    lua_Integer number = luaL_checkinteger(L, 2);
    luaL_argcheck(L, number > 0 && number <= PLAN_MAX_STEPS, 2, "not a step number");
    return lctr_process_step(p, (uint32_t)number - 1, step);
}

/* step_time(step) -> seconds on the monotonic clock when it was begun | nil if it was not */
int l_steptime(lua_State *L, struct lctr_process *p) {
    struct plan_step step;
    int result = read_step(L, p, &step);
    if (result < 0)
        return l_pushfail(L, -result, "step_time", NULL);
    if (step.began_ns)
        lua_pushnumber(L, (lua_Number)step.began_ns / 1e9);
    else
        lua_pushnil(L);
    return 1;
}

/* step_skipped(step) -> whether it mounted nothing, since its optional source is missing */
int l_stepskipped(lua_State *L, struct lctr_process *p) {
    struct plan_step step;
    int result = read_step(L, p, &step);
    if (result < 0)
        return l_pushfail(L, -result, "step_skipped", NULL);
    lua_pushboolean(L, step.skipped != 0);
    return 1;
}

/* at_exec() -> whether the last step, the exec, has begun, while the launch is not decided */
static int l_at_exec(lua_State *L) {
    int result = lctr_process_at_exec(check_open(L));
    if (result < 0)
        return l_pushfail(L, -result, "at_exec", NULL);
    lua_pushboolean(L, result);
    return 1;
}

static int l_step_time(lua_State *L) {
    return l_steptime(L, check_open(L));
}

static int l_step_skipped(lua_State *L) {
    return l_stepskipped(L, check_open(L));
}

/* Closed, and goes on. */
static int l_disown(lua_State *L) {
    struct lctr_process *p = check_open(L);
    p->reaped = true;
    lctr_process_close(p);
    return 0;
}

static int l_close(lua_State *L) {
    lctr_process_close(check_process(L));
    return 0;
}

static int l_tostring(lua_State *L) {
    const struct lctr_process *p = check_process(L);
    if (p->pid)
        lua_pushfstring(L, "process %d", (int)p->pid);
    else
        lua_pushliteral(L, "process (closed)");
    return 1;
}

static const luaL_Reg methods[] = {{"pid", l_pid},
                                   {"pidfd", l_pidfd},
                                   {"syncfd", l_syncfd},
                                   {"statusfd", l_statusfd},
                                   {"launch", l_launch},
                                   {"answer", l_answer},
                                   {"signal", l_signal},
                                   {"settle", l_settle},
                                   {"wait", l_wait},
                                   {"disown", l_disown},
                                   {"close", l_close},
                                   {"at_exec", l_at_exec},
                                   {"step_time", l_step_time},
                                   {"step_skipped", l_step_skipped},
                                   {NULL, NULL}};

static const luaL_Reg meta[] = {
    {"__gc", l_close}, {"__close", l_close}, {"__tostring", l_tostring}, {NULL, NULL}};

int l_open_spawn(lua_State *L) {
    l_newclass(L, PROCESS_CLASS, methods, meta);
    lua_newtable(L);
    lua_pushcfunction(L, l_spawn);
    lua_setfield(L, -2, "spawn");
    lua_pushstring(L, lctr_image_path());
    lua_setfield(L, -2, "init_path");
    return 1;
}
