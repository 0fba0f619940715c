/* core.supervise: what a supervisor in the foreground needs and Lua has not: poll, signals as a
 * descriptor, the terminal's raw mode, advisory locks, the start of a process. */
#include "core/flocks.h"
#include "core/guard.h"
#include "core/round.h"

#include "l_util.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <termios.h>
#include <unistd.h>

/* ---- poll */

#define POLL_MAX 65536 /* a program may watch hundreds of containers */

static short wanted_events(lua_State *L, int entry) {
    lua_getfield(L, entry, "events");
    const char *events = luaL_optstring(L, -1, "r");
    short wanted =
        (short)((strchr(events, 'r') ? POLLIN : 0) | (strchr(events, 'w') ? POLLOUT : 0) |
                (strchr(events, 'p') ? POLLPRI : 0));
    lua_pop(L, 1);
    return wanted;
}

/* Fill one pollfd from the entry on top of the stack, { fd = handle or integer, events = "r" }. */
static void read_entry(lua_State *L, struct pollfd *slot) {
    luaL_checktype(L, -1, LUA_TTABLE);
    int entry = lua_gettop(L);
    slot->events = wanted_events(L, entry);
    lua_getfield(L, entry, "fd");
    slot->fd = l_checkfd(L, entry + 1);
    lua_pop(L, 1);
}

/* Rounded up, so that a caller that waits for a deadline is not woken just before it. */
static int milliseconds(lua_State *L, int arg) {
    if (lua_isnoneornil(L, arg))
        return -1;
    double wait = luaL_checknumber(L, arg) * 1e3;
    if (!(wait > 0))
        return 0;
    return wait < INT_MAX ? (int)lctr_round_up(wait) : INT_MAX;
}

/* poll(entries, [seconds]) -> how many are ready. Each entry's `ready` becomes true or false; an
 * end-of-file or an error is ready too. A signal that interrupts the wait gives 0. */
static int l_poll(lua_State *L) {
    luaL_checktype(L, 1, LUA_TTABLE);
    int timeout = milliseconds(L, 2);
    lua_Integer count = luaL_len(L, 1);
    luaL_argcheck(L, count <= POLL_MAX, 1, "too many entries");
    lua_settop(L, 1);
    struct pollfd *fds = lua_newuserdatauv(L, (size_t)(count + 1) * sizeof *fds, 0);
    for (lua_Integer i = 0; i < count; i++) {
        lua_geti(L, 1, i + 1);
        read_entry(L, &fds[i]);
        lua_pop(L, 1);
    }
    int ready = poll(fds, (nfds_t)count, timeout);
    if (ready < 0 && errno != EINTR)
        return l_pushfail(L, errno, "poll", NULL);
    for (lua_Integer i = 0; i < count; i++) {
        lua_geti(L, 1, i + 1);
        lua_pushboolean(L, ready > 0 && fds[i].revents);
        lua_setfield(L, -2, "ready");
        lua_pop(L, 1);
    }
    lua_pushinteger(L, ready > 0 ? ready : 0);
    return 1;
}

/* ---- signals: metatable "luactr.signals", owner of a signalfd and of the mask before it */

#define SIGNALS_CLASS "luactr.signals"

struct signals {
    int fd; /* -1 when closed */
    bool blocked;
    sigset_t before;
};

static void release_signals(struct signals *signals) {
    if (signals->fd >= 0)
        close(signals->fd);
    signals->fd = -1;
    if (signals->blocked)
        pthread_sigmask(SIG_SETMASK, &signals->before, NULL);
    signals->blocked = false;
}

static void check_set(lua_State *L, int arg, sigset_t *set) {
    luaL_checktype(L, arg, LUA_TTABLE);
    sigemptyset(set);
    lua_Integer count = luaL_len(L, arg);
    for (lua_Integer i = 1; i <= count; i++) {
        lua_geti(L, arg, i);
        lua_Integer number = luaL_checkinteger(L, -1);
        if (number < 1 || number >= NSIG || sigaddset(set, (int)number) < 0)
            luaL_argerror(L, arg, "not a list of signal numbers");
        lua_pop(L, 1);
    }
}

/* signals{ number, ... } -> handle. From now until close() these signals are blocked in this
 * thread and read from the handle. */
static int l_signals(lua_State *L) {
    sigset_t set;
    check_set(L, 1, &set);
    struct signals *signals = lua_newuserdatauv(L, sizeof *signals, 0);
    *signals = (struct signals){.fd = -1};
    luaL_setmetatable(L, SIGNALS_CLASS);
    signals->fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    if (signals->fd < 0)
        return l_pushfail(L, errno, "signalfd", NULL);
    signals->blocked = pthread_sigmask(SIG_BLOCK, &set, &signals->before) == 0;
    return 1;
}

