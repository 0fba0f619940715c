/* core.gate: a container that is made and waits for whoever starts it. */
#include "core/gate.h"
#include "core/plan.h"
#include "l_spawn.h"
#include "l_util.h"

static int push_socket(lua_State *L, int (*make)(int), const char *op) {
    int directory = l_checkfd(L, 1);
    int *fd = l_newfd(L);
    *fd = make(directory);
    return *fd < 0 ? l_pushfail(L, -*fd, op, GATE_SOCKET) : 1;
}

/* listen(directory) -> socket, for the slot of the step */
static int l_listen(lua_State *L) {
    return push_socket(L, lctr_gate_listen, "bind");
}

/* knock(directory) -> connection, when the container is there; or the triple: ENOENT and
 * ECONNREFUSED where none waits, EPIPE when somebody else was first */
static int l_knock(lua_State *L) {
    return push_socket(L, lctr_gate_knock, "connect");
}

/* open(connection) -> "started" | "failed", step, op, errno, part of the step | the triple */
static int l_open(lua_State *L) {
    struct plan_status record;
    int result = lctr_gate_open(l_checkfd(L, 1), &record);
    if (result < 0)
        return l_pushfail(L, -result, "start", NULL);
    const struct lctr_event event = {
        .kind = result ? LCTR_FAILED : LCTR_STARTED, .fd = -1, .record = record};
    return l_pushevent(L, &event);
}

static const luaL_Reg functions[] = {
    {"listen", l_listen}, {"knock", l_knock}, {"open", l_open}, {NULL, NULL}};

int l_open_gate(lua_State *L) {
    luaL_newlib(L, functions);
    lua_pushliteral(L, GATE_SOCKET);
    lua_setfield(L, -2, "SOCKET");
    return 1;
}
