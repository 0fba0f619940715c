#include "core/archive.h"

#include "core/archive_library.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <locale.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#define BUFFER      0x20000L
#define BLOCK       10240 /* what tar's records are by tradition */
#define NOWHERE     (-1)
#define NANOSECONDS 1000000000

struct lctr_archive {
    struct library lib;
    void *handle;
    struct archive *archive;
    struct archive_entry *entry; /* the current one */
    bool writing;
    int fd;
    locale_t locale;
    char buffer[BUFFER];
};

/* ---- names are bytes
 *
 * In the C locale libarchive leaves a name as it is read, with a warning, and in a UTF-8 one it
 * would compose its letters. When it writes it is the other way round: there, UTF-8 is left alone.
 */

struct speech {
    locale_t before;
};

static void end_speech(struct speech *speech) {
    uselocale(speech->before);
}

#define SPEAK(self)                                                                                \
    __attribute__((cleanup(end_speech), unused)) struct speech speech = {                          \
        uselocale((self)->locale ? (self)->locale : LC_GLOBAL_LOCALE)}

/* ---- open and close */

static void release(struct lctr_archive *self) {
    if (self->entry && self->writing)
        self->lib.archive_entry_free(self->entry);
    if (self->archive)
        (self->writing ? self->lib.archive_write_free : self->lib.archive_read_free)(self->archive);
    if (self->locale)
        freelocale(self->locale);
    if (self->handle)
        dlclose(self->handle);
    free(self);
}

static int create(struct lctr_archive **archive, int fd, bool writing) {
    struct lctr_archive *self = calloc(1, sizeof *self);
    if (!self)
        return -ENOMEM;
    self->fd = fd;
    self->writing = writing;
    int result = lctr_archive_load(&self->lib, &self->handle);
    if (result < 0) {
        release(self);
        return result;
    }
    self->locale = newlocale(LC_CTYPE_MASK, writing ? "C.UTF-8" : "C", (locale_t)0);
    self->archive = (writing ? self->lib.archive_write_new : self->lib.archive_read_new)();
    self->entry = writing ? self->lib.archive_entry_new() : NULL;
    if (!self->archive || (writing && !self->entry)) {
        release(self);
        return -ENOMEM;
    }
    *archive = self;
    return 0;
}

/* libarchive's own errors are -1 (format) and EINVAL-like codes. */
static int failure(const struct lctr_archive *self) {
    int error = self->lib.archive_errno(self->archive);
    return error > 0 && error < 4096 ? -error : -EBADMSG;
}

static int wait_for(int fd, short events) {
    struct pollfd wanted = {.fd = fd, .events = events};
    return poll(&wanted, 1, -1) < 0 && errno != EINTR ? -1 : 0;
}

static int fail(const struct lctr_archive *self, int error) {
    self->lib.archive_set_error(self->archive, error, "%s", strerror(error));
    return -1;
}

static la_ssize_t read_some(struct archive *archive, void *context, const void **data) {
    (void)archive;
    struct lctr_archive *self = context;
    for (;;) {
        ssize_t length = read(self->fd, self->buffer, sizeof self->buffer);
        if (length >= 0) {
            *data = self->buffer;
            return length;
        }
        if (errno != EINTR && (errno != EAGAIN || wait_for(self->fd, POLLIN) < 0))
            return fail(self, errno);
    }
}

static la_ssize_t write_some(struct archive *archive, void *context, const void *data,
                             size_t size) {
    (void)archive;
    const struct lctr_archive *self = context;
    if (self->fd == NOWHERE)
        return (la_ssize_t)size;
    for (;;) {
        ssize_t length = write(self->fd, data, size);
        if (length >= 0)
            return length;
        if (errno != EINTR && (errno != EAGAIN || wait_for(self->fd, POLLOUT) < 0))
            return fail(self, errno);
    }
}

