/* core.systemd: calls to systemd by D-Bus, their arguments as Lua values. See
 * luactr/cgroup/systemd.lua. */
#include "core/systemd.h"
#include "l_sys.h"
#include "l_util.h"

#include <errno.h>
#include <string.h>

#define CLASS "luactr.systemd"

#define MAX_DEPTH 8   /* of types in types */
#define MAX_TYPES 256 /* characters */

struct handle {
    struct lctr_systemd *systemd; /* NULL when closed */
};

static struct lctr_systemd *check(lua_State *L) {
    struct handle *handle = luaL_checkudata(L, 1, CLASS);
    luaL_argcheck(L, handle->systemd, 1, "closed connection");
    return handle->systemd;
}

/* nil, "op: text", errno, and the D-Bus name of the error if there is one. */
static int push_failure(lua_State *L, const struct lctr_systemd *systemd, int error,
                        const char *op) {
    const char *text = lctr_systemd_text(systemd);
    if (!text)
        return l_pushfail(L, -error, op, NULL);
    lua_pushnil(L);
    lua_pushfstring(L, "%s: %s", op, text);
    lua_pushinteger(L, -error);
    lua_pushstring(L, lctr_systemd_error(systemd));
    return 4;
}

/* ---- connections */

/* open("system" | "user" | ADDRESS) */
static int l_open(lua_State *L) {
    const char *where = l_checkcstring(L, 1);
    struct handle *handle = lua_newuserdatauv(L, sizeof *handle, 0);
    handle->systemd = NULL;
    luaL_setmetatable(L, CLASS);
    int error = 0;
    if (strcmp(where, "system") == 0)
        error = lctr_systemd_open_system(&handle->systemd);
    else if (strcmp(where, "user") == 0)
        error = lctr_systemd_open_user(&handle->systemd);
    else
        error = lctr_systemd_open_address(&handle->systemd, where);
    return error ? l_pushfail(L, -error, "connect", where) : 1;
}

static int l_close(lua_State *L) {
    struct handle *handle = luaL_checkudata(L, 1, CLASS);
    lctr_systemd_close(handle->systemd);
    handle->systemd = NULL;
    return 0;
}

/* ---- arguments: the value on top of the stack by the type that `types` begins with */

static const char *append(lua_State *L, struct lctr_systemd *systemd, const char *types, int depth);

static void done(lua_State *L, int error) {
    if (error)
        luaL_error(L, "cannot append to the call: %s", strerror(-error));
}

/* What is behind the closing bracket. */
static const char *skip_structure(lua_State *L, const char *types) {
    int depth = 0;
    do {
        depth += (*types == '(') - (*types == ')');
        if (!*types++)
            luaL_error(L, "a type without its end");
    } while (depth);
    return types;
}

static const char *skip_type(lua_State *L, const char *types) {
    while (*types == 'a')
        types++;
    if (!*types)
        luaL_error(L, "an array without a type");
    return *types == '(' ? skip_structure(L, types) : types + 1;
}

/* A copy of the types from `from` to `to`, which Lua keeps on the stack. */
static const char *push_types(lua_State *L, const char *from, const char *to) {
    return lua_pushlstring(L, from, (size_t)(to - from));
}

static void append_integer(lua_State *L, struct lctr_systemd *systemd, char type) {
    lua_Integer value = luaL_checkinteger(L, -1);
    union {
        uint8_t byte;
        int16_t word;
        int32_t number;
        int64_t large;
    } as = {.large = 0};
    switch (type) { /* unsigned ones have the same bits */
    case 'y':
        as.byte = (uint8_t)value;
        break;
    case 'n':
    case 'q':
        as.word = (int16_t)value;
        break;
    case 'i':
    case 'u':
        as.number = (int32_t)value;
        break;
    default:
        as.large = value;
    }
    done(L, lctr_systemd_basic(systemd, type, &as));
}

static void append_basic(lua_State *L, struct lctr_systemd *systemd, char type) {
    if (type == 's' || type == 'o' || type == 'g') {
        done(L, lctr_systemd_basic(systemd, type, l_checkcstring(L, lua_gettop(L))));
    } else if (type == 'b') {
        int value = lua_toboolean(L, -1);
        done(L, lctr_systemd_basic(systemd, type, &value));
    } else if (type == 'd') {
        double value = luaL_checknumber(L, -1);
        done(L, lctr_systemd_basic(systemd, type, &value));
    } else if (type && strchr("ynqiuxt", type)) {
        append_integer(L, systemd, type);
    } else {
        luaL_error(L, "no type of D-Bus: '%c'", type);
    }
}

