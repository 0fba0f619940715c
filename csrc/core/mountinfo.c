#include "core/mountinfo.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* The next field of *rest, which moves behind it; NULL at the end of the line. */
static char *next_field(char **rest) {
    char *field = *rest;
    if (!field)
        return NULL;
    char *end = strchr(field, ' ');
    if (end)
        *end++ = '\0';
    *rest = end;
    return field;
}

static bool is_octal(char digit) {
    return digit >= '0' && digit <= '7';
}

/* The kernel writes blank, tab, newline and backslash as \ooo (seq_path in fs/seq_file.c). */
static void unescape(char *text) {
    char *to = text;
    for (const char *from = text; *from; to++) {
        if (from[0] == '\\' && is_octal(from[1]) && is_octal(from[2]) && is_octal(from[3])) {
            *to = (char)((from[1] - '0') << 6 | (from[2] - '0') << 3 | (from[3] - '0'));
            from += 4;
        } else {
            *to = *from++;
        }
    }
    *to = '\0';
}

/* A decimal number up to `end`, which must follow it. */
static int number(const char *text, char end, unsigned int *value, const char **rest) {
    char *behind;
    if (*text < '0' || *text > '9')
        return -EINVAL;
    errno = 0;
    unsigned long parsed = strtoul(text, &behind, 10);
    if (errno || parsed > 0xffffffff || *behind != end)
        return -EINVAL;
    *value = (unsigned int)parsed;
    *rest = behind + (end != '\0');
    return 0;
}

static int device(const char *text, struct mountinfo *mount) {
    const char *rest;
    if (number(text, ':', &mount->major, &rest) < 0)
        return -EINVAL;
    return number(rest, '\0', &mount->minor, &rest);
}

/* The optional fields end with a field "-". They stay one string. */
static const char *optional_fields(char **rest) {
    char *start = *rest;
    if (!start)
        return NULL;
    char *dash = strncmp(start, "- ", 2) == 0 ? start : strstr(start, " - ");
    if (!dash)
        return NULL;
    *dash = '\0';
    *rest = dash + (dash == start ? 2 : 3);
    return start;
}

int lctr_mountinfo_parse(char *line, struct mountinfo *mount) {
    char *rest = line;
    const char *end;
    struct mountinfo found;
    char *field = next_field(&rest);
    if (!field || number(field, '\0', &found.id, &end) < 0)
        return -EINVAL;
    field = next_field(&rest);
    if (!field || number(field, '\0', &found.parent, &end) < 0)
        return -EINVAL;
    field = next_field(&rest);
    if (!field || device(field, &found) < 0)
        return -EINVAL;
    char *root = next_field(&rest);
    char *target = next_field(&rest);
    found.options = next_field(&rest);
    found.propagation = optional_fields(&rest);
    found.type = next_field(&rest);
    char *source = next_field(&rest);
    found.super_options = next_field(&rest);
    if (!target || !found.options || !found.propagation || !found.super_options)
        return -EINVAL;
    unescape(root);
    unescape(target);
    unescape(source);
    found.root = root;
    found.target = target;
    found.source = source;
    *mount = found;
    return 0;
}

int lctr_mountinfo_has_option(const char *options, const char *word) {
    size_t length = strlen(word);
    for (const char *at = options; at; at = strchr(at, ',')) {
        at += *at == ',';
        if (strncmp(at, word, length) == 0 && (at[length] == ',' || at[length] == '\0'))
            return 1;
    }
    return 0;
}
