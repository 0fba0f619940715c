/* core.cgroup's pure part: the layout from text, the encoders, the parsers of kernel text. */
#include "core/bpf_device.h"
#include "core/cgroup_file.h"
#include "core/cgroup_meter.h"
#include "core/cgroup_setting.h"
#include "core/mountinfo.h"
#include "l_cgroup.h"

#include <errno.h>
#include <string.h>

enum cgroup_controller l_checkcontroller(lua_State *L, int arg) {
    int controller = lctr_cgroup_controller(luaL_checkstring(L, arg));
    luaL_argcheck(L, controller >= 0, arg, "unknown controller");
    return (enum cgroup_controller)controller;
}

unsigned int l_checkcontrollers(lua_State *L, int arg) {
    unsigned int bits = 0;
    if (lua_isnoneornil(L, arg))
        return 0;
    luaL_checktype(L, arg, LUA_TTABLE);
    for (lua_Integer i = 1; lua_rawgeti(L, arg, i) != LUA_TNIL; i++) {
        int controller = lctr_cgroup_controller(luaL_checkstring(L, -1));
        luaL_argcheck(L, controller >= 0, arg, "unknown controller");
        bits |= CGROUP_BIT(controller);
        lua_pop(L, 1);
    }
    lua_pop(L, 1);
    return bits;
}

/* ---- the layout as a table */

static void set_string(lua_State *L, const char *key, const char *value) {
    lua_pushstring(L, value);
    lua_setfield(L, -2, key);
}

/* The pseudo controllers of v2 itself are in no hierarchy's name: "core". */
void l_pushcontrollers(lua_State *L, unsigned int controllers) {
    char name[256] = "";
    for (int i = 0; i < CGROUP_CONTROLLERS; i++) {
        if (!(controllers & CGROUP_BIT(i)))
            continue;
        strcat(name, *name ? "," : "");
        strcat(name, lctr_cgroup_controller_name((enum cgroup_controller)i));
    }
    lua_pushstring(L, name);
}

static void push_names(lua_State *L, unsigned int controllers) {
    lua_newtable(L);
    for (int i = 0; i < CGROUP_CONTROLLERS; i++) {
        if (!(controllers & CGROUP_BIT(i)))
            continue;
        lua_pushstring(L, lctr_cgroup_controller_name((enum cgroup_controller)i));
        lua_rawseti(L, -2, luaL_len(L, -2) + 1);
    }
}

/* A set: name = true. */
static void push_granted(lua_State *L, unsigned int controllers) {
    lua_newtable(L);
    for (int i = 0; i < CGROUP_CONTROLLERS; i++) {
        if (!(controllers & CGROUP_BIT(i)))
            continue;
        lua_pushboolean(L, 1);
        lua_setfield(L, -2, lctr_cgroup_controller_name((enum cgroup_controller)i));
    }
}

/* What mount(2) wants to hear to mount the hierarchy once more: "cpu,cpuacct", "blkio". */
static void push_kernel_names(lua_State *L, const struct cgroup_hierarchy *hierarchy) {
    char names[256] = "";
    for (int i = 0; i < CGROUP_CONTROLLERS && hierarchy->version == 1; i++) {
        if (!(hierarchy->controllers & CGROUP_BIT(i)))
            continue;
        strcat(names, *names ? "," : "");
        strcat(names, lctr_cgroup_kernel_name((enum cgroup_controller)i, 1));
    }
    lua_pushstring(L, names);
}

static void push_hierarchy(lua_State *L, const struct cgroup_hierarchy *hierarchy) {
    lua_createtable(L, 0, 9);
    lua_pushinteger(L, hierarchy->version);
    lua_setfield(L, -2, "version");
    set_string(L, "mount", hierarchy->mount);
    set_string(L, "own", hierarchy->own);
    set_string(L, "parent", hierarchy->parent);
    lua_pushboolean(L, hierarchy->parent != NULL);
    lua_setfield(L, -2, "delegated");
    push_names(L, hierarchy->controllers);
    lua_setfield(L, -2, "controllers");
    push_granted(L, hierarchy->granted);
    lua_setfield(L, -2, "granted");
    push_kernel_names(L, hierarchy);
    lua_setfield(L, -2, "options");
    if (hierarchy->version == 2)
        lua_pushliteral(L, "unified");
    else
        l_pushcontrollers(L, hierarchy->controllers);
    lua_setfield(L, -2, "name");
}

