/* What the l_sys_*.c files share: names of kernel constants and argument checks.
 * Included by csrc/lua only. */
#ifndef LUACTR_L_SYS_H
#define LUACTR_L_SYS_H

#include "l_util.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/resource.h>
#include <sys/types.h>
#include <sys/wait.h>

/* ---- kernel constants by name (l_sys_constants.c) */

/* One constant: "CLONE_NEWPID" is also known as "newpid", the name behind `skip` characters.
 * A family is an array of these that ends with a NULL name. */
struct l_name {
    const char *name;
    size_t skip;
    lua_Integer value;
};

/* ORDER FAMILY in l_sys_constants.c */
extern const struct l_name l_clone_names[];
extern const struct l_name l_open_names[];
extern const struct l_name l_resolve_names[];
extern const struct l_name l_rename_names[];
extern const struct l_name l_at_names[];
extern const struct l_name l_mount_names[];
extern const struct l_name l_umount_names[];
extern const struct l_name l_mount_attr_names[];
extern const struct l_name l_fsopen_names[];
extern const struct l_name l_fsmount_names[];
extern const struct l_name l_fsconfig_names[];
extern const struct l_name l_open_tree_names[];
extern const struct l_name l_move_mount_names[];
extern const struct l_name l_wait_names[];
extern const struct l_name l_file_type_names[];
extern const struct l_name l_seek_names[];
extern const struct l_name l_memfd_names[];
extern const struct l_name l_seal_names[];
extern const struct l_name l_securebit_names[];
extern const struct l_name l_seccomp_names[];
extern const struct l_name l_landlock_fs_names[];
extern const struct l_name l_landlock_net_names[];
extern const struct l_name l_landlock_scope_names[];
extern const struct l_name l_landlock_restrict_names[];
extern const struct l_name l_rlimit_names[];
extern const struct l_name l_clock_names[];

/* An argument of flags: an integer, a name, or a list of names and integers; nothing is 0.
 * A name is the C constant's, or the part behind its prefix in any case. Raises on others. */
lua_Integer l_checkflags(lua_State *L, int arg, const struct l_name *family);

/* The same for an int, which is what most system calls take. */
int l_checkintflags(lua_State *L, int arg, const struct l_name *family);

/* An argument that is one constant: an integer or a name. */
lua_Integer l_checkname(lua_State *L, int arg, const struct l_name *family);

/* A signal: its number, "TERM" or "SIGTERM". 0 only probes, where the call knows that. */
int l_checksignal(lua_State *L, int arg);

/* ---- arguments */

/* A string for the kernel: one with a zero byte inside would be cut there, so it raises. */
const char *l_checkcstring(lua_State *L, int arg);
const char *l_optcstring(lua_State *L, int arg);

/* A whole number between `low` and `high`. */
lua_Integer l_checkrange(lua_State *L, int arg, lua_Integer low, lua_Integer high);

/* A file mode: an integer, or octal digits ("0755"), since Lua has no octal literals. */
mode_t l_checkmode(lua_State *L, int arg);

/* A process: an integer > 0 or a child of clone(); l_optpid takes nothing and 0 for the caller. */
pid_t l_checkpid(lua_State *L, int arg);
pid_t l_optpid(lua_State *L, int arg);

/* The pidfd of a child of clone(), -1 for any other value. */
int l_testchildfd(lua_State *L, int arg);

/* A user or group id; nothing is -1, which the kernel reads as "leave it". */
uint32_t l_optid(lua_State *L, int arg);

/* The options table at `arg` has no key but these; the list ends with NULL. Raises otherwise. */
void l_checkkeys(lua_State *L, int arg, const char *const *known);

/* ---- results */

/* What a libc call returned: 0 pushes true; -1 the triple from `error`, which is errno. */
int l_pushdone(lua_State *L, int result, int error, const char *op, const char *path);

/* The same for a call that returned a number of interest. */
int l_pushnumber(lua_State *L, lua_Integer result, int error, const char *op);

/* The handle on top of the stack got *fd; pushes the triple if that is -1. */
int l_pushfd(lua_State *L, const int *fd, int error, const char *op, const char *path);

/* How a process ended, stopped or went on, and what it used. */
struct l_exit {
    siginfo_t info;
    struct rusage usage;
};

/* waitid(2) with the resource usage that only the raw system call gives. 0 or -errno. */
int l_waitid(idtype_t type, id_t id, int options, struct l_exit *how);

/* Push it as a table: pid, code or signal or stopped or continued, times, memory. */
void l_pushexit(lua_State *L, const struct l_exit *how);

/* ---- each file adds its functions to the table on top. ORDER SYS in l_sys.c */
void l_sys_constants(lua_State *L);
void l_sys_fd(lua_State *L);
void l_sys_file(lua_State *L);
void l_sys_attributes(lua_State *L);
void l_sys_mount(lua_State *L);
void l_sys_namespace(lua_State *L);
void l_sys_process(lua_State *L);
void l_sys_clone(lua_State *L);
void l_sys_resource(lua_State *L);
void l_sys_ids(lua_State *L);
void l_sys_security(lua_State *L);
void l_sys_landlock(lua_State *L);
void l_sys_quota(lua_State *L);
void l_sys_capability(lua_State *L);
void l_sys_terminal(lua_State *L);
void l_sys_probe(lua_State *L);

#endif
