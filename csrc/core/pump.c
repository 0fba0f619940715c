#include "core/pump.h"

#include "core/archive_library.h"
#include "core/fd.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <unistd.h>

#define BUFFER     0x20000L
#define PIPE       0x100000
#define TEXT       128
#define RATIO_FROM ((int64_t)64 << 20) /* what a bomb may come to before its ratio counts */

struct lctr_pump {
    struct library lib;
    void *handle;
    struct archive *archive;
    struct lctr_digest *read_digest;
    struct lctr_digest *written_digest;
    const char *filter;
    int from;
    int to; /* -1 when nobody wants more */
    int copy;
    int stop; /* an eventfd */
    int64_t most;
    int64_t ratio;
    bool packs;
    bool running;
    int error;
    pthread_t thread;
    _Atomic int64_t read;
    _Atomic int64_t written;
    char text[TEXT];
    char read_text[LCTR_DIGEST_TEXT];
    char written_text[LCTR_DIGEST_TEXT];
    char buffer[BUFFER];
};

/* ---- reading and writing, until somebody says stop */

/* 0 when the descriptor is ready (or has failed, which the call itself then says). */
static int wait_for(const struct lctr_pump *self, int fd, short events) {
    struct pollfd wanted[] = {{.fd = self->stop, .events = POLLIN}, {.fd = fd, .events = events}};
    while (poll(wanted, 2, -1) < 0)
        if (errno != EINTR)
            return -errno;
    return wanted[0].revents ? -ECANCELED : 0;
}

static int write_all(const struct lctr_pump *self, int fd, const char *data, size_t size) {
    while (size > 0) {
        int result = wait_for(self, fd, POLLOUT);
        if (result < 0)
            return result;
        ssize_t length = write(fd, data, size);
        if (length < 0 && errno != EINTR && errno != EAGAIN)
            return -errno;
        data += length > 0 ? length : 0;
        size -= length > 0 ? (size_t)length : 0;
    }
    return 0;
}

static ssize_t read_some(struct lctr_pump *self) {
    for (;;) {
        int result = wait_for(self, self->from, POLLIN);
        if (result < 0)
            return result;
        ssize_t length = read(self->from, self->buffer, sizeof self->buffer);
        if (length >= 0)
            return length;
        if (errno != EINTR && errno != EAGAIN)
            return -errno;
    }
}

/* The next bytes in the buffer: counted, part of the digest, copied. */
static ssize_t take(struct lctr_pump *self) {
    ssize_t length = read_some(self);
    if (length <= 0)
        return length;
    int64_t total = atomic_fetch_add(&self->read, length) + length;
    if (self->most >= 0 && total > self->most)
        return -EFBIG;
    lctr_digest_update(self->read_digest, self->buffer, (size_t)length);
    int result = self->copy < 0 ? 0 : write_all(self, self->copy, self->buffer, (size_t)length);
    return result < 0 ? result : length;
}

static int check_ratio(const struct lctr_pump *self, int64_t written) {
    return self->ratio >= 0 && written > RATIO_FROM && written / self->ratio > self->read ? -E2BIG
                                                                                          : 0;
}

static int give(struct lctr_pump *self, const void *data, size_t size) {
    int64_t total = atomic_fetch_add(&self->written, (int64_t)size) + (int64_t)size;
    int result = check_ratio(self, total);
    if (result < 0)
        return result;
    lctr_digest_update(self->written_digest, data, size);
    if (self->to < 0)
        return 0;
    result = write_all(self, self->to, data, size);
    if (result == -EPIPE && !self->packs) {
        close(take_fd(&self->to));
        return 0;
    }
    return result;
}

/* ---- libarchive */

/* What a callback has met is more exact than what libarchive makes of it. */
static int failure(struct lctr_pump *self) {
    if (self->error < 0)
        return self->error;
    const char *text = self->lib.archive_error_string(self->archive);
    if (text)
        strncpy(self->text, text, sizeof self->text - 1);
    int error = self->lib.archive_errno(self->archive);
    return error > 0 && error < 4096 ? -error : -EBADMSG;
}

static int fail(struct lctr_pump *self, ssize_t error) {
    self->error = (int)error;
    self->lib.archive_set_error(self->archive, -self->error, "%s", "");
    return -1;
}

static la_ssize_t on_read(struct archive *archive, void *context, const void **data) {
    (void)archive;
    struct lctr_pump *self = context;
    ssize_t length = take(self);
    if (length < 0)
        return fail(self, length);
    *data = self->buffer;
    return length;
}

static la_ssize_t on_write(struct archive *archive, void *context, const void *data, size_t size) {
    (void)archive;
    struct lctr_pump *self = context;
    int result = give(self, data, size);
    return result < 0 ? fail(self, result) : (la_ssize_t)size;
}

/* ---- decompression */

static const char *name_of_filter(int code) {
    switch (code) {
    case ARCHIVE_FILTER_GZIP:
        return "gzip";
    case ARCHIVE_FILTER_BZIP2:
        return "bzip2";
    case ARCHIVE_FILTER_XZ:
        return "xz";
    case ARCHIVE_FILTER_ZSTD:
        return "zstd";
    default:
        return "none";
    }
}

