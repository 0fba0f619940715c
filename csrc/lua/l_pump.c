/* core.pump: compression beside the work, with digests. See luactr/files/pump.lua. */
#include "core/pump.h"
#include "l_util.h"

#include <errno.h>

#define CLASS  "luactr.pump"
#define PREFIX "sha256:"

struct handle {
    struct lctr_pump *pump; /* NULL when closed */
};

static struct lctr_pump *check(lua_State *L) {
    struct handle *handle = luaL_checkudata(L, 1, CLASS);
    luaL_argcheck(L, handle->pump, 1, "closed pump");
    return handle->pump;
}

static struct handle *new_handle(lua_State *L) {
    struct handle *handle = lua_newuserdatauv(L, sizeof *handle, 0);
    handle->pump = NULL;
    luaL_setmetatable(L, CLASS);
    return handle;
}

static int64_t opt_integer(lua_State *L, int arg) {
    return luaL_optinteger(L, arg, LCTR_PUMP_ANY);
}

/* unpack(fd, copy or nil, most or nil, ratio or nil) -> pump, fd */
static int l_unpack(lua_State *L) {
    const struct lctr_pump_source source = {
        .fd = l_checkfd(L, 1),
        .copy = l_optfd(L, 2, -1),
        .most = opt_integer(L, 3),
        .ratio = opt_integer(L, 4),
    };
    luaL_argcheck(L, source.ratio != 0, 4, "a ratio is at least 1");
    struct handle *handle = new_handle(L);
    int *end = l_newfd(L);
    int result = lctr_pump_unpack(&handle->pump, &source, end);
    return result < 0 ? l_pushfail(L, -result, "unpack", NULL) : 2;
}

/* pack(fd, filter) -> pump, fd */
static int l_pack(lua_State *L) {
    int fd = l_checkfd(L, 1);
    const char *filter = luaL_checkstring(L, 2);
    struct handle *handle = new_handle(L);
    int *end = l_newfd(L);
    int result = lctr_pump_pack(&handle->pump, fd, filter, end);
    return result < 0 ? l_pushfail(L, -result, "pack", NULL) : 2;
}

static int l_close(lua_State *L) {
    struct handle *handle = luaL_checkudata(L, 1, CLASS);
    lctr_pump_free(handle->pump);
    handle->pump = NULL;
    return 0;
}

/* progress() -> bytes read, bytes written */
static int l_progress(lua_State *L) {
    int64_t read;
    int64_t written;
    lctr_pump_progress(check(L), &read, &written);
    lua_pushinteger(L, read);
    lua_pushinteger(L, written);
    return 2;
}

static void set_digest(lua_State *L, const char *key, const char *text) {
    lua_pushfstring(L, PREFIX "%s", text);
    lua_setfield(L, -2, key);
}

/* finish(stop) -> report, or the triple */
static int l_finish(lua_State *L) {
    struct lctr_pump_report report;
    int result = lctr_pump_finish(check(L), lua_toboolean(L, 2), &report);
    if (result < 0 && *report.text) {
        lua_pushnil(L);
        lua_pushstring(L, report.text);
        lua_pushinteger(L, -result);
        return 3;
    }
    if (result < 0)
        return l_pushfail(L, -result, "pump", NULL);
    lua_createtable(L, 0, 5);
    lua_pushinteger(L, report.read);
    lua_setfield(L, -2, "read");
    lua_pushinteger(L, report.written);
    lua_setfield(L, -2, "written");
    set_digest(L, "read_digest", report.read_digest);
    set_digest(L, "written_digest", report.written_digest);
    lua_pushstring(L, report.filter);
    lua_setfield(L, -2, "filter");
    return 1;
}

static const luaL_Reg methods[] = {
    {"progress", l_progress}, {"finish", l_finish}, {"close", l_close}, {NULL, NULL}};

static const luaL_Reg meta[] = {{"__gc", l_close}, {"__close", l_close}, {NULL, NULL}};

static const luaL_Reg functions[] = {{"unpack", l_unpack}, {"pack", l_pack}, {NULL, NULL}};

int l_open_pump(lua_State *L) {
    l_newclass(L, CLASS, methods, meta);
    luaL_newlib(L, functions);
    return 1;
}
