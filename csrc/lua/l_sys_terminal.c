/* Terminals: a new pair, its size, who owns it. pty(7), ioctl_tty(2). */
#include "l_sys.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <unistd.h>

/* The peer comes from the master (TIOCGPTPEER, Linux 4.13), not from a path: /dev/pts of this
 * mount namespace may be another devpts than the master's. */
static int open_pair(int *master, int *peer, unsigned int *number) {
    *master = open("/dev/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC);
    if (*master < 0)
        return -errno;
    if (ioctl(*master, TIOCSPTLCK, &(int){0}) < 0 || ioctl(*master, TIOCGPTN, number) < 0)
        return -errno;
    *peer = ioctl(*master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
    return *peer < 0 ? -errno : 0;
}

static int l_openpty(lua_State *L) {
    int *master = l_newfd(L);
    int *peer = l_newfd(L);
    unsigned int number = 0;
    int result = open_pair(master, peer, &number);
    if (result < 0)
        return l_pushfail(L, -result, "openpty", NULL);
    lua_pushfstring(L, "/dev/pts/%d", (int)number);
    return 3;
}

static int l_isatty(lua_State *L) {
    lua_pushboolean(L, isatty(l_checkfd(L, 1)));
    return 1;
}

static int l_window_size(lua_State *L) {
    struct winsize size;
    if (ioctl(l_checkfd(L, 1), TIOCGWINSZ, &size) < 0)
        return l_pushfail(L, errno, "window_size", NULL);
    lua_pushinteger(L, size.ws_row);
    lua_pushinteger(L, size.ws_col);
    return 2;
}

static int l_set_window_size(lua_State *L) {
    int fd = l_checkfd(L, 1);
    struct winsize size = {
        .ws_row = (unsigned short)l_checkrange(L, 2, 0, USHRT_MAX),
        .ws_col = (unsigned short)l_checkrange(L, 3, 0, USHRT_MAX),
    };
    int result = ioctl(fd, TIOCSWINSZ, &size);
    return l_pushdone(L, result, errno, "set_window_size", NULL);
}

static int l_controlling_tty(lua_State *L) {
    int result = ioctl(l_checkfd(L, 1), TIOCSCTTY, 0);
    return l_pushdone(L, result, errno, "controlling_tty", NULL);
}

static int l_tcgetpgrp(lua_State *L) {
    pid_t group = tcgetpgrp(l_checkfd(L, 1));
    return l_pushnumber(L, group, errno, "tcgetpgrp");
}

static int l_tcsetpgrp(lua_State *L) {
    int fd = l_checkfd(L, 1);
    pid_t group = l_checkpid(L, 2);
    int result = tcsetpgrp(fd, group);
    return l_pushdone(L, result, errno, "tcsetpgrp", NULL);
}

static const luaL_Reg functions[] = {{"openpty", l_openpty},
                                     {"isatty", l_isatty},
                                     {"window_size", l_window_size},
                                     {"set_window_size", l_set_window_size},
                                     {"controlling_tty", l_controlling_tty},
                                     {"tcgetpgrp", l_tcgetpgrp},
                                     {"tcsetpgrp", l_tcsetpgrp},
                                     {NULL, NULL}};

void l_sys_terminal(lua_State *L) {
    luaL_setfuncs(L, functions, 0);
}