static void push_homes(lua_State *L, const struct cgroup_layout *layout, int hierarchies) {
    lua_newtable(L);
    for (int i = 0; i < CGROUP_CONTROLLERS; i++) {
        const struct cgroup_hierarchy *home = lctr_cgroup_home(layout, (enum cgroup_controller)i);
        if (!home)
            continue;
        lua_rawgeti(L, hierarchies, home - layout->hierarchy + 1);
        lua_setfield(L, -2, lctr_cgroup_controller_name((enum cgroup_controller)i));
    }
}

static const char *kind(const struct cgroup_layout *layout) {
    const struct cgroup_hierarchy *unified = lctr_cgroup_unified(layout);
    if (!unified)
        return layout->count ? "v1" : "none";
    return layout->count > 1 ? "hybrid" : "v2";
}

/* { kind, hierarchies = list, controllers = name to hierarchy, unified = hierarchy } */
static void push_layout(lua_State *L, const struct cgroup_layout *layout) {
    const struct cgroup_hierarchy *unified = lctr_cgroup_unified(layout);
    lua_createtable(L, 0, 4);
    set_string(L, "kind", kind(layout));
    lua_createtable(L, (int)layout->count, 0);
    int hierarchies = lua_gettop(L);
    for (size_t i = 0; i < layout->count; i++) {
        push_hierarchy(L, &layout->hierarchy[i]);
        lua_rawseti(L, hierarchies, (lua_Integer)i + 1);
    }
    push_homes(L, layout, hierarchies);
    lua_setfield(L, hierarchies - 1, "controllers");
    if (unified) {
        lua_rawgeti(L, hierarchies, unified - layout->hierarchy + 1);
        lua_setfield(L, hierarchies - 1, "unified");
    }
    lua_setfield(L, hierarchies - 1, "hierarchies");
}

/* detect() -> layout of this host. It is scratch in Lua's heap, since pages of the stack that
 * nothing else uses would be faulted in for it. */
static int l_detect(lua_State *L) {
    struct cgroup_layout *layout = lua_newuserdatauv(L, sizeof *layout, 0);
    int error = lctr_cgroup_detect(layout);
    if (error)
        return l_pushfail(L, -error, "read", "/proc/self/mountinfo");
    push_layout(L, layout);
    return 1;
}

/* A copy that may be cut into pieces, as a userdata on the stack. */
static char *scratch(lua_State *L, int arg) {
    size_t length;
    const char *text = luaL_optlstring(L, arg, "", &length);
    char *copy = lua_newuserdatauv(L, length + 1, 0);
    memcpy(copy, text, length + 1);
    return copy;
}

static int add_mounts(struct cgroup_layout *layout, char *text) {
    struct mountinfo mount;
    while (text) {
        const char *line = strsep(&text, "\n");
        int error = 0;
        if (lctr_mountinfo_parse((char *)line, &mount) == 0)
            error = lctr_cgroup_layout_mount(layout, &mount);
        if (error)
            return error;
    }
    return 0;
}

/* As root would find it: everything may be used. */
static void delegate_all(struct cgroup_layout *layout) {
    for (size_t i = 0; i < layout->count; i++) {
        layout->hierarchy[i].parent = "";
        layout->hierarchy[i].granted = layout->hierarchy[i].controllers;
    }
}

/* layout(mountinfo, own, controllers, root): the same from text, for root or somebody to whom
 * nothing is delegated. */
static int l_layout(lua_State *L) {
    const char *controllers = luaL_optstring(L, 3, "");
    bool root = lua_toboolean(L, 4);
    char *mountinfo = scratch(L, 1);
    char *own = scratch(L, 2);
    struct cgroup_layout *layout = lua_newuserdatauv(L, sizeof *layout, 0);
    memset(layout, 0, sizeof *layout);
    int error = add_mounts(layout, mountinfo);
    lctr_cgroup_layout_unified(layout, controllers);
    if (!error)
        error = lctr_cgroup_layout_own(layout, own);
    if (error)
        return l_pushfail(L, -error, "layout", NULL);
    if (root)
        delegate_all(layout);
    push_layout(L, layout);
    return 1;
}

