/* The events of all detached containers: lines of one bounded file that many processes append to.
 * Knows no Lua. Returns 0 or -errno. */
#ifndef LUACTR_CORE_EVENTS_H
#define LUACTR_CORE_EVENTS_H

#include <stddef.h>

#define EVENTS_FILE "events"
#define EVENTS_PAST "events.1" /* what the file was before it grew too large */
#define EVENTS_MAX  (1 << 20)

/* Append a line to the file in a state directory. Waits for nobody. */
int lctr_events_add(int directory, const char *line, size_t length);

#endif
