/* clone() with a Lua function for the child, and the handle of that child.
 *
 * The child is a copy of this process, interpreter included: right for experiments and teaching,
 * wrong for containers at work, which the plan starts without Lua (l_spawn.c). Two rules keep the
 * copy from touching what belongs to the parent: its Lua state is never closed, and a handle acts
 * on processes only in the process that made it. */
#include "l_sys.h"

#include <errno.h>
#include <linux/sched.h>
#include <lualib.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define CHILD_CLASS "luactr.child"

struct child {
    pid_t owner; /* the process that made this handle */
    pid_t pid;
    int pidfd; /* -1 when closed */
    bool ended;
    struct l_exit how; /* valid when ended */
};

/* ---- how a process ended */

static lua_Number seconds(const struct timeval *time) {
    return (lua_Number)time->tv_sec + (lua_Number)time->tv_usec / 1e6;
}

static void set_number(lua_State *L, const char *key, lua_Number value) {
    lua_pushnumber(L, value);
    lua_setfield(L, -2, key);
}

static const char *status_key(int code) {
    switch (code) {
    case CLD_EXITED:
        return "code";
    case CLD_KILLED:
    case CLD_DUMPED:
        return "signal";
    case CLD_CONTINUED:
        return "continued";
    default:
        return "stopped";
    }
}

void l_pushexit(lua_State *L, const struct l_exit *how) {
    lua_createtable(L, 0, 6);
    lua_pushinteger(L, how->info.si_pid);
    lua_setfield(L, -2, "pid");
    lua_pushinteger(L, how->info.si_status);
    lua_setfield(L, -2, status_key(how->info.si_code));
    lua_pushboolean(L, how->info.si_code == CLD_DUMPED);
    lua_setfield(L, -2, "core_dumped");
    set_number(L, "user_seconds", seconds(&how->usage.ru_utime));
    set_number(L, "system_seconds", seconds(&how->usage.ru_stime));
    lua_pushinteger(L, how->usage.ru_maxrss * 1024);
    lua_setfield(L, -2, "max_rss");
}

int l_waitid(idtype_t type, id_t id, int options, struct l_exit *how) {
    /* glibc's waitid has no rusage. */
    long result =
        TEMP_FAILURE_RETRY(syscall(SYS_waitid, type, id, &how->info, options, &how->usage));
    return result < 0 ? -errno : 0;
}

/* ---- the child's side */

/* Ends the process without closing the Lua state: what is in there belongs to the parent. */
static int l_exit(lua_State *L) {
    int code = EXIT_SUCCESS;
    if (lua_isboolean(L, 1))
        code = lua_toboolean(L, 1) ? EXIT_SUCCESS : EXIT_FAILURE;
    else
        code = (int)luaL_optinteger(L, 1, EXIT_SUCCESS);
    fflush(NULL);
    _exit(code);
}

static int l_traceback(lua_State *L) {
    luaL_traceback(L, L, luaL_tolstring(L, 1, NULL), 1);
    return 1;
}

/* What the function returned, as an exit status: a number is the status, and the triple of a
 * primitive that failed (as in `return sys.exec(...)`) is an error. */
static int check_status(lua_State *L) {
    if (lua_isinteger(L, 1))
        return (int)lua_tointeger(L, 1);
    if (lua_toboolean(L, 1) || lua_isnone(L, 1))
        return EXIT_SUCCESS;
    if (lua_isstring(L, 2))
        fprintf(stderr, "%s\n", lua_tostring(L, 2));
    return lua_isnil(L, 1) && !lua_isstring(L, 2) ? EXIT_SUCCESS : EXIT_FAILURE;
}

/* Runs the function with its arguments; protected, and so allowed to raise. */
static int l_child_main(lua_State *L) {
    luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_LOADED_TABLE);
    if (lua_getfield(L, -1, LUA_OSLIBNAME) == LUA_TTABLE) {
        lua_pushcfunction(L, l_exit);
        lua_setfield(L, -2, "exit"); /* the real one can close the state */
    }
    lua_pop(L, 2);
    lua_call(L, lua_gettop(L) - 1, LUA_MULTRET);
    lua_pushinteger(L, check_status(L));
    return 1;
}