/* ---- settings */

static void push_setting(lua_State *L, const struct cgroup_setting *setting) {
    lua_createtable(L, 0, 5);
    set_string(L, "name", setting->name);
    set_string(L, "controller", lctr_cgroup_controller_name(setting->controller));
    lua_pushboolean(L, setting->keyed);
    lua_setfield(L, -2, "keyed");
    set_string(L, "v1", setting->v1.file);
    set_string(L, "v2", setting->v2.file);
}

/* settings() -> list of { name, controller, keyed, v1 = file or nil, v2 = file or nil } */
static int l_settings(lua_State *L) {
    lua_createtable(L, (int)lctr_cgroup_setting_count, 0);
    for (size_t i = 0; i < lctr_cgroup_setting_count; i++) {
        push_setting(L, &lctr_cgroup_settings[i]);
        lua_rawseti(L, -2, (lua_Integer)i + 1);
    }
    return 1;
}

static struct cgroup_value check_value(lua_State *L, int arg, enum cgroup_value_kind value_kind) {
    struct cgroup_value value = {.kind = value_kind};
    if (value_kind == CGROUP_VALUE_REAL)
        value.real = luaL_checknumber(L, arg);
    else if (value_kind == CGROUP_VALUE_INTEGER)
        value.integer = luaL_checkinteger(L, arg);
    else
        value.text = luaL_checkstring(L, arg);
    return value;
}

static void push_write(lua_State *L, const struct cgroup_writes *writes, size_t i) {
    lua_createtable(L, 0, 2);
    set_string(L, "file", writes->write[i].file);
    set_string(L, "text", writes->text + writes->write[i].text);
}

/* A write that stands in for the one before it becomes that one's field "instead". */
static void push_writes(lua_State *L, const struct cgroup_writes *writes) {
    lua_newtable(L);
    for (size_t i = 0; i < writes->count; i++) {
        push_write(L, writes, i);
        if (!writes->write[i].instead) {
            lua_rawseti(L, -2, luaL_len(L, -2) + 1);
            continue;
        }
        lua_rawgeti(L, -2, luaL_len(L, -2));
        lua_insert(L, -2);
        lua_setfield(L, -2, "instead");
        lua_pop(L, 1);
    }
}

/* encode(setting, value, version, key) -> list of { file, text, instead }, or nil, message, errno:
 * EOPNOTSUPP: this version has no such setting. */
static int l_encode(lua_State *L) {
    const struct cgroup_setting *setting = lctr_cgroup_setting(luaL_checkstring(L, 1));
    luaL_argcheck(L, setting != NULL, 1, "unknown setting");
    struct cgroup_value value = check_value(L, 2, setting->kind);
    lua_Integer version = luaL_checkinteger(L, 3);
    luaL_argcheck(L, version == 1 || version == 2, 3, "1 or 2 expected");
    value.key = luaL_optstring(L, 4, NULL);
    struct cgroup_writes writes;
    writes.count = 0;
    writes.used = 0;
    int error = lctr_cgroup_encode(setting, &value, (int)version, &writes);
    if (error)
        return l_pushfail(L, -error, setting->name, NULL);
    push_writes(L, &writes);
    return 1;
}

static int l_weight(lua_State *L) {
    lua_pushinteger(L, lctr_cgroup_weight(luaL_checkinteger(L, 1)));
    return 1;
}

/* ---- parsers, for the facts that limits are checked against, and for specs */

/* check_list(list, within) -> true, or nil, message, errno, first number outside. */
static int l_check_list(lua_State *L) {
    unsigned int outside = 0;
    int error = lctr_cgroup_list(luaL_checkstring(L, 1), luaL_optstring(L, 2, NULL), &outside);
    if (error != -ERANGE)
        return l_pushresult(L, error, "list", NULL);
    l_pushfail(L, ERANGE, "list", NULL);
    lua_pushinteger(L, outside);
    return 4;
}

