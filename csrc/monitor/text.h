/* Texts put together in a buffer, without stdio. What does not fit is left out. */
#ifndef LUACTR_MONITOR_TEXT_H
#define LUACTR_MONITOR_TEXT_H

#include <stddef.h>
#include <stdint.h>

struct text {
    char *at;
    char *end;
};

void text_bytes(struct text *text, const char *bytes, size_t count);
void text_string(struct text *text, const char *string);
void text_number(struct text *text, int64_t number);

/* `width` digits, with zeros in front. */
void text_digits(struct text *text, uint64_t number, int width);

/* count / per as a decimal fraction; a whole number when `per` is 1. */
void text_fraction(struct text *text, int64_t count, int64_t per);

/* "2026-01-31T23:59:59.123456Z" of microseconds since the epoch. */
void text_time(struct text *text, int64_t us);

#endif
