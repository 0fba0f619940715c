/* core.cgroup: the handle "luactr.cgroup", owner of a container's directories. */
#include "core/cgroup.h"

#include "core/cgroup_file.h"
#include "core/cgroup_meter.h"
#include "core/cgroup_place.h"
#include "core/cgroup_process.h"
#include "l_cgroup.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#define CLASS "luactr.cgroup"

struct handle {
    struct cgroup group;
    bool closed;
    pid_t maker; /* a fork's copy must not take the container down when it is collected */
    int attach[CGROUP_HIERARCHIES]; /* open while a process is started; of v1 directories */
    size_t attach_count;
    char id[CGROUP_PATH_MAX];
};

static struct handle *check(lua_State *L) {
    struct handle *handle = luaL_checkudata(L, 1, CLASS);
    luaL_argcheck(L, !handle->closed, 1, "closed cgroup");
    return handle;
}

/* nil, message, errno, and the file that it is about. */
static int push_failure(lua_State *L, const struct handle *handle, int error, const char *op) {
    l_pushfail(L, -error, op, handle->group.where);
    lua_pushstring(L, handle->group.where);
    return 4;
}

static int push_outcome(lua_State *L, const struct handle *handle, int error, const char *op) {
    if (error)
        return push_failure(L, handle, error, op);
    lua_pushboolean(L, 1);
    return 1;
}

/* ---- making one */

static bool is_name(const char *id, size_t length) {
    return length > 0 && length <= NAME_MAX && *id != '.' && !memchr(id, '/', length) &&
           !memchr(id, '\n', length);
}

/* "a/b": no part of it leads anywhere else. */
static bool is_path(const char *path) {
    for (;;) {
        size_t length = strcspn(path, "/");
        bool dots = *path == '.' && (length == 1 || (length == 2 && path[1] == '.'));
        if (!length || length > NAME_MAX || dots || memchr(path, '\n', length))
            return false;
        if (!path[length])
            return true;
        path += length + 1;
    }
}

/* A container's, or POD/MEMBER, or a place. */
static bool is_id(const char *id) {
    if (lctr_cgroup_is_chosen(id))
        return is_path(strchr(id, '/') + 1);
    const char *slash = strchr(id, '/');
    size_t length = slash ? (size_t)(slash - id) : strlen(id);
    return is_name(id, length) && (!slash || is_name(slash + 1, strlen(slash + 1)));
}

static int new_handle(lua_State *L, bool owner) {
    size_t length;
    const char *id = luaL_checklstring(L, 1, &length);
    struct handle *handle = lua_newuserdatauv(L, sizeof *handle, 1); /* user value: the freezer */
    luaL_argcheck(L, length < sizeof handle->id && strlen(id) == length && is_id(id), 1,
                  "not a name for a cgroup");
    lctr_cgroup_init(&handle->group);
    handle->group.owner = owner;
    handle->closed = false;
    handle->maker = getpid();
    handle->attach_count = 0;
    strcpy(handle->id, id);
    luaL_setmetatable(L, CLASS);
    return 1;
}

/* create(id) -> handle without directories, which removes those that are added when closed. */
static int l_create(lua_State *L) {
    return new_handle(L, true);
}

/* open(id) -> handle that looks for the directories of another one, and only lets go of them. */
static int l_open(lua_State *L) {
    return new_handle(L, false);
}

static const char *string_field(lua_State *L, int arg, const char *key) {
    luaL_argcheck(L, lua_getfield(L, arg, key) == LUA_TSTRING, arg,
                  lua_pushfstring(L, "%s: string expected", key));
    const char *text = lua_tostring(L, -1);
    lua_pop(L, 1); /* the table keeps it */
    return text;
}

static unsigned int controllers_field(lua_State *L, int arg, const char *key) {
    lua_getfield(L, arg, key);
    unsigned int bits = l_checkcontrollers(L, lua_gettop(L));
    lua_pop(L, 1);
    return bits;
}

static struct cgroup_place check_place(lua_State *L, int arg) {
    luaL_checktype(L, arg, LUA_TTABLE);
    struct cgroup_place place = {
        .mount = string_field(L, arg, "mount"),
        .parent = string_field(L, arg, "parent"),
        .controllers = controllers_field(L, arg, "controllers"),
        .meters = controllers_field(L, arg, "meters"),
    };
    lua_getfield(L, arg, "version");
    place.version = (int)luaL_checkinteger(L, -1);
    lua_pop(L, 1);
    return place;
}

