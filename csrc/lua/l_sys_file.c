/* Paths and directories. Functions that take a path take a directory descriptor last, from where
 * a relative path starts: the *at system calls, with the working directory as the default. */
#include "l_sys.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <unistd.h>

/* ---- create, remove, rename */

static int l_mkdir(lua_State *L) {
    const char *path = l_checkcstring(L, 1);
    mode_t mode = lua_isnoneornil(L, 2) ? 0777 : l_checkmode(L, 2);
    int dir = l_optfd(L, 3, AT_FDCWD);
    int result = mkdirat(dir, path, mode);
    return l_pushdone(L, result, errno, "mkdir", path);
}

static int l_rmdir(lua_State *L) {
    const char *path = l_checkcstring(L, 1);
    int dir = l_optfd(L, 2, AT_FDCWD);
    int result = unlinkat(dir, path, AT_REMOVEDIR);
    return l_pushdone(L, result, errno, "rmdir", path);
}

static int l_unlink(lua_State *L) {
    const char *path = l_checkcstring(L, 1);
    int dir = l_optfd(L, 2, AT_FDCWD);
    int result = unlinkat(dir, path, 0);
    return l_pushdone(L, result, errno, "unlink", path);
}

static int l_rename(lua_State *L) {
    const char *from = l_checkcstring(L, 1);
    const char *to = l_checkcstring(L, 2);
    int dir = l_optfd(L, 3, AT_FDCWD);
    unsigned int flags = (unsigned int)l_checkintflags(L, 4, l_rename_names);
    int result = renameat2(dir, from, dir, to, flags);
    return l_pushdone(L, result, errno, "rename", from);
}

static int l_link(lua_State *L) {
    const char *existing = l_checkcstring(L, 1);
    const char *path = l_checkcstring(L, 2);
    int dir = l_optfd(L, 3, AT_FDCWD);
    int result = linkat(dir, existing, l_optfd(L, 4, dir), path, 0);
    return l_pushdone(L, result, errno, "link", path);
}

static int l_symlink(lua_State *L) {
    const char *link = l_checkcstring(L, 1);
    const char *path = l_checkcstring(L, 2);
    int dir = l_optfd(L, 3, AT_FDCWD);
    int result = symlinkat(link, dir, path);
    return l_pushdone(L, result, errno, "symlink", path);
}

static int l_readlink(lua_State *L) {
    const char *path = l_checkcstring(L, 1);
    int dir = l_optfd(L, 2, AT_FDCWD);
    char target[PATH_MAX];
    ssize_t length = readlinkat(dir, path, target, sizeof target);
    if (length < 0)
        return l_pushfail(L, errno, "readlink", path);
    lua_pushlstring(L, target, (size_t)length);
    return 1;
}

static int l_mknod(lua_State *L) {
    const char *path = l_checkcstring(L, 1);
    mode_t mode = l_checkmode(L, 2);
    dev_t device = (dev_t)luaL_optinteger(L, 3, 0);
    int dir = l_optfd(L, 4, AT_FDCWD);
    int result = mknodat(dir, path, mode, device);
    return l_pushdone(L, result, errno, "mknod", path);
}

static int l_makedev(lua_State *L) {
    unsigned int major = (unsigned int)l_checkrange(L, 1, 0, UINT_MAX);
    unsigned int minor = (unsigned int)l_checkrange(L, 2, 0, UINT_MAX);
    lua_pushinteger(L, (lua_Integer)makedev(major, minor));
    return 1;
}

static int l_splitdev(lua_State *L) {
    dev_t device = (dev_t)luaL_checkinteger(L, 1);
    lua_pushinteger(L, major(device));
    lua_pushinteger(L, minor(device));
    return 2;
}

/* ---- attributes */

/* A file to work on: a path below a directory, or an open descriptor. */
struct target {
    int dir;
    const char *path;
    int flags; /* AT_EMPTY_PATH for a descriptor */
};

static struct target check_file(lua_State *L, int arg) {
    if (lua_type(L, arg) != LUA_TSTRING)
        return (struct target){.dir = l_checkfd(L, arg), .path = "", .flags = AT_EMPTY_PATH};
    return (struct target){.dir = AT_FDCWD, .path = l_checkcstring(L, arg)};
}

