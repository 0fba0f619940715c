/* core.archive: entries of tar archives as tables, their data by descriptors. See
 * luactr/files/archive.lua. */
#include "core/archive.h"
#include "l_sys.h"
#include "l_util.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#define CLASS "luactr.archive"

struct handle {
    struct lctr_archive *archive; /* NULL when closed */
    bool writing;
};

static struct handle *check(lua_State *L, bool writing) {
    struct handle *handle = luaL_checkudata(L, 1, CLASS);
    luaL_argcheck(L, handle->archive, 1, "closed archive");
    luaL_argcheck(L, handle->writing == writing, 1, writing ? "it is read" : "it is written");
    return handle;
}

/* The triple, with libarchive's words where the kernel has none. */
static int push_failure(lua_State *L, struct lctr_archive *archive, int result, const char *op) {
    const char *text = lctr_archive_text(archive);
    if (!text || strcmp(text, strerror(-result)) == 0)
        return l_pushfail(L, -result, op, NULL);
    lua_pushnil(L);
    lua_pushfstring(L, "%s archive: %s", op, text);
    lua_pushinteger(L, -result);
    return 3;
}

/* ---- types */

static const struct {
    const char *name;
    uint32_t type;
} types[] = {
    {"file", S_IFREG},  {"directory", S_IFDIR}, {"symlink", S_IFLNK}, {"char", S_IFCHR},
    {"block", S_IFBLK}, {"fifo", S_IFIFO},      {"link", 0},
};

static const char *name_of(uint32_t type) {
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++)
        if (types[i].type == type)
            return types[i].name;
    return "unknown";
}

static uint32_t type_of(lua_State *L, const char *name) {
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++)
        if (strcmp(types[i].name, name) == 0)
            return types[i].type;
    return (uint32_t)luaL_error(L, "an archive has no files of the type %s", name);
}

/* ---- open and close */

/* The descriptor is the handle's user value: it lives as long. */
static struct handle *new_handle(lua_State *L, bool writing) {
    struct handle *handle = lua_newuserdatauv(L, sizeof *handle, 1);
    *handle = (struct handle){.writing = writing};
    luaL_setmetatable(L, CLASS);
    lua_pushvalue(L, 1);
    lua_setiuservalue(L, -2, 1);
    return handle;
}

static int l_reader(lua_State *L) {
    int fd = l_checkfd(L, 1);
    struct handle *handle = new_handle(L, false);
    int result = lctr_archive_read(&handle->archive, fd);
    if (result == -EILSEQ || result == -EBADMSG) {
        lua_pushnil(L);
        lua_pushliteral(L, "read archive: it is no tar archive");
        lua_pushinteger(L, EBADMSG);
        return 3;
    }
    return result < 0 ? l_pushfail(L, -result, "read archive", NULL) : 1;
}

static int l_writer(lua_State *L) {
    int fd = l_checkfd(L, 1);
    const char *filter = l_optcstring(L, 2);
    struct handle *handle = new_handle(L, true);
    int result = lctr_archive_write(&handle->archive, fd, filter);
    return result < 0 ? l_pushfail(L, -result, "write archive", NULL) : 1;
}

/* What is collected, or left by an error, was not to be whole. */
static int l_close(lua_State *L) {
    struct handle *handle = luaL_checkudata(L, 1, CLASS);
    if (handle->archive)
        lctr_archive_close(handle->archive, true);
    handle->archive = NULL;
    return 0;
}

static int l_finish(lua_State *L) {
    struct handle *handle = check(L, true);
    int result = lctr_archive_close(handle->archive, false);
    handle->archive = NULL;
    return l_pushresult(L, result, "write archive", NULL);
}

/* ---- reading */

static void set_string(lua_State *L, const char *key, const char *value) {
    lua_pushstring(L, value);
    lua_setfield(L, -2, key);
}

static void set_integer(lua_State *L, const char *key, int64_t value) {
    lua_pushinteger(L, value);
    lua_setfield(L, -2, key);
}

static void push_xattrs(lua_State *L, struct lctr_archive *archive) {
    const char *name;
    const void *value;
    size_t size;
    lua_newtable(L);
    while (lctr_archive_next_xattr(archive, &name, &value, &size)) {
        lua_pushlstring(L, value, size);
        lua_setfield(L, -2, name);
    }
}

static void push_parts(lua_State *L, struct lctr_archive *archive) {
    int64_t offset;
    int64_t size;
    lua_newtable(L);
    for (lua_Integer i = 1; lctr_archive_next_part(archive, &offset, &size); i++) {
        lua_createtable(L, 0, 2);
        set_integer(L, "offset", offset);
        set_integer(L, "size", size);
        lua_seti(L, -2, i);
    }
}

static void push_entry(lua_State *L, struct lctr_archive *archive, const struct lctr_entry *entry) {
    lua_createtable(L, 0, 12);
    set_string(L, "path", entry->path);
    set_string(L, "link", entry->link);
    set_string(L, "type", name_of(entry->type));
    set_integer(L, "mode", entry->mode);
    set_integer(L, "size", entry->size);
    set_integer(L, "uid", entry->uid);
    set_integer(L, "gid", entry->gid);
    set_integer(L, "mtime", entry->mtime);
    set_integer(L, "major", entry->major);
    set_integer(L, "minor", entry->minor);
    push_xattrs(L, archive);
    lua_setfield(L, -2, "xattrs");
    push_parts(L, archive);
    lua_setfield(L, -2, "parts");
}