/* add { version, mount, parent, controllers, meters }: a directory in one more hierarchy. */
static int l_add(lua_State *L) {
    struct handle *handle = check(L);
    struct cgroup_place place = check_place(L, 2);
    int error = lctr_cgroup_add(&handle->group, &place, handle->id);
    /* On the way it may give controllers to the directory, which is a write. */
    bool giving = strstr(handle->group.where, "/cgroup.subtree_control") != NULL;
    return push_outcome(L, handle, error, giving ? "write" : "mkdir");
}

/* The same while the container runs: moves its processes in. */
static int l_extend(lua_State *L) {
    struct handle *handle = check(L);
    struct cgroup_place place = check_place(L, 2);
    int error = lctr_cgroup_extend(&handle->group, &place, handle->id);
    return push_outcome(L, handle, error, "attach");
}

/* ---- what a start needs */

static void close_attach(struct handle *handle) {
    while (handle->attach_count)
        close(handle->attach[--handle->attach_count]);
}

/* attach_fds() -> { ["cgroup:cpu,cpuacct"] = fd }: integers that the handle owns, one for each v1
 * directory. A process that writes "0" is in. It has to be single-threaded, since the file is
 * "tasks": cgroup.procs takes a lock over all processes of the host, which waits for a grace period
 * of RCU. */
static int l_attach_fds(lua_State *L) {
    struct handle *handle = check(L);
    lua_newtable(L);
    close_attach(handle);
    for (size_t i = 0; i < handle->group.count; i++) {
        const struct cgroup_dir *dir = &handle->group.dir[i];
        if (dir->version != 1)
            continue;
        int fd = openat(dir->fd, "tasks", O_WRONLY | O_CLOEXEC);
        if (fd < 0) {
            int error = lctr_cgroup_blame(&handle->group, dir->path, "tasks", -errno);
            return push_failure(L, handle, error, "open");
        }
        handle->attach[handle->attach_count++] = fd;
        lua_pushliteral(L, "cgroup:");
        l_pushcontrollers(L, dir->controllers);
        lua_concat(L, 2);
        lua_pushinteger(L, fd);
        lua_rawset(L, -3);
    }
    return 1;
}

/* attached(): the process is in, the fds of attach_fds are no longer needed. */
static int l_attached(lua_State *L) {
    close_attach(check(L));
    return 0;
}

/* fd() -> the v2 directory for CLONE_INTO_CGROUP, an integer that the handle owns; or nil. */
static int l_fd(lua_State *L) {
    struct handle *handle = check(L);
    const struct cgroup_dir *dir = lctr_cgroup_main(&handle->group);
    if (!dir || dir->version != 2)
        return 0;
    lua_pushinteger(L, dir->fd);
    return 1;
}

/* held() -> the directories, integers that the handle owns: whoever has a copy of one holds it. */
static int l_held(lua_State *L) {
    struct handle *handle = check(L);
    lua_createtable(L, (int)handle->group.count, 0);
    for (size_t i = 0; i < handle->group.count; i++) {
        lua_pushinteger(L, handle->group.dir[i].fd);
        lua_rawseti(L, -2, (lua_Integer)i + 1);
    }
    return 1;
}

/* paths() -> list of { path, version, name } */
static int l_paths(lua_State *L) {
    struct handle *handle = check(L);
    lua_newtable(L);
    for (size_t i = 0; i < handle->group.count; i++) {
        const struct cgroup_dir *dir = &handle->group.dir[i];
        lua_createtable(L, 0, 3);
        lua_pushstring(L, dir->path);
        lua_setfield(L, -2, "path");
        lua_pushinteger(L, dir->version);
        lua_setfield(L, -2, "version");
        l_pushcontrollers(L, dir->controllers);
        lua_setfield(L, -2, "name");
        lua_rawseti(L, -2, (lua_Integer)i + 1);
    }
    return 1;
}

/* has(controller) -> boolean */
static int l_has(lua_State *L) {
    struct handle *handle = check(L);
    lua_pushboolean(L, lctr_cgroup_dir(&handle->group, l_checkcontroller(L, 2)) != NULL);
    return 1;
}

/* ---- settings and meters */

/* write(controller, file, text) */
static int l_write(lua_State *L) {
    struct handle *handle = check(L);
    enum cgroup_controller controller = l_checkcontroller(L, 2);
    const char *file = luaL_checkstring(L, 3);
    const char *text = luaL_checkstring(L, 4);
    luaL_argcheck(L, !strchr(file, '/'), 3, "not a file of a cgroup");
    return push_outcome(L, handle, lctr_cgroup_set(&handle->group, controller, file, text),
                        "write");
}

