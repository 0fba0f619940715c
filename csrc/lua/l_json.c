/* core.json: plain data as JSON, for what luactr keeps on disk. Unlike cjson it keeps integers. */
#include "l_util.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#define DEEPEST  200 /* tables in each other; more is one that holds itself */
#define NUMBER   400 /* bytes; the largest double has 316 with six decimals */
#define TEXT_MIN 4096

/* The text, in a userdata at a fixed index of the stack: no error loses its memory. */
struct text {
    lua_State *L;
    int index;
    char *bytes;
    size_t size;
    size_t capacity;
};

static char *reserve(struct text *text, size_t more) {
    if (text->capacity - text->size < more) {
        size_t capacity = (text->capacity + more) * 2;
        char *bytes = lua_newuserdatauv(text->L, capacity, 0);
        memcpy(bytes, text->bytes, text->size);
        lua_replace(text->L, text->index);
        text->bytes = bytes;
        text->capacity = capacity;
    }
    return text->bytes + text->size;
}

static void add(struct text *text, const char *bytes, size_t size) {
    memcpy(reserve(text, size), bytes, size);
    text->size += size;
}

static void add_byte(struct text *text, char byte) {
    *reserve(text, 1) = byte;
    text->size++;
}

static bool is_special(unsigned char c) {
    return c < ' ' || c == 0x7f || c == '"' || c == '\\';
}

static void add_string(struct text *text, const char *string, size_t size) {
    char escaped[sizeof "\\u0000"];
    add_byte(text, '"');
    for (size_t start = 0, i = 0; i <= size; i++) {
        bool special = i < size && is_special((unsigned char)string[i]);
        if (i < size && !special)
            continue;
        add(text, string + start, i - start);
        start = i + 1;
        if (special)
            add(text, escaped,
                (size_t)snprintf(escaped, sizeof escaped, "\\u%04x", (unsigned char)string[i]));
    }
    add_byte(text, '"');
}

static void add_number(struct text *text, int index) {
    char number[NUMBER];
    int size = lua_isinteger(text->L, index)
                   ? snprintf(number, sizeof number, LUA_INTEGER_FMT, lua_tointeger(text->L, index))
                   : snprintf(number, sizeof number, "%.6f", lua_tonumber(text->L, index));
    add(text, number, (size_t)size);
}

static void add_value(struct text *text, int depth);

/* The table on the top; its first element is above it and leaves. */
static void add_list(struct text *text, int depth) {
    add_byte(text, '[');
    for (lua_Integer i = 2; !lua_isnil(text->L, -1); i++) {
        if (i > 2)
            add_byte(text, ',');
        add_value(text, depth);
        lua_pop(text->L, 1);
        lua_geti(text->L, -1, i);
    }
    add_byte(text, ']');
}

static void add_object(struct text *text, int depth) {
    lua_State *L = text->L;
    bool first = true;
    add_byte(text, '{');
    lua_pushnil(L);
    while (lua_next(L, -2)) {
        size_t size;
        const char *name = luaL_tolstring(L, -2, &size);
        if (!first)
            add_byte(text, ',');
        first = false;
        add_string(text, name, size);
        lua_pop(L, 1);
        add_byte(text, ':');
        add_value(text, depth);
        lua_pop(L, 1);
    }
    add_byte(text, '}');
}

static void add_table(struct text *text, int depth) {
    lua_State *L = text->L;
    if (depth == DEEPEST)
        luaL_error(L, "more than %d tables in each other", DEEPEST);
    luaL_checkstack(L, 4, NULL);
    if (lua_geti(L, -1, 1) != LUA_TNIL) {
        add_list(text, depth + 1);
        lua_pop(L, 1);
    } else {
        lua_pop(L, 1);
        add_object(text, depth + 1);
    }
}

/* The value on the top, which stays. */
static void add_value(struct text *text, int depth) {
    lua_State *L = text->L;
    size_t size;
    const char *string;
    switch (lua_type(L, -1)) {
    case LUA_TSTRING:
        string = lua_tolstring(L, -1, &size);
        add_string(text, string, size);
        break;
    case LUA_TNUMBER:
        add_number(text, -1);
        break;
    case LUA_TBOOLEAN:
        string = lua_toboolean(L, -1) ? "true" : "false";
        add(text, string, strlen(string));
        break;
    case LUA_TTABLE:
        add_table(text, depth);
        break;
    default:
        luaL_error(L, "no JSON for a %s", luaL_typename(L, -1));
    }
}

/* encode(value) -> text; raises for what has no form in JSON. A table is a list when it has an
 * element 1. */
static int l_encode(lua_State *L) {
    luaL_checkany(L, 1);
    lua_settop(L, 1);
    struct text text = {.L = L, .index = 1, .capacity = TEXT_MIN};
    text.bytes = lua_newuserdatauv(L, TEXT_MIN, 0);
    lua_insert(L, 1);
    add_value(&text, 0);
    lua_pushlstring(L, text.bytes, text.size);
    return 1;
}

static const luaL_Reg functions[] = {{"encode", l_encode}, {NULL, NULL}};

int l_open_json(lua_State *L) {
    luaL_newlib(L, functions);
    return 1;
}