/* A filter that libarchive would start a program for says so by a warning. */
static int set_up_reader(struct lctr_archive *self) {
    struct library *lib = &self->lib;
    struct archive *archive = self->archive;
    if (lib->archive_read_support_format_tar(archive) != ARCHIVE_OK ||
        lib->archive_read_support_format_empty(archive) != ARCHIVE_OK ||
        lib->archive_read_support_filter_gzip(archive) != ARCHIVE_OK ||
        lib->archive_read_support_filter_bzip2(archive) != ARCHIVE_OK ||
        lib->archive_read_support_filter_xz(archive) != ARCHIVE_OK ||
        lib->archive_read_support_filter_zstd(archive) != ARCHIVE_OK)
        return -ELIBBAD;
    return lib->archive_read_open(archive, self, NULL, read_some, NULL) == ARCHIVE_OK
               ? 0
               : failure(self);
}

static int set_filter(struct lctr_archive *self, const char *filter) {
    int result = ARCHIVE_OK;
    if (filter && strcmp(filter, "gzip") == 0) {
        result = self->lib.archive_write_add_filter_gzip(self->archive);
        if (result == ARCHIVE_OK) /* the same files are to give the same bytes */
            result =
                self->lib.archive_write_set_filter_option(self->archive, "gzip", "timestamp", NULL);
    } else if (filter && strcmp(filter, "zstd") == 0) {
        result = self->lib.archive_write_add_filter_zstd(self->archive);
    } else if (filter) {
        return -EINVAL;
    }
    return result == ARCHIVE_OK ? 0 : -ELIBBAD;
}

static int set_up_writer(struct lctr_archive *self, const char *filter) {
    struct library *lib = &self->lib;
    struct archive *archive = self->archive;
    if (lib->archive_write_set_format_pax(archive) != ARCHIVE_OK ||
        lib->archive_write_set_format_option(archive, "pax", "xattrheader", "SCHILY") !=
            ARCHIVE_OK ||
        lib->archive_write_set_bytes_per_block(archive, BLOCK) != ARCHIVE_OK ||
        lib->archive_write_set_bytes_in_last_block(archive, 1) != ARCHIVE_OK)
        return -ELIBBAD;
    int result = set_filter(self, filter);
    if (result < 0)
        return result;
    return lib->archive_write_open(archive, self, NULL, write_some, NULL) == ARCHIVE_OK
               ? 0
               : failure(self);
}

int lctr_archive_read(struct lctr_archive **archive, int fd) {
    struct lctr_archive *self = NULL;
    int result = create(&self, fd, false);
    if (result < 0)
        return result;
    SPEAK(self);
    result = set_up_reader(self);
    if (result < 0)
        release(self);
    else
        *archive = self;
    return result;
}

int lctr_archive_write(struct lctr_archive **archive, int fd, const char *filter) {
    struct lctr_archive *self = NULL;
    int result = create(&self, fd, true);
    if (result < 0)
        return result;
    SPEAK(self);
    result = set_up_writer(self, filter);
    if (result < 0) {
        self->lib.archive_write_fail(self->archive);
        release(self);
    } else {
        *archive = self;
    }
    return result;
}

/* Closing frees what a writer holds, and would write what ends an archive. */
static void give_it_up(struct lctr_archive *self) {
    self->fd = NOWHERE;
    self->lib.archive_write_fail(self->archive);
    self->lib.archive_write_close(self->archive);
}

int lctr_archive_close(struct lctr_archive *self, bool give_up) {
    SPEAK(self);
    int result = 0;
    if (self->writing && give_up)
        give_it_up(self);
    else if (self->writing && self->lib.archive_write_close(self->archive) != ARCHIVE_OK)
        result = failure(self);
    uselocale(speech.before); /* before the locale goes */
    release(self);
    return result;
}

const char *lctr_archive_text(const struct lctr_archive *self) {
    return self->lib.archive_errno(self->archive) == 0
               ? NULL
               : self->lib.archive_error_string(self->archive);
}

/* ---- reading */

static const char *either(const char *bytes, const char *utf8) {
    return bytes ? bytes : utf8;
}

