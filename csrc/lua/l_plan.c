/* core.plan: Lua tables of steps into the buffer that the init carries out.
 *
 * encode() walks the tables twice, to learn the size and to fill a userdata of that size, so that
 * no memory is ever outside Lua's sight. */
#include "l_plan.h"
#include "core/plan.h"
#include "l_util.h"

#include <errno.h>
#include <string.h>

#define PLAN_CLASS "luactr.plan"

/* Stack of encode() and of what it calls. */
enum { STEPS = 1, SLOTS, KINDS, SLOT_INDEX, PLAN, STEP, VALUE };

struct encoder {
    lua_State *L;
    struct lctr_plan_writer writer;
    lua_Integer number; /* of the step, from 1 */
    const char *op;
};

static int fail(struct encoder *e, const struct lctr_plan_arg *arg, const char *problem) {
    lua_pushlstring(e->L, arg->name, arg->length);
    return luaL_error(e->L, "step %I (%s): %s: %s", e->number, e->op, lua_tostring(e->L, -1),
                      problem);
}

static const char *problem_text(int error) {
    switch (error) {
    case -EINVAL:
        return "a NUL byte inside, or an empty path";
    case -ENAMETOOLONG:
        return "path longer than 4095 bytes";
    case -E2BIG:
        return "too long";
    case -ERANGE:
        return "number out of range";
    default:
        return "the steps changed while they were read";
    }
}

static void check(struct encoder *e, const struct lctr_plan_arg *arg, int result) {
    if (result < 0)
        fail(e, arg, problem_text(result));
}

static void fail_type(struct encoder *e, const struct lctr_plan_arg *arg, const char *expected) {
    fail(e, arg,
         lua_pushfstring(e->L, "%s expected, got %s", expected, luaL_typename(e->L, VALUE)));
}

/* ---- one function for each shape of value; it is at VALUE */

static void encode_number(struct encoder *e, const struct lctr_plan_arg *arg) {
    int is_integer;
    lua_Integer number = lua_tointegerx(e->L, VALUE, &is_integer);
    bool is_flag = (arg->type == 'u' || arg->type == 'U') && lua_isboolean(e->L, VALUE);
    if (is_flag)
        number = lua_toboolean(e->L, VALUE);
    else if (lua_type(e->L, VALUE) != LUA_TNUMBER || !is_integer)
        fail_type(e, arg, "integer");
    check(e, arg, lctr_plan_number(&e->writer, arg->type, number));
}

static void encode_text(struct encoder *e, const struct lctr_plan_arg *arg) {
    size_t length;
    if (lua_type(e->L, VALUE) != LUA_TSTRING)
        fail_type(e, arg, "string");
    const char *text = lua_tolstring(e->L, VALUE, &length);
    check(e, arg, lctr_plan_text(&e->writer, arg->type, text, length));
}

static void encode_slot(struct encoder *e, const struct lctr_plan_arg *arg) {
    if (lua_type(e->L, VALUE) != LUA_TSTRING)
        fail_type(e, arg, "name of a slot");
    lua_pushvalue(e->L, VALUE);
    if (lua_rawget(e->L, SLOT_INDEX) != LUA_TNUMBER)
        fail(e, arg, lua_pushfstring(e->L, "no slot is called '%s'", lua_tostring(e->L, VALUE)));
    check(e, arg, lctr_plan_number(&e->writer, arg->type, lua_tointeger(e->L, -1)));
    lua_pop(e->L, 1);
}

static void encode_list_value(struct encoder *e, const struct lctr_plan_arg *arg,
                              struct lctr_plan_list *list, lua_Integer i) {
    lua_State *L = e->L;
    bool numbers = arg->type == 'n';
    int type = lua_rawgeti(L, VALUE, i);
    if (numbers ? !lua_isinteger(L, -1) : type != LUA_TSTRING)
        fail(e, arg,
             lua_pushfstring(L, "[%I]: %s expected, got %s", i, numbers ? "integer" : "string",
                             luaL_typename(L, -1)));
    if (numbers) {
        check(e, arg, lctr_plan_list_number(&e->writer, list, lua_tointeger(L, -1)));
    } else {
        size_t length;
        const char *text = lua_tolstring(L, -1, &length);
        check(e, arg, lctr_plan_list_text(&e->writer, list, text, length));
    }
    lua_pop(L, 1);
}

static void encode_list(struct encoder *e, const struct lctr_plan_arg *arg) {
    struct lctr_plan_list list;
    if (lua_type(e->L, VALUE) != LUA_TTABLE)
        fail_type(e, arg, "list");
    lua_Integer count = (lua_Integer)lua_rawlen(e->L, VALUE);
    check(e, arg, lctr_plan_list(&e->writer, arg->type, (size_t)count, &list));
    for (lua_Integer i = 1; i <= count; i++)
        encode_list_value(e, arg, &list, i);
}

