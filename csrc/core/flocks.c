#include "core/flocks.h"

#include "core/fd.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>

#define CHUNK        4096
#define BYTES_OF_ONE 128 /* to read on for each that is wanted; a line has about 60 */
#define BYTES_AT_ALL 16384

struct reader {
    dev_t device;
    uint64_t *inodes;
    size_t most;
    size_t count;
};

/* "8: FLOCK  ADVISORY  WRITE 25160 fe:00:1228868 0 EOF". One that waits has an arrow before its
 * kind, and holds nothing. */
static void take_line(struct reader *reader, const char *line) {
    const char *at = strstr(line, ": FLOCK ");
    for (int field = 0; at && field < 5; field++) {
        at = strchr(at, ' ');
        at = at ? at + strspn(at, " ") : NULL;
    }
    char *end;
    if (!at)
        return;
    unsigned long major = strtoul(at, &end, 16);
    unsigned long minor = *end == ':' ? strtoul(end + 1, &end, 16) : 0;
    dev_t device = makedev((unsigned)major, (unsigned)minor);
    if (*end == ':' && device == reader->device && reader->count < reader->most)
        reader->inodes[reader->count++] = strtoull(end + 1, NULL, 10);
}

/* Take whole lines; the number of bytes that are left of the last one. */
static size_t take_lines(struct reader *reader, char *text) {
    char *end;
    for (; (end = strchr(text, '\n')); text = end + 1) {
        *end = '\0';
        take_line(reader, text);
    }
    return strlen(text);
}

static int compare(const void *a, const void *b) {
    uint64_t one = *(const uint64_t *)a;
    uint64_t other = *(const uint64_t *)b;
    return (one > other) - (one < other);
}

size_t lctr_flocks(dev_t device, uint64_t *inodes, size_t most) {
    struct reader reader = {.device = device, .inodes = inodes, .most = most};
    char text[CHUNK + 1];
    size_t room = BYTES_AT_ALL + most * BYTES_OF_ONE;
    size_t rest = 0;
    cleanup_fd fd = open("/proc/locks", O_RDONLY | O_CLOEXEC);
    while (fd >= 0 && room >= CHUNK && rest < CHUNK) {
        ssize_t length = read(fd, text + rest, CHUNK - rest);
        if (length <= 0)
            break;
        size_t have = rest + (size_t)length;
        text[have] = '\0';
        rest = take_lines(&reader, text);
        memmove(text, text + have - rest, rest);
        room -= (size_t)length;
    }
    qsort(inodes, reader.count, sizeof *inodes, compare);
    return reader.count;
}

bool lctr_flocks_have(const uint64_t *inodes, size_t count, uint64_t inode) {
    return bsearch(&inode, inodes, count, sizeof inode, compare) != NULL;
}