/* read(controller, file) -> text, or nil, message, errno, file */
static int l_read(lua_State *L) {
    struct handle *handle = check(L);
    enum cgroup_controller controller = l_checkcontroller(L, 2);
    const char *file = luaL_checkstring(L, 3);
    char text[8192];
    luaL_argcheck(L, !strchr(file, '/'), 3, "not a file of a cgroup");
    const struct cgroup_dir *dir = lctr_cgroup_dir(&handle->group, controller);
    int length = dir ? lctr_cgroup_read(dir->fd, file, text, sizeof text) : -ENODEV;
    if (length < 0) {
        lctr_cgroup_blame(&handle->group, dir ? dir->path : "", file, length);
        return push_failure(L, handle, length, "read");
    }
    lua_pushlstring(L, text, (size_t)length);
    return 1;
}

static void push_meter(lua_State *L, const struct cgroup_meter *meter) {
    if (meter->per == 1)
        lua_pushinteger(L, meter->count);
    else
        lua_pushnumber(L, (double)meter->count / (double)meter->per);
}

static int push_meters(lua_State *L, bool now) {
    struct handle *handle = check(L);
    struct cgroup_meter meters[CGROUP_METERS_MAX];
    size_t count = lctr_cgroup_meters(&handle->group, now, meters);
    lua_createtable(L, 0, (int)count);
    for (size_t i = 0; i < count; i++) {
        push_meter(L, &meters[i]);
        lua_setfield(L, -2, meters[i].name);
    }
    return 1;
}

/* meters() -> { cpu_seconds, memory_peak, memory, ... }; nil where the host has no source. */
static int l_meters(lua_State *L) {
    return push_meters(L, true);
}

/* totals() -> the same without the figures of this moment: cheaper, for the end. */
static int l_totals(lua_State *L) {
    return push_meters(L, false);
}

/* pressure() -> { cpu, memory, io }, each { some, full }, or nil where the host has none. */
static int l_pressure(lua_State *L) {
    static const char *const names[] = {"cpu", "memory", "io"}; /* ORDER PRESSURE */
    struct handle *handle = check(L);
    bool found = false;
    lua_newtable(L);
    for (int i = 0; i < 3; i++) {
        struct cgroup_pressure pressure;
        if (lctr_cgroup_pressure(&handle->group, (enum cgroup_pressure_of)i, &pressure) < 0)
            continue;
        found = true;
        l_pushpressure(L, &pressure);
        lua_setfield(L, -2, names[i]);
    }
    return found;
}

/* ---- processes */

struct pids {
    pid_t *list;
    size_t room;
    size_t count;
};

static int take_pid(pid_t pid, void *context) {
    struct pids *pids = context;
    if (pids->count < pids->room)
        pids->list[pids->count] = pid;
    pids->count++;
    return 0;
}

/* Into a userdata on the stack. Counted first: a walk must not call Lua, which may raise. */
static int collect(lua_State *L, int dir, struct pids *pids) {
    int error;
    *pids = (struct pids){.room = 0};
    do {
        size_t room = pids->count + 16;
        pids->list = lua_newuserdatauv(L, room * sizeof(pid_t), 0);
        pids->room = room;
        pids->count = 0;
        error = lctr_cgroup_visit(dir, take_pid, pids);
    } while (!error && pids->count > pids->room);
    return error;
}

/* processes() -> list of pids, as this process's pid namespace numbers them. */
static int l_processes(lua_State *L) {
    struct handle *handle = check(L);
    const struct cgroup_dir *dir = lctr_cgroup_main(&handle->group);
    struct pids pids = {.count = 0};
    int error = dir ? collect(L, dir->fd, &pids) : 0;
    if (error) {
        lctr_cgroup_blame(&handle->group, dir->path, "cgroup.procs", error);
        return push_failure(L, handle, error, "read");
    }
    lua_createtable(L, (int)pids.count, 0);
    for (size_t i = 0; i < pids.count; i++) {
        lua_pushinteger(L, pids.list[i]);
        lua_rawseti(L, -2, (lua_Integer)i + 1);
    }
    return 1;
}

/* kill(signal, except): to all processes but the one of that pid, if given; KILL if not given. */
static int l_kill(lua_State *L) {
    struct handle *handle = check(L);
    lua_Integer signal = luaL_optinteger(L, 2, SIGKILL);
    pid_t except = (pid_t)luaL_optinteger(L, 3, 0);
    luaL_argcheck(L, signal > 0 && signal <= SIGRTMAX, 2, "not a signal");
    const struct cgroup_dir *dir = lctr_cgroup_main(&handle->group);
    int error = dir ? lctr_cgroup_signal(dir->fd, (int)signal, except) : 0;
    if (error)
        lctr_cgroup_blame(&handle->group, dir->path, "", error);
    return push_outcome(L, handle, error, "kill");
}

/* freezer(place): where freeze() is to make a directory if there is none that can freeze. On v1 it
 * is one more, which most containers never need. */
