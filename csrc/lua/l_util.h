/* What every l_*.c shares: pushing failures and the fd handle. Included by csrc/lua only. */
#ifndef LUACTR_L_UTIL_H
#define LUACTR_L_UTIL_H

#include <lauxlib.h>
#include <lua.h>

/* The triple that every primitive returns when the world says no: nil, "op path: text", errno.
 * `error` is a positive errno, `path` may be NULL. Returns 3. */
int l_pushfail(lua_State *L, int error, const char *op, const char *path);

/* What a call of the 0-or-negative-errno kind returned: pushes true, or the triple. */
int l_pushresult(lua_State *L, int result, const char *op, const char *path);

/* ---- fd handles: metatable "luactr.fd", owner of one descriptor, -1 when closed */

/* Push a closed handle; acquire into the returned int afterwards, so a memory error leaks nothing.
 */
int *l_newfd(lua_State *L);

/* The descriptor of argument `arg`: an open handle, or an integer >= 0. Raises otherwise. */
int l_checkfd(lua_State *L, int arg);

/* The same, or `otherwise` for nil and none. */
int l_optfd(lua_State *L, int arg, int otherwise);

/* sys.close, sys.read and sys.write; the last two are the handle's methods too. */
int l_fd_close(lua_State *L);
int l_fd_read(lua_State *L);
int l_fd_write(lua_State *L);

/* Each l_<concern>.c: push the table of its functions. ORDER CONCERN in module.c. */
int l_open_fd(lua_State *L);
int l_open_sys(lua_State *L);
int l_open_plan(lua_State *L);
int l_open_spawn(lua_State *L);
int l_open_monitor(lua_State *L);
int l_open_supervise(lua_State *L);
int l_open_seccomp(lua_State *L);
int l_open_notify(lua_State *L);
int l_open_cgroup(lua_State *L);
int l_open_archive(lua_State *L);
int l_open_digest(lua_State *L);
int l_open_pump(lua_State *L);
int l_open_gate(lua_State *L);
int l_open_systemd(lua_State *L);
int l_open_regex(lua_State *L);
int l_open_netdev(lua_State *L);
int l_open_json(lua_State *L);

/* Register a metatable: `methods` become __index, `meta` the metamethods. */
void l_newclass(lua_State *L, const char *name, const luaL_Reg *methods, const luaL_Reg *meta);

#endif
