/* What l_spawn.c needs of an encoded plan. Included by csrc/lua only. */
#ifndef LUACTR_L_PLAN_H
#define LUACTR_L_PLAN_H

#include "../plan.h"

#include <lua.h>

/* The plan at `index`, or an error that names the argument. The memory belongs to Lua. */
const struct plan_header *l_checkplan(lua_State *L, int index);

#endif
