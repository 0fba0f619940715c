#include "core/device_rule.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* A word of the line, which the cursor moves behind. */
struct word {
    const char *text;
    size_t length;
};

static struct word next_word(const char **at, const char *end) {
    while (*at < end && **at == ' ')
        (*at)++;
    struct word word = {.text = *at};
    while (*at < end && **at != ' ')
        (*at)++;
    word.length = (size_t)(*at - word.text);
    return word;
}

static bool is(struct word word, const char *text) {
    return word.length == strlen(text) && memcmp(word.text, text, word.length) == 0;
}

static int parse_number(const char **at, const char *end, uint32_t *number) {
    uint64_t parsed = 0;
    if (*at < end && **at == '*') {
        (*at)++;
        *number = DEVICE_ANY;
        return 0;
    }
    if (*at == end || **at < '0' || **at > '9')
        return -EINVAL;
    for (; *at < end && **at >= '0' && **at <= '9'; (*at)++) {
        parsed = parsed * 10 + (uint64_t)(**at - '0');
        if (parsed >= DEVICE_ANY)
            return -EINVAL;
    }
    *number = (uint32_t)parsed;
    return 0;
}

static int parse_node(struct word word, struct device_rule *rule) {
    const char *at = word.text;
    const char *end = word.text + word.length;
    if (parse_number(&at, end, &rule->major) < 0 || at == end || *at++ != ':')
        return -EINVAL;
    return parse_number(&at, end, &rule->minor) < 0 || at != end ? -EINVAL : 0;
}

static int parse_access(struct word word, unsigned int *access) {
    static const struct {
        char letter;
        unsigned int bit;
    } letters[] = {{'r', DEVICE_READ}, {'w', DEVICE_WRITE}, {'m', DEVICE_MKNOD}};
    *access = 0;
    for (size_t i = 0; i < word.length; i++) {
        unsigned int bit = 0;
        for (size_t k = 0; k < 3; k++)
            if (letters[k].letter == word.text[i])
                bit = letters[k].bit;
        if (!bit)
            return -EINVAL;
        *access |= bit;
    }
    return *access ? 0 : -EINVAL;
}

static int parse_line(const char *line, const char *end, struct device_rule *rule) {
    struct word verb = next_word(&line, end);
    struct word type = next_word(&line, end);
    if ((!is(verb, "allow") && !is(verb, "deny")) || type.length != 1)
        return -EINVAL;
    *rule = (struct device_rule){.allow = is(verb, "allow"),
                                 .type = type.text[0],
                                 .major = DEVICE_ANY,
                                 .minor = DEVICE_ANY,
                                 .access = DEVICE_ALL};
    if (rule->type != 'a') {
        if (rule->type != 'b' && rule->type != 'c')
            return -EINVAL;
        if (parse_node(next_word(&line, end), rule) < 0 ||
            parse_access(next_word(&line, end), &rule->access) < 0)
            return -EINVAL;
    }
    return next_word(&line, end).length ? -EINVAL : 0;
}

int lctr_device_rules_parse(const char *text, struct device_rules *rules) {
    rules->count = 0;
    while (*text) {
        size_t length = strcspn(text, "\n");
        if (length) {
            if (rules->count == DEVICE_RULES_MAX)
                return -ENOSPC;
            int error = parse_line(text, text + length, &rules->rule[rules->count]);
            if (error)
                return error;
            rules->count++;
        }
        text += length + (text[length] == '\n');
    }
    return 0;
}

static void number_text(uint32_t number, char text[12]) {
    if (number == DEVICE_ANY)
        strcpy(text, "*");
    else
        snprintf(text, 12, "%u", number);
}

void lctr_device_rule_text(const struct device_rule *rule, char text[DEVICE_RULE_MAX]) {
    char major[12];
    char minor[12];
    if (rule->type == 'a') {
        strcpy(text, "a");
        return;
    }
    number_text(rule->major, major);
    number_text(rule->minor, minor);
    snprintf(text, DEVICE_RULE_MAX, "%c %s:%s %s%s%s", rule->type, major, minor,
             rule->access & DEVICE_READ ? "r" : "", rule->access & DEVICE_WRITE ? "w" : "",
             rule->access & DEVICE_MKNOD ? "m" : "");
}

static bool same_node(const struct device_rule *a, const struct device_rule *b) {
    return a->type == b->type && a->major == b->major && a->minor == b->minor;
}

static bool meet(uint32_t a, uint32_t b) {
    return a == b || a == DEVICE_ANY || b == DEVICE_ANY;
}

static bool overlap(const struct device_rule *a, const struct device_rule *b) {
    return a->type == b->type && a->access & b->access && meet(a->major, b->major) &&
           meet(a->minor, b->minor);
}

/* Whether v1 takes the rule for an exception to the default (what the last "a" has said) and adds
 * it to its list. One that agrees with the default takes exceptions back. */
static bool is_added(const struct device_rules *rules, size_t since, size_t i) {
    return since > 0 && rules->rule[since - 1].allow != rules->rule[i].allow;
}

/* v1 takes an exception back only by its exact node, and ignores the attempt otherwise. */
bool lctr_device_rules_are_exceptions(const struct device_rules *rules) {
    size_t since = 0; /* the rule after the last "a", which empties v1's list */
    for (size_t i = 0; i < rules->count; i++) {
        const struct device_rule *rule = &rules->rule[i];
        if (rule->type == 'a')
            since = i + 1;
        for (size_t k = since; k < i && !is_added(rules, since, i); k++) {
            const struct device_rule *earlier = &rules->rule[k];
            if (earlier->allow != rule->allow && overlap(earlier, rule) &&
                !same_node(earlier, rule))
                return false;
        }
    }
    return true;
}