_Noreturn static void run_child(lua_State *L, int args, int handler) {
    int code = EXIT_FAILURE;
    if (lua_pcall(L, args, 1, handler) == LUA_OK)
        code = (int)lua_tointeger(L, -1);
    else
        fprintf(stderr, "%s\n", lua_tostring(L, -1));
    fflush(NULL);
    _exit(code);
}

/* ---- the parent's side */

#define NAMESPACE_FLAGS                                                                            \
    (CLONE_NEWNS | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWUSER |     \
     CLONE_NEWCGROUP | CLONE_NEWTIME)

static struct child *push_child(lua_State *L) {
    struct child *child = lua_newuserdatauv(L, sizeof *child, 0);
    *child = (struct child){.owner = getpid(), .pidfd = -1, .ended = true};
    luaL_setmetatable(L, CHILD_CLASS);
    return child;
}

/* Raw, since glibc's fork takes no flags and its clone wants a stack. The kernel writes the
 * parent's *pidfd alone. */
static pid_t fork_into(uint64_t flags, int *pidfd) {
    struct clone_args args = {
        .flags = flags | CLONE_PIDFD,
        .pidfd = (uint64_t)(uintptr_t)pidfd,
        .exit_signal = SIGCHLD,
    };
    long pid = syscall(SYS_clone3, &args, sizeof args);
    bool unknown = pid < 0 && errno == ENOSYS; /* so say seccomp filters of older runtimes */
    if (unknown && !(flags & CLONE_NEWTIME))
        pid = syscall(SYS_clone, flags | CLONE_PIDFD | SIGCHLD, NULL, pidfd, NULL, NULL);
    return (pid_t)pid;
}

static int l_clone(lua_State *L) {
    uint64_t flags = (uint64_t)l_checkflags(L, 1, l_clone_names);
    luaL_argcheck(L, !(flags & ~(uint64_t)NAMESPACE_FLAGS), 1, "only CLONE_NEW flags fit");
    luaL_checktype(L, 2, LUA_TFUNCTION);
    struct child *child = push_child(L);
    lua_replace(L, 1);
    lua_pushcfunction(L, l_traceback);
    lua_insert(L, 2);
    lua_pushcfunction(L, l_child_main);
    lua_insert(L, 3);
    /* Collect what is garbage now: a finalizer of the parent's must not run in the child. */
    lua_gc(L, LUA_GCCOLLECT);
    fflush(NULL); /* or the child would write buffered output a second time */
    pid_t pid = fork_into(flags, &child->pidfd);
    if (pid < 0)
        return l_pushfail(L, errno, "clone", NULL);
    if (pid == 0)
        run_child(L, lua_gettop(L) - 3, 2);
    child->pid = pid;
    child->ended = false;
    lua_settop(L, 1);
    return 1;
}

/* ---- the handle */

static struct child *check_child(lua_State *L, int arg) {
    struct child *child = luaL_checkudata(L, arg, CHILD_CLASS);
    luaL_argcheck(L, child->pidfd >= 0, arg, "closed child");
    return child;
}

pid_t l_optpid(lua_State *L, int arg) {
    if (luaL_testudata(L, arg, CHILD_CLASS)) {
        struct child *child = check_child(L, arg);
        luaL_argcheck(L, !child->ended, arg, "child has been waited for");
        return child->pid;
    }
    return lua_isnoneornil(L, arg) ? 0 : (pid_t)l_checkrange(L, arg, 0, INT32_MAX);
}

pid_t l_checkpid(lua_State *L, int arg) {
    pid_t pid = l_optpid(L, arg);
    luaL_argcheck(L, pid > 0, arg, "process expected");
    return pid;
}

int l_testchildfd(lua_State *L, int arg) {
    return luaL_testudata(L, arg, CHILD_CLASS) ? check_child(L, arg)->pidfd : -1;
}