static void encode_arg(struct encoder *e, const struct lctr_plan_arg *arg) {
    bool may_be_nothing = strchr("SUF", arg->type);
    if (may_be_nothing && lua_isnil(e->L, VALUE))
        check(e, arg, lctr_plan_nothing(&e->writer, arg->type));
    else if (strchr("sSpb", arg->type))
        encode_text(e, arg);
    else if (strchr("fF", arg->type))
        encode_slot(e, arg);
    else if (strchr("vn", arg->type))
        encode_list(e, arg);
    else
        encode_number(e, arg);
}

/* ---- the walk */

/* The kind of the step at STEP. */
static uint32_t read_kind(struct encoder *e) {
    lua_State *L = e->L;
    if (lua_type(L, STEP) != LUA_TTABLE)
        luaL_error(L, "step %I: table expected, got %s", e->number, luaL_typename(L, STEP));
    lua_pushliteral(L, "op");
    if (lua_rawget(L, STEP) != LUA_TSTRING)
        luaL_error(L, "step %I: op: string expected, got %s", e->number, luaL_typename(L, -1));
    lua_pushvalue(L, -1);
    if (lua_rawget(L, KINDS) != LUA_TNUMBER)
        luaL_error(L, "step %I: no step is called '%s'", e->number, lua_tostring(L, -2));
    uint32_t kind = (uint32_t)lua_tointeger(L, -1);
    e->op = lctr_plan_name(kind);
    lua_pop(L, 2);
    return kind;
}

static void encode_step(struct encoder *e) {
    uint32_t kind = read_kind(e);
    const char *cursor = lctr_plan_args(kind);
    struct lctr_plan_arg arg;
    int result = lctr_plan_step(&e->writer, kind);
    while (result == 0 && lctr_plan_next_arg(&cursor, &arg)) {
        lua_pushlstring(e->L, arg.name, arg.length);
        lua_rawget(e->L, STEP);
        encode_arg(e, &arg);
        lua_settop(e->L, STEP);
    }
    if (result < 0)
        luaL_error(e->L, "step %I (%s): %s", e->number, e->op, problem_text(result));
}

static void encode(struct encoder *e, void *buffer, size_t capacity) {
    lua_State *L = e->L;
    uint32_t slots = (uint32_t)lua_rawlen(L, SLOTS);
    lua_Integer count = (lua_Integer)lua_rawlen(L, STEPS);
    int result = count > PLAN_MAX_STEPS
                     ? -E2BIG
                     : lctr_plan_begin(&e->writer, buffer, capacity, (uint32_t)count, slots);
    if (result < 0)
        luaL_error(L, "plan: %s", problem_text(result));
    for (e->number = 1; e->number <= count; e->number++) {
        lua_rawgeti(L, STEPS, e->number);
        encode_step(e);
        lua_settop(L, PLAN);
    }
    result = lctr_plan_end(&e->writer);
    if (result < 0)
        luaL_error(L, "plan: %s", problem_text(result));
}

static void index_slots(lua_State *L) {
    lua_Integer count = (lua_Integer)lua_rawlen(L, SLOTS);
    if (count > PLAN_MAX_SLOTS)
        luaL_error(L, "slots: at most %d, got %I", PLAN_MAX_SLOTS, count);
    lua_createtable(L, 0, (int)count);
    for (lua_Integer i = 1; i <= count; i++) {
        if (lua_rawgeti(L, SLOTS, i) != LUA_TSTRING)
            luaL_error(L, "slots[%I]: string expected, got %s", i, luaL_typename(L, -1));
        lua_pushvalue(L, -1);
        if (lua_rawget(L, SLOT_INDEX) != LUA_TNIL)
            luaL_error(L, "slots[%I]: '%s' stands there twice", i, lua_tostring(L, -2));
        lua_pop(L, 1);
        lua_pushinteger(L, i - 1);
        lua_rawset(L, SLOT_INDEX);
    }
}

/* encode(steps, slots) -> plan. Upvalue: kind by name. */
static int l_encode(lua_State *L) {
    struct encoder e = {.L = L};
    lua_settop(L, SLOTS);
    luaL_checktype(L, STEPS, LUA_TTABLE);
    if (lua_isnil(L, SLOTS)) {
        lua_newtable(L);
        lua_replace(L, SLOTS);
    }
    luaL_checktype(L, SLOTS, LUA_TTABLE);
    lua_pushvalue(L, lua_upvalueindex(1));
    index_slots(L);
    lua_pushnil(L);
    encode(&e, NULL, 0);
    size_t size = e.writer.size;
    void *buffer = lua_newuserdatauv(L, size, 0);
    lua_replace(L, PLAN);
    encode(&e, buffer, size);
    luaL_setmetatable(L, PLAN_CLASS);
    return 1;
}

const struct plan_header *l_checkplan(lua_State *L, int index) {
    return luaL_checkudata(L, index, PLAN_CLASS);
}

static int l_count(lua_State *L) {
    lua_pushinteger(L, l_checkplan(L, 1)->steps);
    return 1;
}