static struct signals *check_signals(lua_State *L) {
    struct signals *signals = luaL_checkudata(L, 1, SIGNALS_CLASS);
    luaL_argcheck(L, signals->fd >= 0, 1, "closed");
    return signals;
}

/* signals:read() -> number of a signal that has come; nothing when there is none. */
static int l_signals_read(lua_State *L) {
    struct signalfd_siginfo info;
    ssize_t got = read(check_signals(L)->fd, &info, sizeof info);
    if (got != (ssize_t)sizeof info)
        return 0;
    lua_pushinteger(L, info.ssi_signo);
    return 1;
}

static int l_signals_fileno(lua_State *L) {
    lua_pushinteger(L, check_signals(L)->fd);
    return 1;
}

static int l_signals_close(lua_State *L) {
    release_signals(luaL_checkudata(L, 1, SIGNALS_CLASS));
    return 0;
}

static const luaL_Reg signals_methods[] = {{"read", l_signals_read},
                                           {"fileno", l_signals_fileno},
                                           {"close", l_signals_close},
                                           {NULL, NULL}};

static const luaL_Reg signals_meta[] = {
    {"__gc", l_signals_close}, {"__close", l_signals_close}, {NULL, NULL}};

/* ---- terminal: metatable "luactr.raw_mode", owner of a terminal's settings before raw mode */

#define RAW_CLASS "luactr.raw_mode"

struct raw_mode {
    int fd; /* -1 when restored; borrowed */
    struct termios before;
    struct lctr_guard guard;
};

/* A background process that sets a terminal is stopped by SIGTTOU, unless it blocks it: leaving
 * raw mode has to work from there too. */
static int set_terminal(int fd, const struct termios *settings) {
    sigset_t set;
    sigset_t before;
    sigemptyset(&set);
    sigaddset(&set, SIGTTOU);
    pthread_sigmask(SIG_BLOCK, &set, &before);
    int error = tcsetattr(fd, TCSADRAIN, settings) < 0 ? errno : 0;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return error;
}

/* raw_mode(fd, [text]) -> handle whose close() restores the settings. The fd must outlive it. If
 * this process is killed, another one restores them, and writes the text. */
static int l_raw_mode(lua_State *L) {
    int fd = l_checkfd(L, 1);
    size_t length;
    const char *text = luaL_optlstring(L, 2, "", &length);
    struct raw_mode *raw = lua_newuserdatauv(L, sizeof *raw, 1);
    raw->fd = raw->guard.socket = -1;
    luaL_setmetatable(L, RAW_CLASS);
    lua_pushvalue(L, 1);
    lua_setiuservalue(L, -2, 1);
    if (tcgetattr(fd, &raw->before) < 0)
        return l_pushfail(L, errno, "tcgetattr", NULL);
    struct termios settings = raw->before;
    cfmakeraw(&settings);
    lctr_guard_start(&raw->guard, fd, text, length); /* without one it can be done as well */
    if (tcsetattr(fd, TCSADRAIN, &settings) < 0)
        return l_pushfail(L, errno, "tcsetattr", NULL);
    raw->fd = fd;
    lctr_guard_changed(&raw->guard, fd);
    return 1;
}

static int l_raw_close(lua_State *L) {
    struct raw_mode *raw = luaL_checkudata(L, 1, RAW_CLASS);
    if (raw->fd >= 0)
        set_terminal(raw->fd, &raw->before);
    raw->fd = -1;
    lctr_guard_end(&raw->guard);
    return 0;
}

static const luaL_Reg raw_methods[] = {{"close", l_raw_close}, {NULL, NULL}};

static const luaL_Reg raw_meta[] = {{"__gc", l_raw_close}, {"__close", l_raw_close}, {NULL, NULL}};

/* nonblock(fd): for a descriptor that belongs to luactr alone, since the flag is the open file's.
 */
static int l_nonblock(lua_State *L) {
    int fd = l_checkfd(L, 1);
    int flags = fcntl(fd, F_GETFL);
    if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0)
        return l_pushfail(L, errno, "fcntl", NULL);
    lua_pushboolean(L, 1);
    return 1;
}

/* lock(fd, ["exclusive"|"shared"|"none"]) -> true, or the triple (EAGAIN when another process holds
 * one that excludes it). The lock belongs to the open file and ends with it, however its owner
 * ends. One that cannot be changed into another kind is lost. */
static int l_lock(lua_State *L) {
    static const char *const names[] = {"exclusive", "shared", "none", NULL};
    static const int kinds[] = {LOCK_EX, LOCK_SH, LOCK_UN};
    int fd = l_checkfd(L, 1);
    if (flock(fd, kinds[luaL_checkoption(L, 2, names[0], names)] | LOCK_NB) < 0)
        return l_pushfail(L, errno, "flock", NULL);
    lua_pushboolean(L, 1);
    return 1;
}

