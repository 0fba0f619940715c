/* Which files somebody has locked, as /proc/locks tells: one look in place of a try for each.
 * Knows no Lua. */
#ifndef LUACTR_CORE_FLOCKS_H
#define LUACTR_CORE_FLOCKS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* The inodes of a device that are under flock(2), in order, `most` at most. How many: perhaps not
 * all, since the kernel hides locks of processes that one is not to see, and a host with very many
 * locks is not read to the end. Who is not in the list has to be asked. */
size_t lctr_flocks(dev_t device, uint64_t *inodes, size_t most);

bool lctr_flocks_have(const uint64_t *inodes, size_t count, uint64_t inode);

#endif