static int decompress(struct lctr_pump *self) {
    const struct library *lib = &self->lib;
    struct archive *archive = self->archive;
    struct archive_entry *entry;
    if (lib->archive_read_support_filter_gzip(archive) != ARCHIVE_OK ||
        lib->archive_read_support_filter_bzip2(archive) != ARCHIVE_OK ||
        lib->archive_read_support_filter_xz(archive) != ARCHIVE_OK ||
        lib->archive_read_support_filter_zstd(archive) != ARCHIVE_OK ||
        lib->archive_read_support_format_raw(archive) != ARCHIVE_OK ||
        lib->archive_read_support_format_empty(archive) != ARCHIVE_OK)
        return -ELIBBAD;
    if (lib->archive_read_open(archive, self, NULL, on_read, NULL) != ARCHIVE_OK)
        return failure(self);
    int result = lib->archive_read_next_header(archive, &entry);
    self->filter = name_of_filter(lib->archive_filter_code(archive, 0));
    while (result == ARCHIVE_OK) {
        const void *data;
        size_t size;
        la_int64_t offset;
        result = lib->archive_read_data_block(archive, &data, &size, &offset);
        int given = result == ARCHIVE_OK && size > 0 ? give(self, data, size) : 0;
        if (given < 0)
            return given;
    }
    return result == ARCHIVE_EOF ? 0 : failure(self);
}

/* What comes behind the end of what is compressed belongs to the file. */
static int take_rest(struct lctr_pump *self) {
    ssize_t length;
    do {
        length = take(self);
    } while (length > 0);
    return (int)length;
}

static int run_unpack(struct lctr_pump *self) {
    self->archive = self->lib.archive_read_new();
    if (!self->archive)
        return -ENOMEM;
    int result = decompress(self);
    self->lib.archive_read_free(self->archive);
    return result < 0 ? result : take_rest(self);
}

/* ---- compression */

static int add_filter(struct lctr_pump *self) {
    const struct library *lib = &self->lib;
    struct archive *archive = self->archive;
    int result;
    if (strcmp(self->filter, "gzip") == 0) {
        result = lib->archive_write_add_filter_gzip(archive);
        if (result == ARCHIVE_OK) /* the same files are to give the same bytes */
            result = lib->archive_write_set_filter_option(archive, "gzip", "timestamp", NULL);
    } else {
        result = lib->archive_write_add_filter_zstd(archive);
    }
    return result == ARCHIVE_OK ? 0 : -ELIBBAD;
}

static int set_up_writer(struct lctr_pump *self) {
    const struct library *lib = &self->lib;
    if (lib->archive_write_set_format_raw(self->archive) != ARCHIVE_OK ||
        lib->archive_write_set_bytes_per_block(self->archive, BUFFER) != ARCHIVE_OK ||
        lib->archive_write_set_bytes_in_last_block(self->archive, 1) != ARCHIVE_OK)
        return -ELIBBAD;
    int result = add_filter(self);
    if (result < 0)
        return result;
    if (lib->archive_write_open(self->archive, self, NULL, on_write, NULL) != ARCHIVE_OK)
        return failure(self);
    struct archive_entry *entry = lib->archive_entry_new();
    if (!entry)
        return -ENOMEM;
    lib->archive_entry_set_filetype(entry, S_IFREG);
    result = lib->archive_write_header(self->archive, entry) == ARCHIVE_OK ? 0 : failure(self);
    lib->archive_entry_free(entry);
    return result;
}

static int write_through(struct lctr_pump *self, size_t size) {
    const char *data = self->buffer;
    while (size > 0) {
        la_ssize_t length = self->lib.archive_write_data(self->archive, data, size);
        if (length <= 0)
            return failure(self);
        data += length;
        size -= (size_t)length;
    }
    return 0;
}

static int compress_all(struct lctr_pump *self) {
    int result = set_up_writer(self);
    while (result == 0) {
        ssize_t length = take(self);
        if (length == 0)
            return self->lib.archive_write_close(self->archive) == ARCHIVE_OK ? 0 : failure(self);
        result = length < 0 ? (int)length : write_through(self, (size_t)length);
    }
    self->lib.archive_write_fail(self->archive);
    return result;
}

static int copy_all(struct lctr_pump *self) {
    for (;;) {
        ssize_t length = take(self);
        int result = length > 0 ? give(self, self->buffer, (size_t)length) : (int)length;
        if (length <= 0 || result < 0)
            return result;
    }
}

/* Whoever writes into the pipe goes on until it learns of a failure. */
static void let_them_write(struct lctr_pump *self) {
    while (read_some(self) > 0)
        ;
}

static int run_pack(struct lctr_pump *self) {
    int result;
    if (strcmp(self->filter, "none") == 0) {
        result = copy_all(self);
    } else {
        self->archive = self->lib.archive_write_new();
        if (!self->archive)
            return -ENOMEM;
        result = compress_all(self);
        self->lib.archive_write_free(self->archive);
    }
    if (result < 0)
        let_them_write(self);
    return result;
}

