/* core.notify: what a supervisor does with a filter's listener. The handlers, and what their
 * answers mean, are Lua's business (luactr/notify.lua). */
#include "core/notify.h"
#include "l_util.h"

#define ARGUMENTS 6
#define READ_MAX  (1 << 24)

static void set_integer(lua_State *L, const char *name, lua_Integer value) {
    lua_pushinteger(L, value);
    lua_setfield(L, -2, name);
}

/* receive(listener) -> { id =, pid =, number =, audit =, args = { [0] = first, ... } }, or the
 * triple: EAGAIN, EPIPE, ENOENT */
static int l_receive(lua_State *L) {
    struct seccomp_notif call;
    int result = lctr_notify_receive(l_checkfd(L, 1), &call);
    if (result < 0)
        return l_pushfail(L, -result, "receive", NULL);
    lua_createtable(L, 0, 8);
    set_integer(L, "id", (lua_Integer)call.id);
    set_integer(L, "pid", call.pid);
    set_integer(L, "number", call.data.nr);
    set_integer(L, "audit", call.data.arch);
    lua_createtable(L, ARGUMENTS, 0);
    for (int i = 0; i < ARGUMENTS; i++) {
        lua_pushinteger(L, (lua_Integer)call.data.args[i]);
        lua_rawseti(L, -2, i);
    }
    lua_setfield(L, -2, "args");
    return 1;
}

/* answer(listener, id, value, error): the value, or the errno unless it is 0 */
static int l_answer(lua_State *L) {
    int listener = l_checkfd(L, 1);
    const struct lctr_answer answer = {
        .id = (uint64_t)luaL_checkinteger(L, 2),
        .value = luaL_checkinteger(L, 3),
        .error = -(int)luaL_checkinteger(L, 4),
    };
    return l_pushresult(L, lctr_notify_answer(listener, &answer), "answer", NULL);
}

/* pass(listener, id): the kernel makes the call */
static int l_pass(lua_State *L) {
    int listener = l_checkfd(L, 1);
    const struct lctr_answer answer = {
        .id = (uint64_t)luaL_checkinteger(L, 2),
        .flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE,
    };
    return l_pushresult(L, lctr_notify_answer(listener, &answer), "continue", NULL);
}

static int l_valid(lua_State *L) {
    int listener = l_checkfd(L, 1);
    uint64_t id = (uint64_t)luaL_checkinteger(L, 2);
    return l_pushresult(L, lctr_notify_valid(listener, id), "valid", NULL);
}

/* give(listener, id, fd, number or nil, close_exec, answer) -> number in the caller */
static int l_give(lua_State *L) {
    int listener = l_checkfd(L, 1);
    const struct lctr_gift gift = {
        .id = (uint64_t)luaL_checkinteger(L, 2),
        .fd = l_checkfd(L, 3),
        .number = (int)luaL_optinteger(L, 4, -1),
        .close_exec = lua_toboolean(L, 5),
        .answer = lua_toboolean(L, 6),
    };
    int number = lctr_notify_give(listener, &gift);
    if (number < 0)
        return l_pushfail(L, -number, "add_fd", NULL);
    lua_pushinteger(L, number);
    return 1;
}

/* peek(memory, address, size) -> bytes, fewer where the memory ends */
static int l_peek(lua_State *L) {
    int memory = l_checkfd(L, 1);
    uint64_t address = (uint64_t)luaL_checkinteger(L, 2);
    lua_Integer size = luaL_checkinteger(L, 3);
    luaL_argcheck(L, size >= 0 && size <= READ_MAX, 3, "out of range");
    luaL_Buffer buffer;
    char *data = luaL_buffinitsize(L, &buffer, (size_t)size);
    ssize_t length = lctr_notify_peek(memory, address, data, (size_t)size);
    if (length < 0)
        return l_pushfail(L, (int)-length, "read", NULL);
    luaL_pushresultsize(&buffer, (size_t)length);
    return 1;
}

/* poke(memory, address, bytes) -> how many were written */
static int l_poke(lua_State *L) {
    int memory = l_checkfd(L, 1);
    uint64_t address = (uint64_t)luaL_checkinteger(L, 2);
    size_t size;
    const char *data = luaL_checklstring(L, 3, &size);
    ssize_t length = lctr_notify_poke(memory, address, data, size);
    if (length < 0)
        return l_pushfail(L, (int)-length, "write", NULL);
    lua_pushinteger(L, length);
    return 1;
}

/* connect(socket, address): the address as the bytes of a struct sockaddr */
static int l_connect(lua_State *L) {
    int fd = l_checkfd(L, 1);
    size_t size;
    const char *address = luaL_checklstring(L, 2, &size);
    return l_pushresult(L, lctr_notify_connect(fd, address, size), "connect", NULL);
}

/* forward(listener, path, message): to the agent that listens at the path */
static int l_forward(lua_State *L) {
    int listener = l_checkfd(L, 1);
    const char *path = luaL_checkstring(L, 2);
    size_t size;
    const char *message = luaL_checklstring(L, 3, &size);
    return l_pushresult(L, lctr_notify_forward(listener, path, message, size), "connect", path);
}

static const luaL_Reg functions[] = {
    {"receive", l_receive}, {"answer", l_answer}, {"pass", l_pass}, {"valid", l_valid},
    {"give", l_give},       {"peek", l_peek},     {"poke", l_poke}, {"connect", l_connect},
    {"forward", l_forward}, {NULL, NULL}};

int l_open_notify(lua_State *L) {
    luaL_newlib(L, functions);
    return 1;
}
