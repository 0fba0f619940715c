/* The other side of a plan's gate (enum plan_gate): a SOCK_STREAM socket in the container's
 * directory. Returns 0 or -errno. */
#ifndef LUACTR_CORE_GATE_H
#define LUACTR_CORE_GATE_H

#include "../plan.h"

#define GATE_SOCKET "start" /* its name */

/* Make the socket and listen, for the init: the descriptor. */
int lctr_gate_listen(int directory);

/* Connect, and wait until the init is there: the descriptor. -ECONNREFUSED: nobody listens any
 * more; -EPIPE: it has gone on with somebody else, or ended. */
int lctr_gate_knock(int directory);

/* Let it go on and wait until it has become its program: 0, or 1 and the record of what failed.
 * -EOWNERDEAD: it was killed before that. */
int lctr_gate_open(int connection, struct plan_status *record);

#endif
