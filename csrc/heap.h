/* The allocator of luactr's own interpreter. Included by main.c only. */
#ifndef LUACTR_HEAP_H
#define LUACTR_HEAP_H

#include <stddef.h>

/* A lua_Alloc (lua_Alloc in the Lua manual): blocks up to 32 KiB from free lists by size, which
 * nothing but this process's end gives back; the others from malloc. `state` is not used. */
void *lctr_heap_alloc(void *state, void *block, size_t old_size, size_t new_size);

#endif
