#include "plan.h"

#include <errno.h>
#include <string.h>

static const char *const names[] = {
#define X(id, name, args) [STEP_##id] = name,
    PLAN_STEPS(X)
#undef X
};

static const char *const arguments[] = {
#define X(id, name, args) [STEP_##id] = args,
    PLAN_STEPS(X) /* NOLINT(bugprone-suspicious-missing-comma): a long row is in two parts */
#undef X
};

static const char *const aux_names[] = {
#define X(id, name) [AUX_##id] = name,
    PLAN_AUX(X)
#undef X
};

const char *lctr_plan_name(uint32_t kind) {
    return kind < STEP_COUNT ? names[kind] : NULL;
}

const char *lctr_plan_args(uint32_t kind) {
    return arguments[kind];
}

const char *lctr_plan_aux(uint32_t aux) {
    return aux < sizeof aux_names / sizeof aux_names[0] ? aux_names[aux] : "";
}

bool lctr_plan_next_arg(const char **cursor, struct lctr_plan_arg *arg) {
    const char *c = *cursor;
    if (!*c)
        return false;
    arg->name = c;
    arg->length = strcspn(c, ":");
    c += arg->length + 1;
    arg->type = *c++;
    *cursor = *c == ' ' ? c + 1 : c;
    return true;
}

/* ---- the buffer */

static size_t align8(size_t size) {
    return (size + 7) & ~(size_t)7;
}

/* Take room at the end. In the first run there is no memory behind it. */
static int extend(struct lctr_plan_writer *w, size_t length) {
    if (length > PLAN_MAX_SIZE - w->size)
        return -E2BIG;
    if (w->buffer && length > w->capacity - w->size)
        return -ENOSPC;
    w->size += length;
    return 0;
}

static int pad(struct lctr_plan_writer *w) {
    return extend(w, align8(w->size) - w->size);
}

static void store(struct lctr_plan_writer *w, size_t at, const void *data, size_t length) {
    if (w->buffer && length)
        memcpy(w->buffer + at, data, length);
}

/* The buffer is zeroed: the NUL is there. */
static int append(struct lctr_plan_writer *w, const void *data, size_t length, size_t *at) {
    *at = w->size;
    int result = extend(w, length + 1);
    if (result < 0)
        return result;
    store(w, *at, data, length);
    return 0;
}

static size_t record_at(uint32_t step) {
    return sizeof(struct plan_header) + step * sizeof(struct plan_step);
}

static void put(struct lctr_plan_writer *w, union plan_arg value) {
    size_t at = record_at(w->step) + offsetof(struct plan_step, arg) + w->arg * sizeof value;
    store(w, at, &value, sizeof value);
    w->arg++;
}

int lctr_plan_begin(struct lctr_plan_writer *w, void *buffer, size_t capacity, uint32_t steps,
                    uint32_t slots) {
    *w = (struct lctr_plan_writer){
        .buffer = buffer, .capacity = capacity, .steps = steps, .step = UINT32_MAX};
    if (steps > PLAN_MAX_STEPS || slots > PLAN_MAX_SLOTS)
        return -E2BIG;
    int result = extend(w, record_at(steps));
    if (result < 0)
        return result;
    if (buffer)
        memset(buffer, 0, capacity);
    const struct plan_header header = {
        .magic = PLAN_MAGIC, .version = PLAN_VERSION, .steps = steps, .slots = slots};
    store(w, 0, &header, sizeof header);
    return 0;
}

int lctr_plan_step(struct lctr_plan_writer *w, uint32_t kind) {
    w->step++;
    w->arg = 0;
    if (w->step >= w->steps || kind >= STEP_COUNT)
        return -ENOSPC;
    store(w, record_at(w->step) + offsetof(struct plan_step, kind), &kind, sizeof kind);
    return 0;
}

int lctr_plan_end(struct lctr_plan_writer *w) {
    if (w->step + 1 != w->steps)
        return -ENOSPC;
    int result = pad(w);
    if (result < 0)
        return result;
    if (w->buffer && w->size != w->capacity)
        return -ENOSPC;
    const uint32_t size = (uint32_t)w->size;
    store(w, offsetof(struct plan_header, size), &size, sizeof size);
    return 0;
}

/* ---- values */

/* Inclusive bounds of the number types; i is all of int64. */
static bool in_range(char type, int64_t number) {
    switch (type) {
    case 'i':
        return true;
    case 'd':
        return number >= 0 && number <= PLAN_MAX_FD;
    case 'f':
    case 'F':
        return number >= 0 && number < PLAN_MAX_SLOTS;
    default:
        return number >= 0 && number <= UINT32_MAX;
    }
}

int lctr_plan_number(struct lctr_plan_writer *w, char type, int64_t number) {
    if (!in_range(type, number))
        return -ERANGE;
    put(w, (union plan_arg){.u = (uint64_t)number});
    return 0;
}

int lctr_plan_nothing(struct lctr_plan_writer *w, char type) {
    put(w, (union plan_arg){.u = type == 'F' ? PLAN_NONE : 0});
    return 0;
}

static int check_text(char type, const char *text, size_t length) {
    if (type == 'b')
        return length > PLAN_MAX_SIZE ? -E2BIG : 0;
    if (memchr(text, '\0', length) || (type == 'p' && !length))
        return -EINVAL;
    if (type == 'p' && length > PLAN_MAX_PATH)
        return -ENAMETOOLONG;
    return length > PLAN_MAX_STRING ? -E2BIG : 0;
}

