/* Calls to systemd by D-Bus, through libsystemd's sd-bus, which is loaded by the first connection:
 * nobody else needs it. A call is built in the connection, one at a time. Knows no Lua.
 *
 * Functions return 0 or -errno; lctr_systemd_text then has the answer's words, if there was one. */
#ifndef LUACTR_CORE_SYSTEMD_H
#define LUACTR_CORE_SYSTEMD_H

#include <stddef.h>
#include <stdint.h>

struct lctr_systemd;

/* Connect: to an address as D-Bus writes them; without one to the user's bus or the system's.
 * -ELIBACC: there is no libsystemd. */
int lctr_systemd_open_address(struct lctr_systemd **systemd, const char *address);
int lctr_systemd_open_system(struct lctr_systemd **systemd);
int lctr_systemd_open_user(struct lctr_systemd **systemd);
void lctr_systemd_close(struct lctr_systemd *systemd);

/* Of the last failed call: the name of the error and its message; NULL when errno is all. */
const char *lctr_systemd_error(const struct lctr_systemd *systemd);
const char *lctr_systemd_text(const struct lctr_systemd *systemd);

/* ---- a call: begin, its arguments, then call */

int lctr_systemd_begin(struct lctr_systemd *systemd, const char *path, const char *interface,
                       const char *member);

/* An argument of one of D-Bus's types "sogbynqiuxtd": a pointer to the value, or the string. */
int lctr_systemd_basic(struct lctr_systemd *systemd, char type, const void *value);

/* An array of bytes. */
int lctr_systemd_bytes(struct lctr_systemd *systemd, const void *data, size_t size);

/* What follows is in an array ('a'), a structure ('r') or a variant ('v') of these types. */
int lctr_systemd_enter(struct lctr_systemd *systemd, char kind, const char *types);
int lctr_systemd_leave(struct lctr_systemd *systemd);

/* Make the call, which may take `seconds`. `word` gets what the answer begins with, if that is a
 * string or a path, in a variant or not; NULL otherwise. It lives until the next call. */
int lctr_systemd_call(struct lctr_systemd *systemd, unsigned int seconds, const char **word);

/* Wait until systemd is done with a job that a call has answered: -ETIMEDOUT, -ECONNRESET. `result`
 * gets its word for that ("done", "failed"), which lives until the next wait. */
int lctr_systemd_await(struct lctr_systemd *systemd, const char *job, unsigned int seconds,
                       const char **result);

#endif