static struct target check_target(lua_State *L, int arg, int dir_arg) {
    struct target target = check_file(L, arg);
    if (!target.flags)
        target.dir = l_optfd(L, dir_arg, AT_FDCWD);
    return target;
}

static const char *path_for_message(const struct target *target) {
    return target->flags ? NULL : target->path;
}

static int l_chmod(lua_State *L) {
    struct target target = check_target(L, 1, 3);
    mode_t mode = l_checkmode(L, 2);
    int result =
        target.flags ? fchmod(target.dir, mode) : fchmodat(target.dir, target.path, mode, 0);
    return l_pushdone(L, result, errno, "chmod", path_for_message(&target));
}

static int l_chown(lua_State *L) {
    struct target target = check_target(L, 1, 5);
    uid_t uid = l_optid(L, 2);
    gid_t gid = l_optid(L, 3);
    int flags = l_checkintflags(L, 4, l_at_names) | target.flags;
    int result = fchownat(target.dir, target.path, uid, gid, flags);
    return l_pushdone(L, result, errno, "chown", path_for_message(&target));
}

static const char *type_name(mode_t mode) {
    static const struct {
        mode_t type;
        const char *name;
    } types[] = {{S_IFREG, "file"},   {S_IFDIR, "directory"}, {S_IFLNK, "symlink"},
                 {S_IFCHR, "char"},   {S_IFBLK, "block"},     {S_IFIFO, "fifo"},
                 {S_IFSOCK, "socket"}};
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++)
        if ((mode & S_IFMT) == types[i].type)
            return types[i].name;
    return "unknown";
}

static void set_integer(lua_State *L, const char *key, uint64_t value) {
    lua_pushinteger(L, (lua_Integer)value);
    lua_setfield(L, -2, key);
}

static void set_time(lua_State *L, const char *key, const struct statx_timestamp *time) {
    lua_pushnumber(L, (lua_Number)time->tv_sec + (lua_Number)time->tv_nsec / 1e9);
    lua_setfield(L, -2, key);
}

static void push_stat(lua_State *L, const struct statx *file) {
    lua_createtable(L, 0, 18);
    lua_pushstring(L, type_name(file->stx_mode));
    lua_setfield(L, -2, "type");
    set_integer(L, "mode", file->stx_mode & 07777);
    set_integer(L, "dev", makedev(file->stx_dev_major, file->stx_dev_minor));
    set_integer(L, "ino", file->stx_ino);
    set_integer(L, "rdev", makedev(file->stx_rdev_major, file->stx_rdev_minor));
    set_integer(L, "nlink", file->stx_nlink);
    set_integer(L, "uid", file->stx_uid);
    set_integer(L, "gid", file->stx_gid);
    set_integer(L, "size", file->stx_size);
    set_integer(L, "blocks", file->stx_blocks);
    set_time(L, "atime", &file->stx_atime);
    set_time(L, "mtime", &file->stx_mtime);
    set_time(L, "ctime", &file->stx_ctime);
    lua_pushinteger(L, file->stx_mtime.tv_sec * 1000000000 + file->stx_mtime.tv_nsec);
    lua_setfield(L, -2, "mtime_ns");
    if (file->stx_mask & STATX_MNT_ID) /* Linux 5.8 */
        set_integer(L, "mnt_id", file->stx_mnt_id);
    if (file->stx_attributes_mask & STATX_ATTR_MOUNT_ROOT) {
        lua_pushboolean(L, (file->stx_attributes & STATX_ATTR_MOUNT_ROOT) != 0);
        lua_setfield(L, -2, "mount_root");
    }
}

static int l_stat(lua_State *L) {
    struct target target = check_target(L, 1, 3);
    int flags = l_checkintflags(L, 2, l_at_names) | target.flags;
    struct statx file;
    int result = statx(target.dir, target.path, flags, STATX_BASIC_STATS | STATX_MNT_ID, &file);
    if (result < 0)
        return l_pushfail(L, errno, "stat", path_for_message(&target));
    push_stat(L, &file);
    return 1;
}