static const char *append_array(lua_State *L, struct lctr_systemd *systemd, const char *types,
                                int depth) {
    const char *end = skip_type(L, types);
    if (types[1] == 'y' && lua_type(L, -1) == LUA_TSTRING) {
        size_t size;
        const char *bytes = lua_tolstring(L, -1, &size);
        done(L, lctr_systemd_bytes(systemd, bytes, size));
        return end;
    }
    luaL_checktype(L, -1, LUA_TTABLE);
    const char *of = push_types(L, types + 1, end);
    done(L, lctr_systemd_enter(systemd, 'a', of));
    lua_Integer length = luaL_len(L, -2);
    for (lua_Integer i = 1; i <= length; i++) {
        lua_geti(L, -2, i);
        append(L, systemd, of, depth);
        lua_pop(L, 1);
    }
    done(L, lctr_systemd_leave(systemd));
    lua_pop(L, 1);
    return end;
}

/* The elements of the list on top, one for each type. */
static void append_list(lua_State *L, struct lctr_systemd *systemd, const char *types, int depth) {
    luaL_checktype(L, -1, LUA_TTABLE);
    for (lua_Integer i = 1; *types; i++) {
        lua_geti(L, -1, i);
        types = append(L, systemd, types, depth);
        lua_pop(L, 1);
    }
}

static const char *append_structure(lua_State *L, struct lctr_systemd *systemd, const char *types,
                                    int depth) {
    const char *end = skip_structure(L, types);
    const char *of = push_types(L, types + 1, end - 1);
    lua_insert(L, -2);
    done(L, lctr_systemd_enter(systemd, 'r', of));
    append_list(L, systemd, of, depth);
    done(L, lctr_systemd_leave(systemd));
    lua_remove(L, -2);
    return end;
}

/* A variant is { type, value }. */
static void append_variant(lua_State *L, struct lctr_systemd *systemd, int depth) {
    luaL_checktype(L, -1, LUA_TTABLE);
    lua_geti(L, -1, 1);
    const char *of = luaL_checkstring(L, -1);
    lua_geti(L, -2, 2);
    done(L, lctr_systemd_enter(systemd, 'v', of));
    if (*append(L, systemd, of, depth))
        luaL_error(L, "a variant has one type, not \"%s\"", of);
    done(L, lctr_systemd_leave(systemd));
    lua_pop(L, 2);
}

static const char *append(lua_State *L, struct lctr_systemd *systemd, const char *types,
                          int depth) {
    luaL_checkstack(L, 8, NULL);
    if (depth == MAX_DEPTH)
        luaL_error(L, "too many types in types");
    switch (*types) {
    case 'a':
        return append_array(L, systemd, types, depth + 1);
    case '(':
        return append_structure(L, systemd, types, depth + 1);
    case 'v':
        append_variant(L, systemd, depth + 1);
        return types + 1;
    default:
        append_basic(L, systemd, *types);
        return types + 1;
    }
}

/* ---- calls */

/* call(path, interface, member, seconds, types, arguments) -> the string or path that the answer
 * begins with, or true. */
static int l_call(lua_State *L) {
    struct lctr_systemd *systemd = check(L);
    const char *member = l_checkcstring(L, 4);
    lua_Integer seconds = l_checkrange(L, 5, 1, 3600);
    const char *types = l_checkcstring(L, 6);
    luaL_argcheck(L, strlen(types) < MAX_TYPES, 6, "too long");
    lua_settop(L, 7);
    int error = lctr_systemd_begin(systemd, l_checkcstring(L, 2), l_checkcstring(L, 3), member);
    if (error)
        return push_failure(L, systemd, error, member);
    if (*types)
        append_list(L, systemd, types, 0);
    const char *word;
    error = lctr_systemd_call(systemd, (unsigned int)seconds, &word);
    if (error)
        return push_failure(L, systemd, error, member);
    if (word)
        lua_pushstring(L, word);
    else
        lua_pushboolean(L, 1);
    return 1;
}

/* await(job, seconds) -> "done", "failed", ... */
static int l_await(lua_State *L) {
    struct lctr_systemd *systemd = check(L);
    const char *result;
    int error = lctr_systemd_await(systemd, l_checkcstring(L, 2),
                                   (unsigned int)l_checkrange(L, 3, 1, 3600), &result);
    if (error)
        return l_pushfail(L, -error, "wait for a job of systemd", NULL);
    lua_pushstring(L, result);
    return 1;
}

static const luaL_Reg methods[] = {
    {"call", l_call}, {"await", l_await}, {"close", l_close}, {NULL, NULL}};

static const luaL_Reg meta[] = {{"__gc", l_close}, {"__close", l_close}, {NULL, NULL}};

static const luaL_Reg functions[] = {{"open", l_open}, {NULL, NULL}};

int l_open_systemd(lua_State *L) {
    l_newclass(L, CLASS, methods, meta);
    luaL_newlib(L, functions);
    return 1;
}
