/* core.netdev: network devices into another namespace. See luactr/container/devices.lua. */
#include "core/netdev.h"
#include "l_util.h"

#include <string.h>

/* ORDER NETDEV */
static const char *const parts[] = {"setns", "find", "read", "name", "move", "address", "up"};
_Static_assert(sizeof parts / sizeof parts[0] == NETDEV_UP + 1, "ORDER NETDEV");

static const char *check_name(lua_State *L, int arg) {
    size_t length;
    const char *name = luaL_checklstring(L, arg, &length);
    luaL_argcheck(L, length > 0 && length < IFNAMSIZ && strlen(name) == length, arg,
                  "not a name for a network device");
    return name;
}

/* move(name, as, from, into) -> its name there; nil, message, errno, what was done. Namespaces are
 * descriptors, nil is this process's own. */
static int l_move(lua_State *L) {
    struct netdev_move move = {
        .name = check_name(L, 1),
        .as = check_name(L, 2),
        .from = l_optfd(L, 3, -1),
        .into = l_optfd(L, 4, -1),
    };
    int error = lctr_netdev_move(&move);
    if (error) {
        l_pushfail(L, -error, parts[move.part], move.name);
        lua_pushstring(L, parts[move.part]);
        return 4;
    }
    lua_pushstring(L, move.actual);
    return 1;
}

static const luaL_Reg functions[] = {{"move", l_move}, {NULL, NULL}};

int l_open_netdev(lua_State *L) {
    luaL_newlib(L, functions);
    return 1;
}
