/* Texts and memory, for the monitor without libc; and the formats that core/ uses: %s %d %u %zu. */
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

/* All output of a container passes through memcpy and memchr. */
void *memcpy(void *restrict to, const void *restrict from, size_t count) {
#if defined(__x86_64__)
    void *out = to;
    __asm__ volatile("rep movsb" : "+D"(out), "+S"(from), "+c"(count) : : "memory");
#else
    char *out = to;
    const char *in = from;
    while (count--)
        *out++ = *in++;
#endif
    return to;
}

void *memset(void *to, int byte, size_t count) {
    char *out = to;
    while (count--)
        *out++ = (char)byte;
    return to;
}

/* Eight bytes at a time: a word has a zero byte if the borrow of a subtraction from it shows in a
 * top bit that was not set. */
static int has_byte(const char *at, uint64_t pattern) {
    uint64_t word;
    __builtin_memcpy(&word, at, sizeof word);
    word ^= pattern;
    return ((word - 0x0101010101010101u) & ~word & 0x8080808080808080u) != 0;
}

void *memchr(const void *in, int byte, size_t count) {
    const unsigned char *at = in;
    const uint64_t pattern = 0x0101010101010101u * (unsigned char)byte;
    for (; count >= sizeof pattern && !has_byte((const char *)at, pattern); at += sizeof pattern)
        count -= sizeof pattern;
    for (; count--; at++)
        if (*at == (unsigned char)byte)
            return (void *)at;
    return NULL;
}

size_t strlen(const char *text) {
    size_t length = 0;
    while (text[length])
        length++;
    return length;
}

int strncmp(const char *a, const char *b, size_t count) {
    for (; count--; a++, b++) {
        if (*a != *b)
            return (unsigned char)*a - (unsigned char)*b;
        if (!*a)
            break;
    }
    return 0;
}

int strcmp(const char *a, const char *b) {
    return strncmp(a, b, (size_t)-1);
}

char *strcpy(char *restrict to, const char *restrict from) {
    memcpy(to, from, strlen(from) + 1);
    return to;
}

char *strncpy(char *restrict to, const char *restrict from, size_t count) {
    size_t i = 0;
    for (; i < count && from[i]; i++)
        to[i] = from[i];
    for (; i < count; i++)
        to[i] = '\0';
    return to;
}

char *strchr(const char *text, int character) {
    for (;; text++) {
        if (*text == (char)character)
            return (char *)text;
        if (!*text)
            return NULL;
    }
}

char *strstr(const char *text, const char *wanted) {
    size_t length = strlen(wanted);
    for (; *text; text++)
        if (strncmp(text, wanted, length) == 0)
            return (char *)text;
    return length ? NULL : (char *)text;
}

/* ---- formats */

struct out {
    char *at;
    char *end; /* of what may be written; beyond it only the length counts */
    int length;
};

static void put(struct out *out, const char *text, size_t count) {
    for (size_t i = 0; i < count; i++, out->length++)
        if (out->at < out->end)
            *out->at++ = text[i];
}

static void put_number(struct out *out, unsigned long number) {
    char digits[24];
    char *at = digits + sizeof digits;
    do
        *--at = (char)('0' + number % 10);
    while (number /= 10);
    put(out, at, (size_t)(digits + sizeof digits - at));
}

static void put_argument(struct out *out, char kind, va_list *list) {
    if (kind == 's') {
        const char *text = va_arg(*list, const char *);
        put(out, text, strlen(text));
    } else if (kind == 'd') {
        int number = va_arg(*list, int);
        if (number < 0)
            put(out, "-", 1);
        put_number(out, number < 0 ? -(unsigned long)number : (unsigned long)number);
    } else if (kind == 'u') {
        put_number(out, va_arg(*list, unsigned));
    } else {
        put_number(out, va_arg(*list, size_t));
    }
}

static int format(struct out *out, const char *form, va_list *list) {
    for (; *form; form++) {
        if (*form != '%') {
            put(out, form, 1);
            continue;
        }
        form++;
        put_argument(out, *form, list);
        form += *form == 'z'; /* %zu */
    }
    *out->at = '\0';
    return out->length;
}

int snprintf(char *restrict buffer, size_t size, const char *restrict form, ...) {
    struct out out = {.at = buffer, .end = buffer + size - 1};
    va_list list;
    va_start(list, form);
    int length = format(&out, form, &list);
    va_end(list);
    return length;
}

int sprintf(char *restrict buffer, const char *restrict form, ...) {
    struct out out = {.at = buffer, .end = (char *)-1};
    va_list list;
    va_start(list, form);
    int length = format(&out, form, &list);
    va_end(list);
    return length;
}