/* next() -> entry, or false at the end, or the triple */
static int l_next(lua_State *L) {
    const struct handle *handle = check(L, false);
    struct lctr_entry entry;
    int result = lctr_archive_next(handle->archive, &entry);
    if (result < 0)
        return push_failure(L, handle->archive, result, "read");
    if (result == 0)
        lua_pushboolean(L, 0);
    else
        push_entry(L, handle->archive, &entry);
    return 1;
}

/* extract(fd): the data of the last entry */
static int l_extract(lua_State *L) {
    const struct handle *handle = check(L, false);
    int result = lctr_archive_extract(handle->archive, l_checkfd(L, 2));
    if (result < 0)
        return push_failure(L, handle->archive, result, "extract from");
    lua_pushboolean(L, 1);
    return 1;
}

/* ---- writing */

#define ENTRY 2

static int64_t integer_field(lua_State *L, const char *key) {
    lua_getfield(L, ENTRY, key);
    lua_Integer value = luaL_optinteger(L, -1, 0);
    lua_pop(L, 1);
    return value;
}

/* The string stays on the stack, so that it lives. */
static const char *string_field(lua_State *L, const char *key) {
    lua_getfield(L, ENTRY, key);
    return l_optcstring(L, lua_gettop(L));
}

static void read_entry(lua_State *L, struct lctr_entry *entry) {
    const char *type = string_field(L, "type");
    const char *path = string_field(L, "path");
    luaL_argcheck(L, type && path, ENTRY, "an entry has a path and a type");
    *entry = (struct lctr_entry){
        .path = path,
        .link = string_field(L, "link"),
        .type = type_of(L, type),
        .mode = (uint32_t)integer_field(L, "mode") & 07777,
        .size = integer_field(L, "size"),
        .uid = integer_field(L, "uid"),
        .gid = integer_field(L, "gid"),
        .mtime = integer_field(L, "mtime"),
        .major = (uint32_t)integer_field(L, "major"),
        .minor = (uint32_t)integer_field(L, "minor"),
    };
    bool is_link = entry->type == 0 || entry->type == S_IFLNK;
    luaL_argcheck(L, is_link == (entry->link != NULL), ENTRY, "links, and they alone, have a link");
    luaL_argcheck(L, entry->size >= 0, ENTRY, "negative size");
}

/* In the order of names: the same entry is to give the same bytes. */
static void add_xattrs(lua_State *L, struct lctr_archive *archive) {
    if (lua_getfield(L, ENTRY, "xattrs") == LUA_TNIL)
        return;
    luaL_argcheck(L, lua_istable(L, -1), ENTRY, "xattrs: table expected");
    int values = lua_gettop(L);
    lua_newtable(L);
    int names = lua_gettop(L);
    lua_pushnil(L);
    for (lua_Integer i = 1; lua_next(L, values); i++) {
        luaL_argcheck(L, lua_type(L, -2) == LUA_TSTRING && lua_type(L, -1) == LUA_TSTRING, ENTRY,
                      "xattrs: strings by name expected");
        lua_pop(L, 1);
        lua_pushvalue(L, -1);
        lua_seti(L, names, i);
    }
    lua_getglobal(L, "table");
    lua_getfield(L, -1, "sort");
    lua_pushvalue(L, names);
    lua_call(L, 1, 0);
    for (lua_Integer i = 1; lua_geti(L, names, i) == LUA_TSTRING; i++) {
        size_t size;
        lua_pushvalue(L, -1);
        lua_gettable(L, values);
        const char *value = lua_tolstring(L, -1, &size);
        lctr_archive_add_xattr(archive, lua_tostring(L, -2), value, size);
        lua_pop(L, 2);
    }
}

/* add(entry, fd or nil) -> true, whether the file was shorter than told */
static int l_add(lua_State *L) {
    const struct handle *handle = check(L, true);
    luaL_checktype(L, ENTRY, LUA_TTABLE);
    lua_settop(L, 3);
    struct lctr_entry entry;
    read_entry(L, &entry);
    int fd = entry.type == S_IFREG && entry.size > 0 ? l_checkfd(L, 3) : -1;
    lctr_archive_begin(handle->archive, &entry);
    add_xattrs(L, handle->archive);
    int result = lctr_archive_add(handle->archive, fd);
    if (result < 0)
        return push_failure(L, handle->archive, result, "write");
    lua_pushboolean(L, 1);
    lua_pushboolean(L, result);
    return 2;
}

static const luaL_Reg methods[] = {{"next", l_next},     {"extract", l_extract}, {"add", l_add},
                                   {"finish", l_finish}, {"close", l_close},     {NULL, NULL}};

static const luaL_Reg meta[] = {{"__gc", l_close}, {"__close", l_close}, {NULL, NULL}};

static const luaL_Reg functions[] = {{"reader", l_reader}, {"writer", l_writer}, {NULL, NULL}};

int l_open_archive(lua_State *L) {
    l_newclass(L, CLASS, methods, meta);
    luaL_newlib(L, functions);
    return 1;
}
