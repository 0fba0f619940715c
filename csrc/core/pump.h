/* A thread that compresses or decompresses beside the work of the one that started it, with the
 * digests of what goes in and what comes out. Between the two is a pipe. Knows no Lua.
 *
 * Functions return 0 or -errno; -ELIBACC: a library is missing. */
#ifndef LUACTR_CORE_PUMP_H
#define LUACTR_CORE_PUMP_H

#include "core/digest.h"

#include <stdbool.h>
#include <stdint.h>

#define LCTR_PUMP_ANY (-1)

struct lctr_pump;

/* What is decompressed: gzip, bzip2, xz, zstd, or anything as it is. */
struct lctr_pump_source {
    int fd;
    int copy;      /* gets what is read, as it was read; or -1 */
    int64_t most;  /* more bytes than that are -EFBIG; or LCTR_PUMP_ANY */
    int64_t ratio; /* of what comes out to what goes in: more is -E2BIG; or LCTR_PUMP_ANY */
};

struct lctr_pump_report {
    int64_t read;
    int64_t written;
    char read_digest[LCTR_DIGEST_TEXT];
    char written_digest[LCTR_DIGEST_TEXT];
    const char *filter; /* "none", "gzip", ... */
    const char *text;   /* libarchive's words on a failure; "" when the errno is all there is */
};

/* Start one; it has descriptors of its own. `end` is the caller's side of the pipe: what comes out
 * is read from it. Closing that only means that nobody wants the rest. */
int lctr_pump_unpack(struct lctr_pump **pump, const struct lctr_pump_source *source, int *end);

/* `end` takes what is compressed by `filter` ("none", "gzip", "zstd") into `fd`; closing it is the
 * end of it. */
int lctr_pump_pack(struct lctr_pump **pump, int fd, const char *filter, int *end);

/* How many bytes were read and written so far. */
void lctr_pump_progress(struct lctr_pump *pump, int64_t *read, int64_t *written);

/* Wait for its end, or have it end: then a failure of its own, or -ECANCELED. The report is valid
 * as long as the pump; after a failure it has a text only. */
int lctr_pump_finish(struct lctr_pump *pump, bool stop, struct lctr_pump_report *report);

/* Have it end and free it; NULL is fine. */
void lctr_pump_free(struct lctr_pump *pump);

#endif