static int l_freezer(lua_State *L) {
    check(L);
    luaL_checktype(L, 2, LUA_TTABLE);
    lua_settop(L, 2);
    lua_setiuservalue(L, 1, 1);
    return 0;
}

static int add_freezer(lua_State *L, struct handle *handle) {
    if (lctr_cgroup_dir(&handle->group, CGROUP_FREEZER) || lua_getiuservalue(L, 1, 1) != LUA_TTABLE)
        return 0;
    struct cgroup_place place = check_place(L, lua_gettop(L));
    return lctr_cgroup_extend(&handle->group, &place, handle->id);
}

static int l_freeze(lua_State *L) {
    struct handle *handle = check(L);
    int error = add_freezer(L, handle);
    if (error)
        return push_failure(L, handle, error, "attach");
    return push_outcome(L, handle, lctr_cgroup_freeze(&handle->group), "freeze");
}

static int l_thaw(lua_State *L) {
    struct handle *handle = check(L);
    return push_outcome(L, handle, lctr_cgroup_thaw(&handle->group), "thaw");
}

/* ---- the end */

/* destroy(): kill what is left, remove the directories, close. Idempotent. */
static int l_destroy(lua_State *L) {
    struct handle *handle = luaL_checkudata(L, 1, CLASS);
    close_attach(handle);
    handle->closed = true;
    return push_outcome(L, handle, lctr_cgroup_destroy(&handle->group), "rmdir");
}

/* disown(): from now on somebody else removes the directories. */
static int l_disown(lua_State *L) {
    check(L)->group.owner = false;
    return 0;
}

struct cgroup *l_checkgroup(lua_State *L, int arg) {
    struct handle *handle = luaL_checkudata(L, arg, CLASS);
    luaL_argcheck(L, !handle->closed, arg, "closed cgroup");
    return &handle->group;
}

/* close(): destroy what create() made, let go of what open() found. Idempotent. */
static int l_close(lua_State *L) {
    struct handle *handle = luaL_checkudata(L, 1, CLASS);
    if (handle->group.owner && handle->maker == getpid())
        return l_destroy(L);
    close_attach(handle);
    handle->closed = true;
    lctr_cgroup_release(&handle->group);
    lua_pushboolean(L, 1);
    return 1;
}

static int l_tostring(lua_State *L) {
    const struct handle *handle = luaL_checkudata(L, 1, CLASS);
    lua_pushfstring(L, "cgroup %s%s", handle->id, handle->closed ? " (closed)" : "");
    return 1;
}

/* sweep(tops, id, kill) -> true; nil, message, errno: EBUSY: somebody holds it. */
static int l_sweep(lua_State *L) {
    const char *tops[CGROUP_HIERARCHIES];
    size_t count = 0;
    luaL_checktype(L, 1, LUA_TTABLE);
    const char *id = luaL_checkstring(L, 2);
    luaL_argcheck(L, is_id(id), 2, "not a name of a cgroup");
    bool kill = lua_toboolean(L, 3);
    for (lua_Integer i = 1; lua_rawgeti(L, 1, i) == LUA_TSTRING; i++) {
        luaL_argcheck(L, count < CGROUP_HIERARCHIES, 1, "too many");
        tops[count++] = lua_tostring(L, -1);
        lua_pop(L, 1); /* the table keeps it */
    }
    return l_pushresult(L, lctr_cgroup_sweep(tops, count, id, kill), "sweep", id);
}

static const luaL_Reg methods[] = {
    {"add", l_add},
    {"extend", l_extend},
    {"attach_fds", l_attach_fds},
    {"attached", l_attached},
    {"fd", l_fd},
    {"held", l_held},
    {"paths", l_paths},
    {"has", l_has},
    {"write", l_write},
    {"read", l_read},
    {"meters", l_meters},
    {"totals", l_totals},
    {"pressure", l_pressure},
    {"processes", l_processes},
    {"kill", l_kill},
    {"freezer", l_freezer},
    {"freeze", l_freeze},
    {"thaw", l_thaw},
    {"destroy", l_destroy},
    {"disown", l_disown},
    {"close", l_close},
    {NULL, NULL},
};

static const luaL_Reg meta[] = {
    {"__gc", l_close}, {"__close", l_close}, {"__tostring", l_tostring}, {NULL, NULL}};

static const luaL_Reg functions[] = {
    {"create", l_create}, {"open", l_open}, {"sweep", l_sweep}, {NULL, NULL}};

int l_open_cgroup(lua_State *L) {
    l_newclass(L, CLASS, methods, meta);
    luaL_newlib(L, functions);
    l_cgroup_pure(L);
    l_cgroup_event(L);
    return 1;
}