static int l_pid(lua_State *L) {
    lua_pushinteger(L, ((struct child *)luaL_checkudata(L, 1, CHILD_CLASS))->pid);
    return 1;
}

static int l_pidfd(lua_State *L) {
    lua_pushinteger(L, check_child(L, 1)->pidfd);
    return 1;
}

static int l_signal(lua_State *L) {
    struct child *child = check_child(L, 1);
    int signal = l_checksignal(L, 2);
    int result = pidfd_send_signal(child->pidfd, signal, NULL, 0);
    return l_pushdone(L, result, errno, "signal", NULL);
}

static double now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

/* Wait until the pidfd is readable, that is, the child is dead. 0, -ETIME or -errno. */
static int wait_dead(int pidfd, double timeout) {
    struct pollfd poll_fd = {.fd = pidfd, .events = POLLIN};
    double end = now() + timeout;
    for (;;) {
        double left = end - now();
        struct timespec time = {.tv_sec = (time_t)left};
        time.tv_nsec = (long)((left - (double)time.tv_sec) * 1e9);
        int ready = ppoll(&poll_fd, 1, left > 0 ? &time : &(struct timespec){0}, NULL);
        if (ready > 0)
            return 0;
        if (ready == 0)
            return -ETIME;
        if (errno != EINTR)
            return -errno;
    }
}

static int reap(struct child *child) {
    int result = l_waitid(P_PIDFD, (id_t)child->pidfd, WEXITED, &child->how);
    child->ended = result == 0 || result == -ECHILD;
    return result;
}

#define TIMEOUT_MAX 1e9

static int l_wait(lua_State *L) {
    struct child *child = check_child(L, 1);
    double timeout = luaL_optnumber(L, 2, -1);
    luaL_argcheck(L, lua_isnoneornil(L, 2) || timeout >= 0, 2, "seconds expected");
    int result = 0;
    if (!child->ended && timeout >= 0)
        result = wait_dead(child->pidfd, timeout < TIMEOUT_MAX ? timeout : TIMEOUT_MAX);
    if (!child->ended && result == 0)
        result = reap(child);
    if (result == -ETIME) {
        luaL_pushfail(L);
        lua_pushliteral(L, "timeout");
        return 2;
    }
    if (result < 0)
        return l_pushfail(L, -result, "wait", NULL);
    l_pushexit(L, &child->how);
    return 1;
}

/* A child that is not reaped keeps its pid, so kill(2) cannot hit another process. */
static void kill_child(const struct child *child) {
    if (pidfd_send_signal(child->pidfd, SIGKILL, NULL, 0) < 0 && errno == ENOSYS)
        kill(child->pid, SIGKILL); /* a seccomp filter or valgrind may know pidfds in part */
}

/* Idempotent: kills the child if it lives, reaps it, closes the pidfd. */
static int l_close(lua_State *L) {
    struct child *child = luaL_checkudata(L, 1, CHILD_CLASS);
    if (child->pidfd < 0)
        return 0;
    if (!child->ended && child->owner == getpid()) {
        kill_child(child);
        reap(child);
    }
    close(child->pidfd);
    child->pidfd = -1;
    return 0;
}

static int l_tostring(lua_State *L) {
    struct child *child = luaL_checkudata(L, 1, CHILD_CLASS);
    lua_pushfstring(L, child->pidfd < 0 ? "child %d (closed)" : "child %d", (int)child->pid);
    return 1;
}

static const luaL_Reg methods[] = {{"pid", l_pid},   {"pidfd", l_pidfd}, {"signal", l_signal},
                                   {"wait", l_wait}, {"close", l_close}, {NULL, NULL}};

static const luaL_Reg meta[] = {
    {"__gc", l_close}, {"__close", l_close}, {"__tostring", l_tostring}, {NULL, NULL}};

static const luaL_Reg functions[] = {{"clone", l_clone}, {"exit", l_exit}, {NULL, NULL}};

void l_sys_clone(lua_State *L) {
    l_newclass(L, CHILD_CLASS, methods, meta);
    luaL_setfuncs(L, functions, 0);
}