static int l_statfs(lua_State *L) {
    struct target target = check_file(L, 1);
    struct statfs fs;
    int result = target.flags ? fstatfs(target.dir, &fs) : statfs(target.path, &fs);
    if (result < 0)
        return l_pushfail(L, errno, "statfs", path_for_message(&target));
    lua_createtable(L, 0, 8);
    set_integer(L, "type", (uint64_t)fs.f_type);
    set_integer(L, "bsize", (uint64_t)fs.f_bsize);
    set_integer(L, "blocks", fs.f_blocks);
    set_integer(L, "bfree", fs.f_bfree);
    set_integer(L, "bavail", fs.f_bavail);
    set_integer(L, "files", fs.f_files);
    set_integer(L, "ffree", fs.f_ffree);
    set_integer(L, "flags", (uint64_t)fs.f_flags);
    return 1;
}

/* ---- directories */

/* getdents64 instead of opendir: a DIR would have no owner if Lua ran out of memory. */
#define DIRENTS_SIZE 32768

static bool is_dot(const char *name) {
    return strcmp(name, ".") == 0 || strcmp(name, "..") == 0;
}

static void push_entry(lua_State *L, const struct dirent64 *entry) {
    lua_createtable(L, 0, 3);
    lua_pushstring(L, entry->d_name);
    lua_setfield(L, -2, "name");
    lua_pushstring(L, type_name(DTTOIF(entry->d_type)));
    lua_setfield(L, -2, "type");
    set_integer(L, "ino", entry->d_ino);
}

/* Append the entries of one getdents64 buffer to the list on top. */
static lua_Integer push_entries(lua_State *L, const char *buffer, size_t length,
                                lua_Integer count) {
    for (size_t at = 0; at < length;) {
        const struct dirent64 *entry = (const void *)(buffer + at);
        at += entry->d_reclen;
        if (is_dot(entry->d_name))
            continue;
        push_entry(L, entry);
        lua_seti(L, -2, ++count);
    }
    return count;
}

static int l_readdir(lua_State *L) {
    struct target target = check_target(L, 1, 2);
    const char *path = target.flags ? "." : target.path; /* a new description: its own offset */
    int *fd = l_newfd(L);
    char *buffer = lua_newuserdatauv(L, DIRENTS_SIZE, 0);
    *fd = openat(target.dir, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (*fd < 0)
        return l_pushfail(L, errno, "readdir", path_for_message(&target));
    lua_toclose(L, -2);
    lua_newtable(L);
    lua_Integer count = 0;
    for (;;) {
        ssize_t length = syscall(SYS_getdents64, *fd, buffer, DIRENTS_SIZE);
        if (length < 0)
            return l_pushfail(L, errno, "readdir", path_for_message(&target));
        if (length == 0)
            return 1;
        count = push_entries(L, buffer, (size_t)length, count);
    }
}

static int l_chdir(lua_State *L) {
    const char *path = l_checkcstring(L, 1);
    int result = chdir(path);
    return l_pushdone(L, result, errno, "chdir", path);
}

static int l_fchdir(lua_State *L) {
    int result = fchdir(l_checkfd(L, 1));
    return l_pushdone(L, result, errno, "fchdir", NULL);
}

static int l_getcwd(lua_State *L) {
    char path[PATH_MAX];
    if (!getcwd(path, sizeof path))
        return l_pushfail(L, errno, "getcwd", NULL);
    lua_pushstring(L, path);
    return 1;
}

static int l_chroot(lua_State *L) {
    const char *path = l_checkcstring(L, 1);
    int result = chroot(path);
    return l_pushdone(L, result, errno, "chroot", path);
}

static int l_umask(lua_State *L) {
    lua_pushinteger(L, umask(l_checkmode(L, 1)));
    return 1;
}

static const luaL_Reg functions[] = {
    {"mkdir", l_mkdir},       {"rmdir", l_rmdir},   {"unlink", l_unlink},
    {"rename", l_rename},     {"link", l_link},     {"symlink", l_symlink},
    {"readlink", l_readlink}, {"mknod", l_mknod},   {"makedev", l_makedev},
    {"splitdev", l_splitdev}, {"chmod", l_chmod},   {"chown", l_chown},
    {"stat", l_stat},         {"statfs", l_statfs}, {"readdir", l_readdir},
    {"chdir", l_chdir},       {"fchdir", l_fchdir}, {"getcwd", l_getcwd},
    {"chroot", l_chroot},     {"umask", l_umask},   {NULL, NULL}};

void l_sys_file(lua_State *L) {
    luaL_setfuncs(L, functions, 0);
}
