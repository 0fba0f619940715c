#include "text.h"

#include <string.h>

#define MICROSECONDS   1000000
#define DAY            86400
#define NUMBER_MAX     20
#define DAYS_TO_EPOCH  719468 /* from 1 March of the year 0 */
#define DAYS_OF_400    146097
#define FRACTION_WIDTH 6

void text_bytes(struct text *text, const char *bytes, size_t count) {
    if (count > (size_t)(text->end - text->at))
        return;
    memcpy(text->at, bytes, count);
    text->at += count;
}

void text_string(struct text *text, const char *string) {
    text_bytes(text, string, strlen(string));
}

void text_digits(struct text *text, uint64_t number, int width) {
    char digits[NUMBER_MAX];
    int count = 0;
    do {
        digits[NUMBER_MAX - ++count] = (char)('0' + number % 10);
        number /= 10;
    } while (count < NUMBER_MAX && (number || count < width));
    text_bytes(text, digits + NUMBER_MAX - count, (size_t)count);
}

void text_number(struct text *text, int64_t number) {
    if (number < 0)
        text_string(text, "-");
    text_digits(text, number < 0 ? -(uint64_t)number : (uint64_t)number, 1);
}

void text_fraction(struct text *text, int64_t count, int64_t per) {
    text_number(text, count / per);
    if (per == 1 || count < 0)
        return;
    text_string(text, ".");
    text_digits(text, (uint64_t)(count % per) / (uint64_t)(per / MICROSECONDS), FRACTION_WIDTH);
}

/* Days since the epoch to a date, by eras of 400 years that begin in March, so that the day that a
 * leap year has more is its last. */
static void text_date(struct text *text, int64_t days) {
    int64_t since = days + DAYS_TO_EPOCH;
    int64_t era = since / DAYS_OF_400;
    int64_t day = since % DAYS_OF_400;
    int64_t year = (day - day / 1460 + day / 36524 - day / (DAYS_OF_400 - 1)) / 365;
    day -= 365 * year + year / 4 - year / 100;
    int64_t month = (5 * day + 2) / 153; /* from March */
    text_digits(text, (uint64_t)(era * 400 + year + (month >= 10)), 4);
    text_string(text, "-");
    text_digits(text, (uint64_t)(month < 10 ? month + 3 : month - 9), 2);
    text_string(text, "-");
    text_digits(text, (uint64_t)(day - (153 * month + 2) / 5 + 1), 2);
}

void text_time(struct text *text, int64_t us) {
    int64_t seconds = us / MICROSECONDS;
    uint64_t second = (uint64_t)(seconds % DAY);
    text_date(text, seconds / DAY);
    text_string(text, "T");
    text_digits(text, second / 3600, 2);
    text_string(text, ":");
    text_digits(text, second / 60 % 60, 2);
    text_string(text, ":");
    text_digits(text, second % 60, 2);
    text_string(text, ".");
    text_digits(text, (uint64_t)(us % MICROSECONDS), FRACTION_WIDTH);
    text_string(text, "Z");
}
