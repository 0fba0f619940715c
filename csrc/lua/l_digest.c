/* core.digest: SHA-256 of strings and of what descriptors have. See luactr/files/digest.lua. */
#include "core/digest.h"
#include "l_util.h"

#define CLASS  "luactr.digest"
#define PREFIX "sha256:"

struct handle {
    struct lctr_digest *digest; /* NULL when closed */
};

static struct lctr_digest *check(lua_State *L) {
    struct handle *handle = luaL_checkudata(L, 1, CLASS);
    luaL_argcheck(L, handle->digest, 1, "closed digest");
    return handle->digest;
}

static int l_new(lua_State *L) {
    struct handle *handle = lua_newuserdatauv(L, sizeof *handle, 0);
    handle->digest = NULL;
    luaL_setmetatable(L, CLASS);
    int result = lctr_digest_new(&handle->digest);
    return result < 0 ? l_pushfail(L, -result, "load libnettle", NULL) : 1;
}

static int l_close(lua_State *L) {
    struct handle *handle = luaL_checkudata(L, 1, CLASS);
    lctr_digest_free(handle->digest);
    handle->digest = NULL;
    return 0;
}

/* update(string) -> itself */
static int l_update(lua_State *L) {
    struct lctr_digest *digest = check(L);
    size_t size;
    const char *data = luaL_checklstring(L, 2, &size);
    lctr_digest_update(digest, data, size);
    lua_settop(L, 1);
    return 1;
}

/* update_fd(fd) -> bytes */
static int l_update_fd(lua_State *L) {
    struct lctr_digest *digest = check(L);
    int64_t size;
    int result = lctr_digest_update_fd(digest, l_checkfd(L, 2), &size);
    if (result < 0)
        return l_pushfail(L, -result, "read", NULL);
    lua_pushinteger(L, size);
    return 1;
}

/* finish() -> "sha256:..." */
static int l_finish(lua_State *L) {
    char text[LCTR_DIGEST_TEXT];
    lctr_digest_finish(check(L), text);
    lua_pushfstring(L, PREFIX "%s", text);
    return 1;
}

static const luaL_Reg methods[] = {{"update", l_update},
                                   {"update_fd", l_update_fd},
                                   {"finish", l_finish},
                                   {"close", l_close},
                                   {NULL, NULL}};

static const luaL_Reg meta[] = {{"__gc", l_close}, {"__close", l_close}, {NULL, NULL}};

static const luaL_Reg functions[] = {{"new", l_new}, {NULL, NULL}};

int l_open_digest(lua_State *L) {
    l_newclass(L, CLASS, methods, meta);
    luaL_newlib(L, functions);
    return 1;
}