/* ---- the thread */

static void *run(void *context) {
    struct lctr_pump *self = context;
    int result = self->packs ? run_pack(self) : run_unpack(self);
    self->error = result;
    if (self->to >= 0)
        close(take_fd(&self->to));
    close(take_fd(&self->from));
    return NULL;
}

static int start(struct lctr_pump *self) {
    sigset_t all;
    sigset_t before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int error = pthread_create(&self->thread, NULL, run, self);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    self->running = error == 0;
    return -error;
}

static int copy_fd(int fd, int *copy) {
    *copy = fd < 0 ? -1 : fcntl(fd, F_DUPFD_CLOEXEC, 0);
    return fd >= 0 && *copy < 0 ? -errno : 0;
}

static int prepare(struct lctr_pump *self) {
    int result = lctr_archive_load(&self->lib, &self->handle);
    if (result == 0)
        result = lctr_digest_new(&self->read_digest);
    if (result == 0)
        result = lctr_digest_new(&self->written_digest);
    if (result == 0) {
        self->stop = eventfd(0, EFD_CLOEXEC);
        result = self->stop < 0 ? -errno : 0;
    }
    return result;
}

static struct lctr_pump *create(void) {
    struct lctr_pump *self = calloc(1, sizeof *self);
    if (!self)
        return NULL;
    self->from = self->to = self->copy = self->stop = -1;
    self->most = self->ratio = LCTR_PUMP_ANY;
    return self;
}

/* The pump's end of the pipe never blocks: poll does, which `stop` ends. */
static int open_pipe(int *ours, int *theirs, int writes) {
    int fds[2];
    if (pipe2(fds, O_CLOEXEC) < 0)
        return -errno;
    *ours = fds[writes];
    *theirs = fds[!writes];
    fcntl(*ours, F_SETPIPE_SZ, PIPE);
    return fcntl(*ours, F_SETFL, O_NONBLOCK) < 0 ? -errno : 0;
}

/* 1 is the side that a pipe is written to. */
static int begin(struct lctr_pump **pump, struct lctr_pump *self, int *end, int writes) {
    cleanup_fd theirs = -1;
    int result = prepare(self);
    if (result == 0)
        result = open_pipe(writes ? &self->to : &self->from, &theirs, writes);
    if (result == 0)
        result = start(self);
    if (result < 0) {
        lctr_pump_free(self);
        return result;
    }
    *end = take_fd(&theirs);
    *pump = self;
    return 0;
}

int lctr_pump_unpack(struct lctr_pump **pump, const struct lctr_pump_source *source, int *end) {
    struct lctr_pump *self = create();
    if (!self)
        return -ENOMEM;
    self->most = source->most;
    self->ratio = source->ratio;
    int result = copy_fd(source->fd, &self->from);
    if (result == 0)
        result = copy_fd(source->copy, &self->copy);
    if (result < 0) {
        lctr_pump_free(self);
        return result;
    }
    return begin(pump, self, end, 1);
}

int lctr_pump_pack(struct lctr_pump **pump, int fd, const char *filter, int *end) {
    static const char *const known[] = {"none", "gzip", "zstd"};
    struct lctr_pump *self = create();
    if (!self)
        return -ENOMEM;
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
        if (strcmp(filter, known[i]) == 0)
            self->filter = known[i];
    self->packs = true;
    int result = self->filter ? copy_fd(fd, &self->to) : -EINVAL;
    if (result < 0) {
        lctr_pump_free(self);
        return result;
    }
    return begin(pump, self, end, 0);
}

void lctr_pump_progress(struct lctr_pump *pump, int64_t *read, int64_t *written) {
    *read = pump->read;
    *written = pump->written;
}

static void join(struct lctr_pump *self, bool stop) {
    if (!self->running)
        return;
    if (stop)
        eventfd_write(self->stop, 1);
    pthread_join(self->thread, NULL);
    self->running = false;
    if (self->error == 0) {
        lctr_digest_finish(self->read_digest, self->read_text);
        lctr_digest_finish(self->written_digest, self->written_text);
    }
}

int lctr_pump_finish(struct lctr_pump *pump, bool stop, struct lctr_pump_report *report) {
    join(pump, stop);
    *report = (struct lctr_pump_report){
        .read = pump->read,
        .written = pump->written,
        .filter = pump->filter,
        .text = pump->text,
    };
    memcpy(report->read_digest, pump->read_text, sizeof report->read_digest);
    memcpy(report->written_digest, pump->written_text, sizeof report->written_digest);
    return pump->error;
}

void lctr_pump_free(struct lctr_pump *pump) {
    if (!pump)
        return;
    join(pump, true);
    const int fds[] = {pump->from, pump->to, pump->copy, pump->stop};
    for (size_t i = 0; i < sizeof fds / sizeof fds[0]; i++)
        if (fds[i] >= 0)
            close(fds[i]);
    lctr_digest_free(pump->read_digest);
    lctr_digest_free(pump->written_digest);
    if (pump->handle)
        dlclose(pump->handle);
    free(pump);
}