static void describe(struct lctr_archive *self, struct lctr_entry *entry) {
    const struct library *lib = &self->lib;
    struct archive_entry *from = self->entry;
    const char *hard =
        either(lib->archive_entry_hardlink(from), lib->archive_entry_hardlink_utf8(from));
    *entry = (struct lctr_entry){
        .path = either(lib->archive_entry_pathname(from), lib->archive_entry_pathname_utf8(from)),
        .link =
            hard ? hard
                 : either(lib->archive_entry_symlink(from), lib->archive_entry_symlink_utf8(from)),
        .type = hard ? 0 : (uint32_t)lib->archive_entry_filetype(from),
        .mode = (uint32_t)lib->archive_entry_perm(from) & 07777,
        .size = lib->archive_entry_size(from),
        .uid = lib->archive_entry_uid(from),
        .gid = lib->archive_entry_gid(from),
        .major = (uint32_t)lib->archive_entry_rdevmajor(from),
        .minor = (uint32_t)lib->archive_entry_rdevminor(from),
    };
    int64_t seconds = lib->archive_entry_mtime(from);
    if (seconds > INT64_MAX / NANOSECONDS - 1 || seconds < INT64_MIN / NANOSECONDS + 1)
        seconds = 0;
    entry->mtime = seconds * NANOSECONDS + lib->archive_entry_mtime_nsec(from);
}

int lctr_archive_next(struct lctr_archive *self, struct lctr_entry *entry) {
    SPEAK(self);
    self->lib.archive_clear_error(self->archive);
    int result = self->lib.archive_read_next_header(self->archive, &self->entry);
    if (result == ARCHIVE_EOF)
        return 0;
    if (result < ARCHIVE_WARN)
        return failure(self);
    describe(self, entry);
    lctr_archive_acls(&self->lib, self->entry);
    self->lib.archive_entry_xattr_reset(self->entry);
    self->lib.archive_entry_sparse_reset(self->entry);
    return entry->path ? 1 : -EILSEQ;
}

int lctr_archive_next_xattr(struct lctr_archive *self, const char **name, const void **value,
                            size_t *size) {
    return self->lib.archive_entry_xattr_next(self->entry, name, value, size) == ARCHIVE_OK;
}

int lctr_archive_next_part(struct lctr_archive *self, int64_t *offset, int64_t *size) {
    return self->lib.archive_entry_sparse_next(self->entry, offset, size) == ARCHIVE_OK;
}

static int write_at(int fd, const char *data, size_t size, off_t offset) {
    while (size > 0) {
        ssize_t length = pwrite(fd, data, size, offset);
        if (length < 0 && errno == EINTR)
            continue;
        if (length < 0)
            return -errno;
        data += length;
        size -= (size_t)length;
        offset += length;
    }
    return 0;
}

int lctr_archive_extract(struct lctr_archive *self, int fd) {
    SPEAK(self);
    const int64_t size = self->lib.archive_entry_size(self->entry);
    for (;;) {
        const void *data;
        size_t length;
        la_int64_t offset;
        int result = self->lib.archive_read_data_block(self->archive, &data, &length, &offset);
        if (result == ARCHIVE_EOF)
            break;
        if (result < ARCHIVE_WARN)
            return failure(self);
        if (offset < 0 || offset > size || (int64_t)length > size - offset)
            return -EBADMSG; /* more than the header has told, and limits were checked by that */
        result = write_at(fd, data, length, offset);
        if (result < 0)
            return result;
    }
    return ftruncate(fd, size) < 0 ? -errno : 0;
}

/* ---- writing */

int lctr_archive_begin(struct lctr_archive *self, const struct lctr_entry *entry) {
    SPEAK(self);
    const struct library *lib = &self->lib;
    struct archive_entry *to = self->entry;
    lib->archive_entry_clear(to);
    lib->archive_entry_copy_pathname(to, entry->path);
    if (entry->type)
        lib->archive_entry_set_filetype(to, entry->type);
    if (entry->link && !entry->type)
        lib->archive_entry_copy_hardlink(to, entry->link);
    else if (entry->link)
        lib->archive_entry_copy_symlink(to, entry->link);
    lib->archive_entry_set_perm(to, (mode_t)entry->mode);
    lib->archive_entry_set_size(to, entry->type == S_IFREG ? entry->size : 0);
    lib->archive_entry_set_uid(to, entry->uid);
    lib->archive_entry_set_gid(to, entry->gid);
    int64_t rest = entry->mtime % NANOSECONDS;
    if (rest < 0)
        rest += NANOSECONDS;
    lib->archive_entry_set_mtime(to, (time_t)((entry->mtime - rest) / NANOSECONDS), (long)rest);
    if (entry->type == S_IFCHR || entry->type == S_IFBLK) {
        lib->archive_entry_set_rdevmajor(to, entry->major);
        lib->archive_entry_set_rdevminor(to, entry->minor);
    }
    return 0;
}

