/* What the l_cgroup*.c files share. Included by csrc/lua only. */
#ifndef LUACTR_L_CGROUP_H
#define LUACTR_L_CGROUP_H

#include "core/cgroup_layout.h"
#include "l_util.h"

struct cgroup;
struct cgroup_pressure;

/* The controller named by an argument. Raises for an unknown name. */
enum cgroup_controller l_checkcontroller(lua_State *L, int arg);

/* The bits of a list of controller names; no list is no bits. Raises for an unknown name. */
unsigned int l_checkcontrollers(lua_State *L, int arg);

/* The group of the handle at `arg`, which keeps it. Raises. */
struct cgroup *l_checkgroup(lua_State *L, int arg);

/* Push "cpu,cpuacct": luactr's names of the controllers of a hierarchy, which name its slot. */
void l_pushcontrollers(lua_State *L, unsigned int controllers);

/* Push { some = { avg10, avg60, avg300, total }, full = ... }. */
void l_pushpressure(lua_State *L, const struct cgroup_pressure *pressure);

/* The functions that touch nothing. Added to the table on top. */
void l_cgroup_pure(lua_State *L);

/* Those that tell of events. Added to the table on top. */
void l_cgroup_event(lua_State *L);

#endif
