/* SHA-256, by libnettle, which comes with libarchive and is loaded when the first digest is made.
 * Knows no Lua.
 *
 * Functions return 0 or -errno; -ELIBACC: there is no libnettle. */
#ifndef LUACTR_CORE_DIGEST_H
#define LUACTR_CORE_DIGEST_H

#include <stddef.h>
#include <stdint.h>

#define LCTR_DIGEST_TEXT 65 /* hexadecimal, with its NUL */

struct lctr_digest;

int lctr_digest_new(struct lctr_digest **digest);
void lctr_digest_free(struct lctr_digest *digest); /* NULL is fine */

void lctr_digest_update(struct lctr_digest *digest, const void *data, size_t size);

/* All that a descriptor has from its position on; `size` is told how much that was. */
int lctr_digest_update_fd(struct lctr_digest *digest, int fd, int64_t *size);

/* What it is by now. It begins anew after that. */
void lctr_digest_finish(struct lctr_digest *digest, char text[LCTR_DIGEST_TEXT]);

#endif
