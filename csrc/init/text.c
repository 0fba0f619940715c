/* The few functions on bytes and text that the init needs; the compiler calls the first two. */
#include "init.h"

void *memset(void *to, int byte, size_t count);

void *memcpy(void *restrict to, const void *restrict from, size_t count) {
    char *t = to;
    const char *f = from;
    for (size_t i = 0; i < count; i++)
        t[i] = f[i];
    return to;
}

void *memset(void *to, int byte, size_t count) {
    char *t = to;
    for (size_t i = 0; i < count; i++)
        t[i] = (char)byte;
    return to;
}

size_t text_length(const char *text) {
    size_t length = 0;
    while (text[length])
        length++;
    return length;
}

bool text_starts(const char *text, const char *with) {
    while (*with && *text == *with) {
        text++;
        with++;
    }
    return !*with;
}

/* Append to the NUL-terminated text of length `at`; returns the new length, or `size` when the
 * text does not fit, which stays so through later appends. */
size_t text_append(char *buffer, size_t size, size_t at, const char *text) {
    for (; at < size && *text; text++)
        buffer[at++] = *text;
    if (at >= size)
        return size;
    buffer[at] = '\0';
    return at;
}

size_t text_append_number(char *buffer, size_t size, size_t at, int64_t number) {
    char digits[24];
    size_t first = sizeof digits - 1;
    uint64_t rest = number < 0 ? -(uint64_t)number : (uint64_t)number;
    digits[first] = '\0';
    do {
        digits[--first] = (char)('0' + rest % 10);
        rest /= 10;
    } while (rest);
    if (number < 0)
        digits[--first] = '-';
    return text_append(buffer, size, at, digits + first);
}