static int l_parse_number(lua_State *L) {
    int64_t value;
    int error = lctr_cgroup_number(luaL_checkstring(L, 1), &value);
    if (error)
        return l_pushfail(L, -error, "number", NULL);
    lua_pushinteger(L, value);
    return 1;
}

static int l_parse_flat(lua_State *L) {
    int64_t value;
    int error = lctr_cgroup_flat(luaL_checkstring(L, 1), luaL_checkstring(L, 2), &value);
    if (error)
        return l_pushfail(L, -error, "flat", NULL);
    lua_pushinteger(L, value);
    return 1;
}

static int l_parse_sum(lua_State *L) {
    const char *separator = luaL_checkstring(L, 3);
    const char *key = luaL_checkstring(L, 2);
    luaL_argcheck(L, *key, 2, "empty key");
    lua_pushinteger(L, lctr_cgroup_sum(luaL_checkstring(L, 1), key, *separator));
    return 1;
}

static void push_stall(lua_State *L, const struct cgroup_stall *stall) {
    lua_createtable(L, 0, 4);
    lua_pushnumber(L, stall->avg10);
    lua_setfield(L, -2, "avg10");
    lua_pushnumber(L, stall->avg60);
    lua_setfield(L, -2, "avg60");
    lua_pushnumber(L, stall->avg300);
    lua_setfield(L, -2, "avg300");
    lua_pushnumber(L, stall->total);
    lua_setfield(L, -2, "total");
}

void l_pushpressure(lua_State *L, const struct cgroup_pressure *pressure) {
    lua_createtable(L, 0, 2);
    push_stall(L, &pressure->some);
    lua_setfield(L, -2, "some");
    push_stall(L, &pressure->full);
    lua_setfield(L, -2, "full");
}

static int l_parse_pressure(lua_State *L) {
    struct cgroup_pressure pressure;
    int error = lctr_cgroup_pressure_parse(luaL_checkstring(L, 1), &pressure);
    if (error)
        return l_pushfail(L, -error, "pressure", NULL);
    l_pushpressure(L, &pressure);
    return 1;
}

static int l_parse_mountinfo(lua_State *L) {
    struct mountinfo mount;
    int error = lctr_mountinfo_parse(scratch(L, 1), &mount);
    if (error)
        return l_pushfail(L, -error, "mountinfo", NULL);
    lua_createtable(L, 0, 11);
    lua_pushinteger(L, mount.id);
    lua_setfield(L, -2, "id");
    lua_pushinteger(L, mount.parent);
    lua_setfield(L, -2, "parent");
    lua_pushinteger(L, mount.major);
    lua_setfield(L, -2, "major");
    lua_pushinteger(L, mount.minor);
    lua_setfield(L, -2, "minor");
    set_string(L, "root", mount.root);
    set_string(L, "target", mount.target);
    set_string(L, "options", mount.options);
    set_string(L, "propagation", mount.propagation);
    set_string(L, "type", mount.type);
    set_string(L, "source", mount.source);
    set_string(L, "super_options", mount.super_options);
    return 1;
}

/* device_program(rules) -> the program's instructions, 8 bytes each. */
static int l_device_program(lua_State *L) {
    struct device_rules rules;
    struct bpf_insn program[BPF_DEVICE_MAX];
    int error = lctr_device_rules_parse(luaL_checkstring(L, 1), &rules);
    if (error)
        return l_pushfail(L, -error, "device rules", NULL);
    size_t count = lctr_bpf_device_compile(&rules, program);
    lua_pushlstring(L, (const char *)program, count * sizeof program[0]);
    return 1;
}

static const luaL_Reg functions[] = {
    {"detect", l_detect},
    {"layout", l_layout},
    {"settings", l_settings},
    {"encode", l_encode},
    {"weight", l_weight},
    {"check_list", l_check_list},
    {"parse_number", l_parse_number},
    {"parse_flat", l_parse_flat},
    {"parse_sum", l_parse_sum},
    {"parse_pressure", l_parse_pressure},
    {"parse_mountinfo", l_parse_mountinfo},
    {"device_program", l_device_program},
    {NULL, NULL},
};

void l_cgroup_pure(lua_State *L) {
    luaL_setfuncs(L, functions, 0);
}