int lctr_archive_add_xattr(struct lctr_archive *self, const char *name, const void *value,
                           size_t size) {
    self->lib.archive_entry_xattr_add_entry(self->entry, name, value, size);
    return 0;
}

/* The next part of a file with data, from `at` on; at its end, and where holes are not known, all
 * of the rest. */
static void next_part(int fd, int64_t at, int64_t size, int64_t *start, int64_t *end) {
    off_t data = lseek(fd, at, SEEK_DATA);
    *start = data < 0 && errno == ENXIO ? size : data < at ? at : data;
    off_t hole = *start < size ? lseek(fd, *start, SEEK_HOLE) : -1;
    *end = hole > *start && hole < size ? hole : size;
    if (*start > size)
        *start = size;
}

static void map_holes(struct lctr_archive *self, int fd, int64_t size) {
    int64_t start;
    int64_t end;
    next_part(fd, 0, size, &start, &end);
    if (start == 0 && end == size)
        return; /* none */
    for (int64_t at = 0; at < size; at = end) {
        next_part(fd, at, size, &start, &end);
        if (start < size)
            self->lib.archive_entry_sparse_add_entry(self->entry, start, end - start);
    }
    /* A map needs a last part that ends where the file does. */
    if (start >= size)
        self->lib.archive_entry_sparse_add_entry(self->entry, size, 0);
}

static int write_all(struct lctr_archive *self, const char *data, size_t size) {
    while (size > 0) {
        la_ssize_t length = self->lib.archive_write_data(self->archive, data, size);
        if (length < 0)
            return failure(self);
        if (length == 0)
            return -EBADMSG;
        data += length;
        size -= (size_t)length;
    }
    return 0;
}

static size_t chunk(int64_t rest) {
    return rest < BUFFER ? (size_t)rest : (size_t)BUFFER;
}

/* The file as it would be read, with zeros in its holes: libarchive leaves those out by its map. */
static int write_zeros(struct lctr_archive *self, int64_t count) {
    if (count > 0)
        memset(self->buffer, 0, chunk(count));
    int result = 0;
    for (; count > 0 && result == 0; count -= (int64_t)chunk(count))
        result = write_all(self, self->buffer, chunk(count));
    return result;
}

/* 1 when the file has no more. */
static int write_part(struct lctr_archive *self, int fd, int64_t at, int64_t end) {
    while (at < end) {
        ssize_t length = pread(fd, self->buffer, chunk(end - at), at);
        if (length < 0 && errno == EINTR)
            continue;
        if (length < 0)
            return -errno;
        if (length == 0) {
            int result = write_zeros(self, end - at);
            return result < 0 ? result : 1;
        }
        int result = write_all(self, self->buffer, (size_t)length);
        if (result < 0)
            return result;
        at += length;
    }
    return 0;
}

/* A file that has become shorter looks like one with a hole at its end. */
static bool is_shorter(int fd, int64_t size) {
    struct stat file;
    return fd >= 0 && fstat(fd, &file) == 0 && file.st_size < size;
}

static int write_file(struct lctr_archive *self, int fd, int64_t size) {
    int shrunk = 0;
    int64_t start;
    int64_t end;
    for (int64_t at = 0; at < size; at = end) {
        next_part(fd, at, size, &start, &end);
        int result = write_zeros(self, start - at);
        if (result == 0)
            result = write_part(self, fd, start, end);
        if (result < 0)
            return result;
        shrunk |= result;
    }
    return shrunk | is_shorter(fd, size);
}

int lctr_archive_add(struct lctr_archive *self, int fd) {
    SPEAK(self);
    const struct library *lib = &self->lib;
    const int64_t size = fd < 0 ? 0 : lib->archive_entry_size(self->entry);
    lib->archive_clear_error(self->archive);
    if (fd >= 0)
        map_holes(self, fd, size);
    if (lib->archive_write_header(self->archive, self->entry) < ARCHIVE_WARN)
        return failure(self);
    int result = write_file(self, fd, size);
    if (result >= 0 && lib->archive_write_finish_entry(self->archive) != ARCHIVE_OK)
        return failure(self);
    return result;
}
