/* Processes: exec, wait, signals, pidfds, sessions and process groups. */
#include "l_sys.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---- exec */

/* The list of strings at `arg` as a vector; the list keeps the strings alive (raw access, so no
 * metamethod can make temporary ones). */
static char **check_vector(lua_State *L, int arg) {
    luaL_checktype(L, arg, LUA_TTABLE);
    lua_Unsigned count = lua_rawlen(L, arg);
    const char **vector = lua_newuserdatauv(L, (count + 1) * sizeof *vector, 0);
    for (lua_Unsigned i = 0; i < count; i++) {
        if (lua_rawgeti(L, arg, (lua_Integer)i + 1) != LUA_TSTRING)
            luaL_argerror(L, arg, "list of strings expected");
        vector[i] = l_checkcstring(L, lua_gettop(L));
        lua_pop(L, 1);
    }
    vector[count] = NULL;
    return (char **)vector;
}

static int l_exec(lua_State *L) {
    bool by_fd = lua_type(L, 1) != LUA_TSTRING;
    int fd = by_fd ? l_checkfd(L, 1) : AT_FDCWD;
    const char *path = by_fd ? "" : l_checkcstring(L, 1);
    lua_settop(L, 3);
    char **argv = check_vector(L, 2);
    luaL_argcheck(L, argv[0], 2, "argv[1] is missing: the name of the program");
    char **env = lua_isnil(L, 3) ? environ : check_vector(L, 3);
    fflush(NULL); /* what the program has written stands before what the next one writes */
    execveat(fd, path, argv, env, by_fd ? AT_EMPTY_PATH : 0);
    return l_pushfail(L, errno, "exec", by_fd ? NULL : path);
}

/* ---- wait */

/* Which children: nothing is any, an integer a pid, else a child or a pidfd. */
static idtype_t check_who(lua_State *L, int arg, id_t *id) {
    if (lua_isnoneornil(L, arg)) {
        *id = 0;
        return P_ALL;
    }
    if (lua_isinteger(L, arg)) {
        *id = (id_t)l_checkrange(L, arg, 1, INT32_MAX);
        return P_PID;
    }
    int pidfd = l_testchildfd(L, arg);
    *id = (id_t)(pidfd >= 0 ? pidfd : l_checkfd(L, arg));
    return P_PIDFD;
}

static int l_wait_for(lua_State *L) {
    id_t id;
    idtype_t type = check_who(L, 1, &id);
    int options = l_checkintflags(L, 2, l_wait_names);
    if (!(options & (WEXITED | WSTOPPED | WCONTINUED)))
        options |= WEXITED;
    struct l_exit how = {0};
    int result = l_waitid(type, id, options, &how);
    if (result == 0 && how.info.si_pid == 0) /* WNOHANG and nothing to tell */
        result = -EAGAIN;
    if (result < 0)
        return l_pushfail(L, -result, "waitid", NULL);
    l_pushexit(L, &how);
    return 1;
}

/* ---- signals */

static int l_kill(lua_State *L) {
    pid_t pid =
        lua_isinteger(L, 1) ? (pid_t)l_checkrange(L, 1, INT32_MIN, INT32_MAX) : l_checkpid(L, 1);
    int signal = l_checksignal(L, 2);
    int result = kill(pid, signal);
    return l_pushdone(L, result, errno, "kill", NULL);
}

static int l_pidfd_open(lua_State *L) {
    pid_t pid = l_checkpid(L, 1);
    int *fd = l_newfd(L);
    *fd = pidfd_open(pid, 0);
    return l_pushfd(L, fd, errno, "pidfd_open", NULL);
}

/* The pidfd of argument 1: a handle, a number or a child. */
static int check_pidfd(lua_State *L, int arg) {
    int pidfd = l_testchildfd(L, arg);
    return pidfd >= 0 ? pidfd : l_checkfd(L, arg);
}

static int l_pidfd_send_signal(lua_State *L) {
    int pidfd = check_pidfd(L, 1);
    int signal = l_checksignal(L, 2);
    int result = pidfd_send_signal(pidfd, signal, NULL, 0);
    return l_pushdone(L, result, errno, "pidfd_send_signal", NULL);
}

