/* core.seccomp: the default profile's program, and a builder for others. What a profile means is
 * Lua's business (luactr/security/profile.lua). */
#include "core/seccomp.h"
#include "l_util.h"

#include <errno.h>
#include <linux/seccomp.h>
#include <seccomp.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define BUILDER_CLASS "luactr.seccomp"
#define ERRNO_END     200 /* Linux's last is 133 */

/* ---- names to numbers */

static const struct {
    const char *name;
    uint32_t action;
} actions[] = {
    {"allow", SECCOMP_RET_ALLOW},
    {"log", SECCOMP_RET_LOG},
    {"trap", SECCOMP_RET_TRAP},
    {"kill", SECCOMP_RET_KILL_PROCESS},
    {"kill_thread", SECCOMP_RET_KILL_THREAD},
};

/* An action's name, or the name of the errno that the call fails with. */
static uint32_t check_action(lua_State *L, int arg) {
    const char *name = luaL_checkstring(L, arg);
    for (size_t i = 0; i < sizeof actions / sizeof actions[0]; i++)
        if (strcmp(actions[i].name, name) == 0)
            return actions[i].action;
    for (int error = 1; error < ERRNO_END; error++) {
        const char *known = strerrorname_np(error);
        if (known && strcmp(known, name) == 0)
            return SECCOMP_RET_ERRNO | (uint32_t)error;
    }
    luaL_argerror(L, arg, lua_pushfstring(L, "unknown action '%s'", name));
    return 0;
}

static const char *const operators[] = {"~=", "<", "<=", "==", ">=", ">", "&", NULL};
static const enum scmp_compare comparisons[] = {/* ORDER operators */
                                                SCMP_CMP_NE,       SCMP_CMP_LT, SCMP_CMP_LE,
                                                SCMP_CMP_EQ,       SCMP_CMP_GE, SCMP_CMP_GT,
                                                SCMP_CMP_MASKED_EQ};

_Static_assert(sizeof operators / sizeof operators[0] ==
                   sizeof comparisons / sizeof comparisons[0] + 1,
               "an operator for each comparison");

/* number | false (exists on other machines only) | nil (unknown); nil, message, errno */
static int l_resolve(lua_State *L) {
    enum seccomp_name kind = SECCOMP_NAME_UNKNOWN;
    int number = -1;
    int result = lctr_seccomp_resolve(luaL_checkstring(L, 1), &kind, &number);
    if (result < 0)
        return l_pushfail(L, -result, "seccomp", NULL);
    if (kind == SECCOMP_NAME_KNOWN)
        lua_pushinteger(L, number);
    else if (kind == SECCOMP_NAME_FOREIGN)
        lua_pushboolean(L, 0);
    else
        lua_pushnil(L);
    return 1;
}

static int l_newest(lua_State *L) {
    lua_pushinteger(L, lctr_seccomp_newest());
    return 1;
}

/* ---- the builder */

static struct seccomp_builder *check_builder(lua_State *L) {
    struct seccomp_builder *builder = luaL_checkudata(L, 1, BUILDER_CLASS);
    luaL_argcheck(L, builder->context, 1, "closed builder");
    return builder;
}

/* builder(otherwise, foreign, unknown or nil): three actions */
static int l_builder(lua_State *L) {
    struct seccomp_defaults defaults = {
        .otherwise = check_action(L, 1),
        .foreign = check_action(L, 2),
        .unknown = lua_isnoneornil(L, 3) ? SECCOMP_ASK : check_action(L, 3),
    };
    struct seccomp_builder *builder = lua_newuserdatauv(L, sizeof *builder, 0);
    *builder = (struct seccomp_builder){0};
    luaL_setmetatable(L, BUILDER_CLASS);
    int result = lctr_seccomp_begin(builder, &defaults);
    return result < 0 ? l_pushfail(L, -result, "seccomp", NULL) : 1;
}

static lua_Integer integer_field(lua_State *L, int table, const char *name) {
    lua_getfield(L, table, name);
    lua_Integer value = luaL_checkinteger(L, -1);
    lua_pop(L, 1);
    return value;
}

static struct seccomp_condition check_condition(lua_State *L, int table) {
    luaL_checktype(L, table, LUA_TTABLE);
    struct seccomp_condition condition = {
        .argument = (unsigned int)integer_field(L, table, "index"),
        .value = (uint64_t)integer_field(L, table, "value"),
    };
    lua_getfield(L, table, "op");
    condition.op = comparisons[luaL_checkoption(L, -1, "==", operators)];
    lua_pop(L, 1);
    if (condition.op == SCMP_CMP_MASKED_EQ)
        condition.mask = (uint64_t)integer_field(L, table, "mask");
    return condition;
}

/* builder:add(action, number, { { index =, op =, value =, mask = with "&" }, ... }) */
static int l_add(lua_State *L) {
    struct seccomp_builder *builder = check_builder(L);
    uint32_t action = check_action(L, 2);
    int number = (int)luaL_checkinteger(L, 3);
    luaL_checktype(L, 4, LUA_TTABLE);
    struct seccomp_condition conditions[LCTR_SECCOMP_MAX_CONDITIONS];
    lua_Integer count = luaL_len(L, 4);
    luaL_argcheck(L, count <= LCTR_SECCOMP_MAX_CONDITIONS, 4, "too many conditions");
    for (lua_Integer i = 0; i < count; i++) {
        lua_geti(L, 4, i + 1);
        conditions[i] = check_condition(L, lua_gettop(L));
        lua_pop(L, 1);
    }
    int result = lctr_seccomp_add(builder, action, number, (unsigned int)count, conditions);
    return l_pushresult(L, result, "seccomp rule", NULL);
}

/* The whole file behind fd as a string. */
static int push_contents(lua_State *L, int fd) {
    struct stat status;
    if (fstat(fd, &status) < 0)
        return l_pushfail(L, errno, "fstat", NULL);
    size_t size = (size_t)status.st_size;
    luaL_Buffer buffer;
    char *bytes = luaL_buffinitsize(L, &buffer, size);
    if (pread(fd, bytes, size, 0) != (ssize_t)size)
        return l_pushfail(L, EIO, "read", NULL);
    luaL_pushresultsize(&buffer, size);
    return 1;
}

/* builder:export() -> the program as the kernel takes it: struct sock_filter after sock_filter */
static int l_export(lua_State *L) {
    struct seccomp_builder *builder = check_builder(L);
    int *fd = l_newfd(L);
    int result = lctr_seccomp_export(builder, fd);
    if (result < 0)
        return l_pushfail(L, -result, "seccomp", NULL);
    return push_contents(L, *fd);
}

static int l_end(lua_State *L) {
    lctr_seccomp_end(luaL_checkudata(L, 1, BUILDER_CLASS));
    return 0;
}

/* ---- the default profile */

static int l_default(lua_State *L) {
    size_t size;
    const void *program = lctr_seccomp_default(&size);
    lua_pushlstring(L, program, size);
    return 1;
}

static const luaL_Reg methods[] = {
    {"add", l_add}, {"export", l_export}, {"close", l_end}, {NULL, NULL}};

static const luaL_Reg meta[] = {{"__gc", l_end}, {"__close", l_end}, {NULL, NULL}};

static const luaL_Reg functions[] = {{"default", l_default},
                                     {"builder", l_builder},
                                     {"resolve", l_resolve},
                                     {"newest", l_newest},
                                     {NULL, NULL}};

int l_open_seccomp(lua_State *L) {
    l_newclass(L, BUILDER_CLASS, methods, meta);
    luaL_newlib(L, functions);
    return 1;
}
