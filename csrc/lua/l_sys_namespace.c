/* Namespaces: leave, join, ask about them; and the names of the UTS namespace. namespaces(7). */
#include "l_sys.h"

#include <errno.h>
#include <limits.h>
#include <linux/nsfs.h>
#include <sched.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

static int l_unshare(lua_State *L) {
    int flags = l_checkintflags(L, 1, l_clone_names);
    int result = unshare(flags);
    return l_pushdone(L, result, errno, "unshare", NULL);
}

static int l_setns(lua_State *L) {
    int fd = l_testchildfd(L, 1);
    if (fd < 0)
        fd = l_checkfd(L, 1);
    int flags = l_checkintflags(L, 2, l_clone_names);
    int result = setns(fd, flags);
    return l_pushdone(L, result, errno, "setns", NULL);
}

/* ---- ioctl_ns(2) */

/* The requests that open a related namespace: its owner, its parent. */
static int open_related(lua_State *L, unsigned long request, const char *op) {
    int from = l_checkfd(L, 1);
    int *fd = l_newfd(L);
    *fd = ioctl(from, request);
    return l_pushfd(L, fd, errno, op, NULL);
}

static int l_ns_get_userns(lua_State *L) {
    return open_related(L, NS_GET_USERNS, "ns_get_userns");
}

static int l_ns_get_parent(lua_State *L) {
    return open_related(L, NS_GET_PARENT, "ns_get_parent");
}

static int l_ns_get_nstype(lua_State *L) {
    int type = ioctl(l_checkfd(L, 1), NS_GET_NSTYPE);
    return l_pushnumber(L, type, errno, "ns_get_nstype");
}

static int l_ns_get_owner_uid(lua_State *L) {
    uid_t uid = 0;
    int result = ioctl(l_checkfd(L, 1), NS_GET_OWNER_UID, &uid);
    return l_pushnumber(L, result < 0 ? result : (lua_Integer)uid, errno, "ns_get_owner_uid");
}

/* ---- names */

static int l_sethostname(lua_State *L) {
    const char *name = l_checkcstring(L, 1);
    int result = sethostname(name, strlen(name));
    return l_pushdone(L, result, errno, "sethostname", name);
}

static int l_gethostname(lua_State *L) {
    char name[HOST_NAME_MAX + 1] = "";
    if (gethostname(name, sizeof name) < 0)
        return l_pushfail(L, errno, "gethostname", NULL);
    lua_pushstring(L, name);
    return 1;
}

static int l_setdomainname(lua_State *L) {
    const char *name = l_checkcstring(L, 1);
    int result = setdomainname(name, strlen(name));
    return l_pushdone(L, result, errno, "setdomainname", name);
}

static int l_getdomainname(lua_State *L) {
    char name[HOST_NAME_MAX + 1] = "";
    if (getdomainname(name, sizeof name) < 0)
        return l_pushfail(L, errno, "getdomainname", NULL);
    lua_pushstring(L, name);
    return 1;
}

static const luaL_Reg functions[] = {{"unshare", l_unshare},
                                     {"setns", l_setns},
                                     {"ns_get_userns", l_ns_get_userns},
                                     {"ns_get_parent", l_ns_get_parent},
                                     {"ns_get_nstype", l_ns_get_nstype},
                                     {"ns_get_owner_uid", l_ns_get_owner_uid},
                                     {"sethostname", l_sethostname},
                                     {"gethostname", l_gethostname},
                                     {"setdomainname", l_setdomainname},
                                     {"getdomainname", l_getdomainname},
                                     {NULL, NULL}};

void l_sys_namespace(lua_State *L) {
    luaL_setfuncs(L, functions, 0);
}