static bool is_unowned(int dir, const char *name) {
    int fd = openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    bool unowned = fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) == 0;
    if (fd >= 0)
        close(fd);
    return unowned;
}

#define FEW_DIRECTORIES 8 /* are asked one by one */

/* The locks on what is in a directory that has many directories, by inode; leaves their list on the
 * stack. Some file systems do not count: there each is asked. */
static const uint64_t *push_locks(lua_State *L, int dir, size_t *count) {
    struct stat stat;
    bool many = dir >= 0 && fstat(dir, &stat) == 0 && stat.st_nlink > FEW_DIRECTORIES;
    size_t most = many ? 2 * (size_t)stat.st_nlink : 0; /* others may have locks there, too */
    uint64_t *inodes = lua_newuserdatauv(L, (most + 1) * sizeof *inodes, 0);
    *count = many ? lctr_flocks(stat.st_dev, inodes, most) : 0;
    return inodes;
}

/* unowned(path) -> names of the directories in a directory that nobody holds a lock on. A host may
 * have hundreds of them, with owners, and looks at all before each start. */
static int l_unowned(lua_State *L) {
    _Alignas(struct dirent64) char buffer[4096];
    size_t locked;
    int *dir = l_newfd(L);
    *dir = open(luaL_checkstring(L, 1), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    const uint64_t *locks = push_locks(L, *dir, &locked);
    lua_newtable(L);
    for (lua_Integer count = 0; *dir >= 0;) {
        long size = syscall(SYS_getdents64, *dir, buffer, sizeof buffer);
        if (size <= 0)
            break;
        for (long at = 0; at < size;) {
            const struct dirent64 *entry = (const struct dirent64 *)(const void *)(buffer + at);
            at += entry->d_reclen;
            if (entry->d_name[0] == '.' || lctr_flocks_have(locks, locked, entry->d_ino) ||
                !is_unowned(*dir, entry->d_name))
                continue;
            lua_pushstring(L, entry->d_name);
            lua_rawseti(L, -2, ++count);
        }
    }
    return 1;
}

/* lock_range(fd, first, count) -> true, or the triple (EAGAIN). Of these bytes there is one holder,
 * the open file, until it is closed. */
static int l_lock_range(lua_State *L) {
    struct flock range = {.l_type = F_WRLCK,
                          .l_whence = SEEK_SET,
                          .l_start = (off_t)luaL_checkinteger(L, 2),
                          .l_len = (off_t)luaL_checkinteger(L, 3)};
    if (fcntl(l_checkfd(L, 1), F_OFD_SETLK, &range) < 0)
        return l_pushfail(L, errno, "fcntl", NULL);
    lua_pushboolean(L, 1);
    return 1;
}

/* The fields of /proc/PID/stat behind the command's name, which may contain anything: the state,
 * and nineteen further on the start. */
#define STATE_TO_START 19

static int push_start(lua_State *L, const char *text) {
    const char *state = strrchr(text, ')');
    const char *field = state && state[1] == ' ' ? state + 1 : NULL;
    for (int i = 0; field && i < STATE_TO_START; i++)
        field = strchr(field + 1, ' ');
    if (!field)
        return luaL_pushfail(L), 1;
    lua_pushinteger(L, (lua_Integer)strtoull(field, NULL, 10));
    lua_pushlstring(L, state + 2, 1);
    return 2;
}

/* start_time(pid) -> when a process was started, in clock ticks since boot, and its state as in
 * ps(1); nil when there is no such process. `pid` may be "self". */
static int l_start_time(lua_State *L) {
    char text[1024];
    int fd =
        open(lua_pushfstring(L, "/proc/%s/stat", luaL_checkstring(L, 1)), O_RDONLY | O_CLOEXEC);
    ssize_t length = fd < 0 ? -1 : read(fd, text, sizeof text - 1);
    if (fd >= 0)
        close(fd);
    text[length > 0 ? length : 0] = '\0';
    return push_start(L, text);
}

static const luaL_Reg functions[] = {{"poll", l_poll},
                                     {"signals", l_signals},
                                     {"raw_mode", l_raw_mode},
                                     {"nonblock", l_nonblock},
                                     {"lock", l_lock},
                                     {"unowned", l_unowned},
                                     {"lock_range", l_lock_range},
                                     {"start_time", l_start_time},
                                     {NULL, NULL}};

int l_open_supervise(lua_State *L) {
    l_newclass(L, SIGNALS_CLASS, signals_methods, signals_meta);
    l_newclass(L, RAW_CLASS, raw_methods, raw_meta);
    luaL_newlib(L, functions);
    return 1;
}
