#include "core/cgroup_file.h"

#include "core/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <string.h>

int lctr_cgroup_read(int dir, const char *file, char *text, size_t size) {
    cleanup_fd fd = openat(dir, file, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    size_t length = 0;
    while (length < size - 1) {
        ssize_t got = read(fd, text + length, size - 1 - length);
        if (got < 0)
            return -errno;
        if (got == 0)
            break;
        length += (size_t)got;
    }
    text[length] = '\0';
    return length == size - 1 ? -EFBIG : (int)length;
}

int lctr_cgroup_write(int dir, const char *file, const char *text) {
    cleanup_fd fd = openat(dir, file, O_WRONLY | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    return write(fd, text, strlen(text)) < 0 ? -errno : 0;
}

/* The number at *text, which moves behind it. strtoll would also take blanks and signs. */
static int digits(const char **text, int64_t *value) {
    const char *at = *text;
    int64_t parsed = 0;
    if (*at < '0' || *at > '9')
        return -EINVAL;
    for (; *at >= '0' && *at <= '9'; at++)
        if (__builtin_mul_overflow(parsed, 10, &parsed) ||
            __builtin_add_overflow(parsed, *at - '0', &parsed))
            return -ERANGE;
    *text = at;
    *value = parsed;
    return 0;
}

int lctr_cgroup_number(const char *text, int64_t *value) {
    int64_t parsed = -1;
    int error = 0;
    if (strncmp(text, "max", 3) == 0)
        text += 3;
    else
        error = digits(&text, &parsed);
    if (error)
        return error;
    if (text[0] != '\0' && strcmp(text, "\n") != 0)
        return -EINVAL;
    *value = parsed;
    return 0;
}

int lctr_cgroup_flat(const char *text, const char *key, int64_t *value) {
    size_t length = strlen(key);
    for (const char *line = text; line; line = strchr(line, '\n')) {
        line += *line == '\n';
        if (strncmp(line, key, length) != 0 || line[length] != ' ')
            continue;
        line += length + 1;
        return digits(&line, value);
    }
    return -ENOENT;
}

int64_t lctr_cgroup_sum(const char *text, const char *key, char separator) {
    size_t length = strlen(key);
    int64_t sum = 0;
    int64_t value;
    for (const char *at = text; (at = strstr(at, key)); at += length) {
        const char *number = at + length + 1;
        bool starts_word = at > text && at[-1] == ' ';
        if (!starts_word || at[length] != separator || digits(&number, &value) < 0)
            continue;
        if (__builtin_add_overflow(sum, value, &sum))
            return INT64_MAX;
    }
    return sum;
}

struct range {
    unsigned int first;
    unsigned int last;
};

static int list_number(const char **text, unsigned int *value) {
    int64_t parsed;
    int error = digits(text, &parsed);
    if (error || parsed > 0xffff) /* no kernel has more CPUs or nodes */
        return -EINVAL;
    *value = (unsigned int)parsed;
    return 0;
}

/* The range at *text, which moves behind it and the comma. -ENODATA at the end. */
static int next_range(const char **text, struct range *range) {
    const char *at = *text;
    if (*at == '\0' || *at == '\n')
        return -ENODATA;
    if (list_number(&at, &range->first) < 0)
        return -EINVAL;
    range->last = range->first;
    if (*at == '-') {
        at++;
        if (list_number(&at, &range->last) < 0 || range->last < range->first)
            return -EINVAL;
    }
    if (*at == ',' && at[1] >= '0' && at[1] <= '9')
        at++;
    else if (*at != '\0' && *at != '\n')
        return -EINVAL;
    *text = at;
    return 0;
}

/* The first number of `range` that the list lacks; above range.last if it has all. The list's
 * ranges are in order and don't touch, as the kernel writes them. */
static unsigned int first_missing(const char *list, struct range range) {
    struct range have;
    unsigned int missing = range.first;
    while (next_range(&list, &have) == 0)
        if (have.first <= missing && missing <= have.last)
            missing = have.last + 1;
    return missing;
}

int lctr_cgroup_list(const char *list, const char *within, unsigned int *outside) {
    struct range range;
    int error;
    if (*list == '\0' || *list == '\n')
        return -EINVAL;
    while ((error = next_range(&list, &range)) == 0) {
        unsigned int missing = within ? first_missing(within, range) : range.last + 1;
        if (missing <= range.last) {
            *outside = missing;
            return -ERANGE;
        }
    }
    return error == -ENODATA ? 0 : error;
}