static int l_size(lua_State *L) {
    lua_pushinteger(L, l_checkplan(L, 1)->size);
    return 1;
}

static int l_bytes(lua_State *L) {
    const struct plan_header *plan = l_checkplan(L, 1);
    lua_pushlstring(L, (const char *)plan, plan->size);
    return 1;
}

/* check(bytes) -> whether they are a plan as encode() makes them */
static int l_check(lua_State *L) {
    size_t size;
    const char *bytes = luaL_checklstring(L, 1, &size);
    lua_pushboolean(L, lctr_plan_check(bytes, size) == 0);
    return 1;
}

static const luaL_Reg methods[] = {
    {"count", l_count}, {"size", l_size}, {"bytes", l_bytes}, {NULL, NULL}};

static const luaL_Reg meta[] = {{"__len", l_count}, {NULL, NULL}};

/* ---- the tables that plan.h's rows become */

static void push_kinds(lua_State *L) {
    lua_createtable(L, 0, STEP_COUNT);
    for (uint32_t kind = 0; kind < STEP_COUNT; kind++) {
        lua_pushinteger(L, kind);
        lua_setfield(L, -2, lctr_plan_name(kind));
    }
}

static void push_args(lua_State *L, uint32_t kind) {
    const char *cursor = lctr_plan_args(kind);
    struct lctr_plan_arg arg;
    lua_newtable(L);
    for (lua_Integer i = 1; lctr_plan_next_arg(&cursor, &arg); i++) {
        lua_createtable(L, 0, 2);
        lua_pushlstring(L, arg.name, arg.length);
        lua_setfield(L, -2, "name");
        lua_pushlstring(L, &arg.type, 1);
        lua_setfield(L, -2, "type");
        lua_rawseti(L, -2, i);
    }
}

/* steps: { { name =, args = { { name =, type = }, ... } }, ... } in the order of plan.h */
static void push_steps(lua_State *L) {
    lua_createtable(L, STEP_COUNT, 0);
    for (uint32_t kind = 0; kind < STEP_COUNT; kind++) {
        lua_createtable(L, 0, 2);
        lua_pushstring(L, lctr_plan_name(kind));
        lua_setfield(L, -2, "name");
        push_args(L, kind);
        lua_setfield(L, -2, "args");
        lua_rawseti(L, -2, kind + 1);
    }
}

/* fd_arguments: op to the name of the argument that names a slot, for the kinds that have one */
static void push_fd_arguments(lua_State *L) {
    struct lctr_plan_arg arg;
    lua_newtable(L);
    for (uint32_t kind = 0; kind < STEP_COUNT; kind++) {
        const char *cursor = lctr_plan_args(kind);
        while (lctr_plan_next_arg(&cursor, &arg)) {
            if (!strchr("fF", arg.type))
                continue;
            lua_pushlstring(L, arg.name, arg.length);
            lua_setfield(L, -2, lctr_plan_name(kind));
        }
    }
}

/* __index of core.plan: to start a container takes no list of all kinds. */
static int l_index(lua_State *L) {
    if (lua_type(L, 2) != LUA_TSTRING || strcmp(lua_tostring(L, 2), "steps") != 0)
        return 0;
    push_steps(L);
    lua_pushvalue(L, -1);
    lua_setfield(L, 1, "steps");
    return 1;
}

struct number {
    const char *name;
    lua_Integer value;
};

#define X(id, name, value) {name, value},
static const struct number rendezvous[] = {PLAN_RENDEZVOUS(X){NULL, 0}};
static const struct number bind_policy[] = {PLAN_BIND_POLICY(X){NULL, 0}};
#undef X

static void set_numbers(lua_State *L, const char *key, const struct number *rows) {
    lua_newtable(L);
    for (; rows->name; rows++) {
        lua_pushinteger(L, rows->value);
        lua_setfield(L, -2, rows->name);
    }
    lua_setfield(L, -2, key);
}

int l_open_plan(lua_State *L) {
    l_newclass(L, PLAN_CLASS, methods, meta);
    lua_newtable(L);
    push_fd_arguments(L);
    lua_setfield(L, -2, "fd_arguments");
    lua_pushliteral(L, PLAN_DEFAULT_PATH);
    lua_setfield(L, -2, "default_path");
    lua_pushinteger(L, PLAN_MAX_STEPS);
    lua_setfield(L, -2, "max_steps");
    set_numbers(L, "rendezvous", rendezvous);
    set_numbers(L, "bind_policy", bind_policy);
    push_kinds(L);
    lua_pushcclosure(L, l_encode, 1);
    lua_setfield(L, -2, "encode");
    lua_pushcfunction(L, l_check);
    lua_setfield(L, -2, "check");
    lua_createtable(L, 0, 1);
    lua_pushcfunction(L, l_index);
    lua_setfield(L, -2, "__index");
    lua_setmetatable(L, -2);
    return 1;
}
