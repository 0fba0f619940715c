/* Tar archives, by libarchive, which is loaded when the first one is opened: a start needs none of
 * it. Data goes from descriptor to descriptor through one bounded buffer. Knows no Lua.
 *
 * Functions return 0 or -errno; lctr_archive_text then has libarchive's words, if it had some. */
#ifndef LUACTR_CORE_ARCHIVE_H
#define LUACTR_CORE_ARCHIVE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct lctr_archive;

/* What an archive says of a file. Strings of one that was read live until the next is. */
struct lctr_entry {
    const char *path;
    const char *link; /* text of a symbolic link, path of a hard link's other name; or NULL */
    uint32_t type;    /* S_IFREG, ...; 0 for a hard link */
    uint32_t mode;    /* permission bits, with set-id and sticky */
    int64_t size;     /* of a file */
    int64_t uid;
    int64_t gid;
    int64_t mtime;  /* nanoseconds since the epoch */
    uint32_t major; /* of a device */
    uint32_t minor;
};

/* Read an archive from a descriptor, which stays the caller's: tar in its dialects, as it is or
 * compressed by gzip, bzip2, xz or zstd. No program is started for that. -ELIBACC: there is no
 * libarchive. */
int lctr_archive_read(struct lctr_archive **archive, int fd);

/* Write one: pax, which keeps all there is of a file. `filter` is "gzip", "zstd" or NULL. */
int lctr_archive_write(struct lctr_archive **archive, int fd, const char *filter);

/* End it. A writer writes what ends an archive first, unless `give_up`. */
int lctr_archive_close(struct lctr_archive *archive, bool give_up);

/* Of the last failure; NULL when the errno is all there is. */
const char *lctr_archive_text(const struct lctr_archive *archive);

/* ---- reading */

/* The next entry: 1, or 0 at the end. */
int lctr_archive_next(struct lctr_archive *archive, struct lctr_entry *entry);

/* Its extended attributes and the parts of a sparse file that have data, one after the other: 1, or
 * 0 at the end. */
int lctr_archive_next_xattr(struct lctr_archive *archive, const char **name, const void **value,
                            size_t *size);
int lctr_archive_next_part(struct lctr_archive *archive, int64_t *offset, int64_t *size);

/* Write its data to a new file, holes as holes. */
int lctr_archive_extract(struct lctr_archive *archive, int fd);

/* ---- writing: begin, attributes, then add */

int lctr_archive_begin(struct lctr_archive *archive, const struct lctr_entry *entry);
int lctr_archive_add_xattr(struct lctr_archive *archive, const char *name, const void *value,
                           size_t size);

/* Write the entry, and of a file `size` bytes of a descriptor, without its holes. 1 when the file
 * ended before: then zeros stand for the rest. */
int lctr_archive_add(struct lctr_archive *archive, int fd);

#endif
