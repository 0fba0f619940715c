/* Encoder of plans: typed values in, one buffer of the format in csrc/plan.h out.
 *
 * Knows no Lua. A writer runs twice over the same steps: first without a buffer, which checks all
 * values and tells the size, then with one. Functions return 0 or -errno:
 *   -EINVAL NUL byte inside, or an empty path      -ENAMETOOLONG path     -E2BIG text or list
 *   -ERANGE number      -ENOSPC the steps have changed between the two runs */
#ifndef LUACTR_CORE_PLAN_H
#define LUACTR_CORE_PLAN_H

#include "../plan.h"

#include <stdbool.h>
#include <stddef.h>

/* One argument of a step kind, from its row in plan.h. */
struct lctr_plan_arg {
    const char *name; /* not terminated */
    size_t length;
    char type;
};

/* Name of the kind, or NULL past the last. */
const char *lctr_plan_name(uint32_t kind);

/* The arguments of a kind one by one: start with `*cursor` = lctr_plan_args(kind). */
const char *lctr_plan_args(uint32_t kind);
bool lctr_plan_next_arg(const char **cursor, struct lctr_plan_arg *arg);

/* Where in a step it failed, in words ("" for nowhere special). */
const char *lctr_plan_aux(uint32_t aux);

struct lctr_plan_writer {
    char *buffer; /* NULL in the first run */
    size_t capacity;
    size_t size;
    uint32_t steps;
    uint32_t step; /* the one that values go to */
    uint32_t arg;
};

/* Header and room for the records. */
int lctr_plan_begin(struct lctr_plan_writer *w, void *buffer, size_t capacity, uint32_t steps,
                    uint32_t slots);

/* The next record; the values that follow are its arguments in order. */
int lctr_plan_step(struct lctr_plan_writer *w, uint32_t kind);

int lctr_plan_number(struct lctr_plan_writer *w, char type, int64_t number);
int lctr_plan_nothing(struct lctr_plan_writer *w, char type);
int lctr_plan_text(struct lctr_plan_writer *w, char type, const char *text, size_t length);

/* A list: its length first, then that many of its kind. */
struct lctr_plan_list {
    size_t at; /* where the next value goes */
    uint32_t left;
};
int lctr_plan_list(struct lctr_plan_writer *w, char type, size_t count,
                   struct lctr_plan_list *list);
int lctr_plan_list_text(struct lctr_plan_writer *w, struct lctr_plan_list *list, const char *text,
                        size_t length);
int lctr_plan_list_number(struct lctr_plan_writer *w, struct lctr_plan_list *list, int64_t number);

/* Ends both runs; w->size is the size of the plan. */
int lctr_plan_end(struct lctr_plan_writer *w);

/* Whether a buffer is a plan as the encoder writes them: -EBADMSG if not. For specs and the fuzzer,
 * since the init relies on it. */
int lctr_plan_check(const void *buffer, size_t size);

#endif
