/* The `luactr` executable: an interpreter with luactr's Lua files and its C module inside it.
 *
 * It knows nothing of containers: it hands its arguments to luactr.cli and ends with the status
 * that cli's main returns. */
#include "heap.h"

#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>

#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define EXIT_LUACTR_FAILED 125
#define FREE_OF_COLLECTION 4096 /* KiB of Lua data until the collector starts */

int luaopen_luactr_core(lua_State *L);
int luaopen_cjson(lua_State *L); /* of the library */

/* ---- the embedded Lua files */

struct module {
    const char *name;
    unsigned offset; /* of its bytecode in embedded_code */
    unsigned size;
};

extern const char embedded_code[];

/* Written by csrc/embed.lua, sorted by name. The row in front keeps the table valid while
 * lua/luactr has no file; "" sorts before every name. */
static const struct module modules[] = {
    {"", 0, 0},
#include "embedded.inc"
};

static int compare_names(const void *name, const void *row) {
    return strcmp(name, ((const struct module *)row)->name);
}

/* An entry of package.searchers: the loader of an embedded module, or why there is none. */
static int search_embedded(lua_State *L) {
    const char *name = luaL_checkstring(L, 1);
    const struct module *found = bsearch(name, modules, sizeof modules / sizeof modules[0],
                                         sizeof modules[0], compare_names);
    if (!found || !found->size) {
        lua_pushfstring(L, "no module '%s' in the luactr executable", name);
        return 1;
    }
    if (luaL_loadbufferx(L, embedded_code + found->offset, found->size, name, "b") != LUA_OK)
        return lua_error(L);
    lua_pushliteral(L, ":embedded:");
    return 2;
}

/* ---- the interpreter */

/* Put our searcher behind package.preload and before the file system: a stray luactr/ directory
 * cannot replace a part of luactr. */
static void add_searcher(lua_State *L) {
    lua_getfield(L, -1, "searchers");
    for (lua_Integer i = luaL_len(L, -1); i >= 2; i--) {
        lua_geti(L, -1, i);
        lua_seti(L, -2, i + 1);
    }
    lua_pushcfunction(L, search_embedded);
    lua_seti(L, -2, 2);
    lua_pop(L, 1);
}

/* Remove "./?..." from a search path that the user did not set: luactr runs as root in directories
 * that belong to others. A recipe's own directory is put in front by the cli. */
static void forget_current_directory(lua_State *L, const char *field, const char *variable,
                                     const char *versioned) {
    static const char *const entries[] = {";./?.lua", ";./?/init.lua", ";./?.so"};
    if (getenv(variable) || getenv(versioned))
        return;
    for (size_t i = 0; i < sizeof entries / sizeof entries[0]; i++) {
        lua_getfield(L, -1, field);
        luaL_gsub(L, lua_tostring(L, -1), entries[i], "");
        lua_setfield(L, -3, field);
        lua_pop(L, 1);
    }
}

static void set_up_package(lua_State *L) {
    lua_getglobal(L, "package");
    add_searcher(L);
    forget_current_directory(L, "path", "LUA_PATH", "LUA_PATH_5_4");
    forget_current_directory(L, "cpath", "LUA_CPATH", "LUA_CPATH_5_4");
    lua_getfield(L, -1, "preload");
    lua_pushcfunction(L, luaopen_luactr_core);
    lua_setfield(L, -2, "luactr.core");
    lua_pushcfunction(L, luaopen_cjson);
    lua_setfield(L, -2, "luactr.json");
    lua_pop(L, 2);
}

static void push_arguments(lua_State *L, int argc, char **argv) {
    lua_createtable(L, argc, 1);
    for (int i = 0; i < argc; i++) {
        lua_pushstring(L, argv[i]);
        lua_seti(L, -2, i);
    }
    lua_pushvalue(L, -1);
    lua_setglobal(L, "arg");
}

static int add_traceback(lua_State *L) {
    luaL_traceback(L, L, luaL_tolstring(L, 1, NULL), 1);
    return 1;
}

struct invocation {
    int argc;
    char **argv;
    bool over; /* of cli's main, with this status */
    int status;
};

/* lua_close finalizes the oldest last. To free all memory after that, piece by piece, would take a
 * tenth of the time of a short command: the oldest ends the process. */
static int end_process(lua_State *L) {
    const struct invocation *call = *(struct invocation **)lua_touserdata(L, 1);
    if (call->over)
        exit(call->status);
    return 0;
}

static void end_when_finalized(lua_State *L, struct invocation *call) {
    *(struct invocation **)lua_newuserdatauv(L, sizeof call, 0) = call;
    lua_createtable(L, 0, 1);
    lua_pushcfunction(L, end_process);
    lua_setfield(L, -2, "__gc");
    lua_setmetatable(L, -2);
    lua_rawsetp(L, LUA_REGISTRYINDEX, call);
}

/* require("luactr.cli").main(arg), in protected mode. Returns the exit status as an integer. */
static int run_cli(lua_State *L) {
    struct invocation *call = lua_touserdata(L, 1);
    end_when_finalized(L, call);
    luaL_openlibs(L);
    set_up_package(L);
    lua_getglobal(L, "require");
    lua_pushliteral(L, "luactr.cli");
    lua_call(L, 1, 1);
    lua_getfield(L, -1, "main");
    push_arguments(L, call->argc, call->argv);
    lua_call(L, 1, 1);
    return 1;
}

static int interpret(lua_State *L, struct invocation *call) {
    lua_pushcfunction(L, add_traceback);
    lua_pushcfunction(L, run_cli);
    lua_pushlightuserdata(L, call);
    if (lua_pcall(L, 1, 1, 1) == LUA_OK)
        return (int)luaL_optinteger(L, -1, 0);
    fprintf(stderr, "luactr: internal error: %s\n", lua_tostring(L, -1));
    return EXIT_LUACTR_FAILED;
}

/* A descriptor that luactr opens must never become 0, 1 or 2 because the caller had closed them:
 * it would be taken for the container's stdio. The stand-ins fail with EBADF as a closed one. */
static void occupy_stdio(void) {
    for (int fd = 0; fd <= 2; fd++) {
        if (fcntl(fd, F_GETFD) >= 0)
            continue;
        if (open("/dev/null", fd == 0 ? O_WRONLY : O_RDONLY) != fd)
            _exit(EXIT_LUACTR_FAILED);
    }
}

/* AddressSanitizer watches malloc's blocks. */
static lua_State *new_state(void) {
#ifdef __SANITIZE_ADDRESS__
    return luaL_newstate();
#else
    return lua_newstate(lctr_heap_alloc, NULL);
#endif
}

int main(int argc, char **argv) {
    occupy_stdio();
    lua_State *L = new_state();
    if (!L) {
        fputs("luactr: not enough memory\n", stderr);
        return EXIT_LUACTR_FAILED;
    }
    /* A negative step is credit: the collector has nothing to find in what a start loads. */
    lua_gc(L, LUA_GCSTEP, -FREE_OF_COLLECTION);
    struct invocation call = {.argc = argc, .argv = argv};
    call.status = interpret(L, &call);
    call.over = true;
    lua_close(L); /* ends the process, unless nothing has been set up */
    return call.status;
}
