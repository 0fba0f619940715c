/* What a process may still do: no_new_privs, securebits, dumpable, seccomp. prctl(2), seccomp(2).
 */
#include "kernel/calls.h"
#include "l_sys.h"

#include <errno.h>
#include <limits.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <string.h>
#include <sys/prctl.h>

/* ---- prctl */

/* The kernel refuses prctl whose unused arguments are not 0. */
static int set(lua_State *L, int option, unsigned long value, const char *op) {
    int result = prctl(option, value, 0UL, 0UL, 0UL);
    return l_pushdone(L, result, errno, op, NULL);
}

static int set_boolean(lua_State *L, int option, const char *op) {
    luaL_checktype(L, 1, LUA_TBOOLEAN);
    return set(L, option, (unsigned long)lua_toboolean(L, 1), op);
}

static int get_boolean(lua_State *L, int option, const char *op) {
    int result = prctl(option, 0UL, 0UL, 0UL, 0UL);
    if (result < 0)
        return l_pushfail(L, errno, op, NULL);
    lua_pushboolean(L, result);
    return 1;
}

static int l_no_new_privs(lua_State *L) {
    return set(L, PR_SET_NO_NEW_PRIVS, 1, "no_new_privs");
}

static int l_get_no_new_privs(lua_State *L) {
    return get_boolean(L, PR_GET_NO_NEW_PRIVS, "get_no_new_privs");
}

static int l_dumpable(lua_State *L) {
    return set_boolean(L, PR_SET_DUMPABLE, "dumpable");
}

static int l_get_dumpable(lua_State *L) {
    return get_boolean(L, PR_GET_DUMPABLE, "get_dumpable");
}

static int l_keep_capabilities(lua_State *L) {
    return set_boolean(L, PR_SET_KEEPCAPS, "keep_capabilities");
}

static int l_get_keep_capabilities(lua_State *L) {
    return get_boolean(L, PR_GET_KEEPCAPS, "get_keep_capabilities");
}

static int l_securebits(lua_State *L) {
    unsigned int bits = (unsigned int)l_checkintflags(L, 1, l_securebit_names);
    return set(L, PR_SET_SECUREBITS, bits, "securebits");
}

static int l_get_securebits(lua_State *L) {
    int bits = prctl(PR_GET_SECUREBITS, 0UL, 0UL, 0UL, 0UL);
    return l_pushnumber(L, bits, errno, "get_securebits");
}

static int l_personality(lua_State *L) {
    unsigned int persona = (unsigned int)l_checkrange(L, 1, 0, UINT32_MAX);
    int old = k_personality(persona);
    return l_pushnumber(L, old, -old, "personality");
}

/* ---- seccomp */

static int l_seccomp(lua_State *L) {
    size_t size;
    const char *bytes = luaL_checklstring(L, 1, &size);
    size_t count = size / sizeof(struct sock_filter);
    luaL_argcheck(L, count > 0 && size % sizeof(struct sock_filter) == 0, 1,
                  "not a list of struct sock_filter");
    luaL_argcheck(L, count <= USHRT_MAX, 1, "filter too long");
    unsigned int flags = (unsigned int)l_checkintflags(L, 2, l_seccomp_names);
    /* Instructions are aligned, Lua strings need not be. */
    struct sock_filter *filter = lua_newuserdatauv(L, size, 0);
    memcpy(filter, bytes, size);
    struct sock_fprog program = {.len = (unsigned short)count, .filter = filter};
    int *listener = l_newfd(L);
    int result = k_seccomp(SECCOMP_SET_MODE_FILTER, flags, &program);
    if (result < 0)
        return l_pushfail(L, -result, "seccomp", NULL);
    if (flags & SECCOMP_FILTER_FLAG_NEW_LISTENER)
        *listener = result;
    else
        lua_pushboolean(L, 1);
    return 1;
}

static const luaL_Reg functions[] = {{"no_new_privs", l_no_new_privs},
                                     {"get_no_new_privs", l_get_no_new_privs},
                                     {"dumpable", l_dumpable},
                                     {"get_dumpable", l_get_dumpable},
                                     {"keep_capabilities", l_keep_capabilities},
                                     {"get_keep_capabilities", l_get_keep_capabilities},
                                     {"securebits", l_securebits},
                                     {"get_securebits", l_get_securebits},
                                     {"personality", l_personality},
                                     {"seccomp", l_seccomp},
                                     {NULL, NULL}};

void l_sys_security(lua_State *L) {
    luaL_setfuncs(L, functions, 0);
}