static int l_pidfd_getfd(lua_State *L) {
    int pidfd = check_pidfd(L, 1);
    int number = (int)l_checkrange(L, 2, 0, INT32_MAX);
    int *fd = l_newfd(L);
    *fd = pidfd_getfd(pidfd, number, 0);
    return l_pushfd(L, fd, errno, "pidfd_getfd", NULL);
}

/* ---- who am I */

static int l_getpid(lua_State *L) {
    lua_pushinteger(L, getpid());
    return 1;
}

static int l_getppid(lua_State *L) {
    lua_pushinteger(L, getppid());
    return 1;
}

static int l_gettid(lua_State *L) {
    lua_pushinteger(L, gettid());
    return 1;
}

static int l_getpgrp(lua_State *L) {
    lua_pushinteger(L, getpgrp());
    return 1;
}

static int l_getpgid(lua_State *L) {
    pid_t group = getpgid(l_optpid(L, 1));
    return l_pushnumber(L, group, errno, "getpgid");
}

static int l_setpgid(lua_State *L) {
    pid_t pid = l_optpid(L, 1);
    pid_t group = l_optpid(L, 2);
    int result = setpgid(pid, group);
    return l_pushdone(L, result, errno, "setpgid", NULL);
}

static int l_getsid(lua_State *L) {
    pid_t session = getsid(l_optpid(L, 1));
    return l_pushnumber(L, session, errno, "getsid");
}

static int l_setsid(lua_State *L) {
    pid_t session = setsid();
    return l_pushnumber(L, session, errno, "setsid");
}

/* ---- prctl: relations to other processes */

static int l_parent_death_signal(lua_State *L) {
    int result = prctl(PR_SET_PDEATHSIG, l_checksignal(L, 1));
    return l_pushdone(L, result, errno, "parent_death_signal", NULL);
}

static int l_get_parent_death_signal(lua_State *L) {
    int signal = 0;
    int result = prctl(PR_GET_PDEATHSIG, &signal);
    return l_pushnumber(L, result < 0 ? result : signal, errno, "get_parent_death_signal");
}

static int l_child_subreaper(lua_State *L) {
    luaL_checktype(L, 1, LUA_TBOOLEAN);
    int result = prctl(PR_SET_CHILD_SUBREAPER, lua_toboolean(L, 1));
    return l_pushdone(L, result, errno, "child_subreaper", NULL);
}

static int l_get_child_subreaper(lua_State *L) {
    int on = 0;
    if (prctl(PR_GET_CHILD_SUBREAPER, &on) < 0)
        return l_pushfail(L, errno, "get_child_subreaper", NULL);
    lua_pushboolean(L, on);
    return 1;
}

static int l_process_name(lua_State *L) {
    int result = prctl(PR_SET_NAME, l_checkcstring(L, 1));
    return l_pushdone(L, result, errno, "process_name", NULL);
}

static int l_get_process_name(lua_State *L) {
    char name[16] = "";
    if (prctl(PR_GET_NAME, name) < 0)
        return l_pushfail(L, errno, "get_process_name", NULL);
    lua_pushstring(L, name);
    return 1;
}

static const luaL_Reg functions[] = {{"exec", l_exec},
                                     {"waitid", l_wait_for},
                                     {"kill", l_kill},
                                     {"pidfd_open", l_pidfd_open},
                                     {"pidfd_send_signal", l_pidfd_send_signal},
                                     {"pidfd_getfd", l_pidfd_getfd},
                                     {"getpid", l_getpid},
                                     {"getppid", l_getppid},
                                     {"gettid", l_gettid},
                                     {"getpgrp", l_getpgrp},
                                     {"getpgid", l_getpgid},
                                     {"setpgid", l_setpgid},
                                     {"getsid", l_getsid},
                                     {"setsid", l_setsid},
                                     {"parent_death_signal", l_parent_death_signal},
                                     {"get_parent_death_signal", l_get_parent_death_signal},
                                     {"child_subreaper", l_child_subreaper},
                                     {"get_child_subreaper", l_get_child_subreaper},
                                     {"process_name", l_process_name},
                                     {"get_process_name", l_get_process_name},
                                     {NULL, NULL}};

void l_sys_process(lua_State *L) {
    luaL_setfuncs(L, functions, 0);
}
