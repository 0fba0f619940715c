/* What l_monitor.c shares with l_spawn.c. Included by csrc/lua only. */
#ifndef LUACTR_L_SPAWN_H
#define LUACTR_L_SPAWN_H

#include "core/spawn.h"

#include <lua.h>

/* An integer field of the table at `table`, or `otherwise` when there is none. Raises. */
lua_Integer l_integerfield(lua_State *L, int table, const char *name, lua_Integer otherwise);

/* Read what the table at index 1 says of a launch: plan, flags, fds (into `fds`, with room for
 * PLAN_MAX_SLOTS), cgroup, times, fail. Raises. The table keeps what the launch points to. */
void l_readlaunch(lua_State *L, struct lctr_launch *launch, int *fds);

/* Push an event, whose descriptor, if it has one, is the handle on top of the stack. */
int l_pushevent(lua_State *L, const struct lctr_event *event);

/* The methods step_time and step_skipped of a process; their argument 2 is the step. */
int l_steptime(lua_State *L, struct lctr_process *p);
int l_stepskipped(lua_State *L, struct lctr_process *p);

#endif