int lctr_plan_text(struct lctr_plan_writer *w, char type, const char *text, size_t length) {
    int result = check_text(type, text, length);
    size_t at = 0;
    if (result == 0 && type == 'b') /* a seccomp filter is read in place */
        result = pad(w);
    if (result == 0)
        result = append(w, text, length, &at);
    if (result < 0)
        return result;
    put(w, (union plan_arg){.data = {(uint32_t)at, (uint32_t)length}});
    return 0;
}

int lctr_plan_list(struct lctr_plan_writer *w, char type, size_t count,
                   struct lctr_plan_list *list) {
    size_t each = type == 'n' ? sizeof(uint32_t) : sizeof(uint64_t);
    if (count > PLAN_MAX_SIZE / each)
        return -E2BIG;
    int result = pad(w);
    if (result < 0)
        return result;
    *list = (struct lctr_plan_list){.at = w->size, .left = (uint32_t)count};
    result = extend(w, count * each + (type == 'v' ? each : 0));
    if (result == 0)
        put(w, (union plan_arg){.data = {(uint32_t)list->at, (uint32_t)count}});
    return result;
}

int lctr_plan_list_text(struct lctr_plan_writer *w, struct lctr_plan_list *list, const char *text,
                        size_t length) {
    int result = list->left ? check_text('s', text, length) : -ENOSPC;
    size_t at = 0;
    if (result == 0)
        result = append(w, text, length, &at);
    if (result < 0)
        return result;
    const uint64_t offset = at;
    store(w, list->at, &offset, sizeof offset);
    list->at += sizeof offset;
    list->left--;
    return 0;
}

int lctr_plan_list_number(struct lctr_plan_writer *w, struct lctr_plan_list *list, int64_t number) {
    if (!in_range('n', number))
        return -ERANGE;
    if (!list->left)
        return -ENOSPC;
    const uint32_t value = (uint32_t)number;
    store(w, list->at, &value, sizeof value);
    list->at += sizeof value;
    list->left--;
    return 0;
}

/* ---- checking a finished buffer */

struct view {
    const char *buffer;
    size_t size;
    size_t data; /* where the records end */
    uint32_t slots;
};

static bool holds(const struct view *v, uint64_t offset, uint64_t length) {
    return offset >= v->data && offset <= v->size && length <= v->size - offset;
}

static bool holds_text(const struct view *v, uint64_t offset, uint64_t length) {
    return length < v->size && holds(v, offset, length + 1) &&
           strnlen(v->buffer + offset, length + 1) == length;
}

static bool holds_vector(const struct view *v, uint64_t at, uint64_t count) {
    if (at % sizeof(uint64_t) || !holds(v, at, (count + 1) * sizeof(uint64_t)))
        return false;
    uint64_t offset;
    for (uint64_t i = 0; i < count; i++) {
        memcpy(&offset, v->buffer + at + i * sizeof offset, sizeof offset);
        if (!holds(v, offset, 1) || !memchr(v->buffer + offset, '\0', v->size - offset))
            return false;
    }
    memcpy(&offset, v->buffer + at + count * sizeof offset, sizeof offset);
    return offset == 0;
}

static bool is_valid(const struct view *v, char type, const union plan_arg *a) {
    uint64_t offset = a->data.offset;
    uint64_t length = a->data.length;
    switch (type) {
    case 'S':
        if (offset == PLAN_NO_OFFSET && length == 0)
            return true;
        return holds_text(v, offset, length);
    case 's':
        return holds_text(v, offset, length);
    case 'p':
        return length && length <= PLAN_MAX_PATH && holds_text(v, offset, length);
    case 'b':
        return offset % 8 == 0 && holds(v, offset, length);
    case 'n':
        return offset % 8 == 0 && holds(v, offset, length * sizeof(uint32_t));
    case 'v':
        return holds_vector(v, offset, length);
    case 'F':
        return a->u == PLAN_NONE || a->u < v->slots;
    case 'f':
        return a->u < v->slots;
    default:
        return in_range(type, (int64_t)a->u);
    }
}

static bool is_valid_step(const struct view *v, const struct plan_step *step) {
    if (step->kind >= STEP_COUNT)
        return false;
    const char *cursor = lctr_plan_args(step->kind);
    struct lctr_plan_arg arg;
    for (const union plan_arg *a = step->arg; lctr_plan_next_arg(&cursor, &arg); a++)
        if (!is_valid(v, arg.type, a))
            return false;
    return true;
}

int lctr_plan_check(const void *buffer, size_t size) {
    struct plan_header header;
    if (size < sizeof header || size > PLAN_MAX_SIZE)
        return -EBADMSG;
    memcpy(&header, buffer, sizeof header);
    bool ours = header.magic == PLAN_MAGIC && header.version == PLAN_VERSION && header.size == size;
    if (!ours || header.steps > PLAN_MAX_STEPS || header.slots > PLAN_MAX_SLOTS)
        return -EBADMSG;
    const struct view v = {buffer, size, record_at(header.steps), header.slots};
    if (v.data > size)
        return -EBADMSG;
    for (uint32_t i = 0; i < header.steps; i++) {
        struct plan_step step;
        memcpy(&step, v.buffer + record_at(i), sizeof step);
        if (!is_valid_step(&v, &step))
            return -EBADMSG;
    }
    return 0;
}
