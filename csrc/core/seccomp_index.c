#include "core/seccomp_index.h"

#include <linux/audit.h>
#include <linux/seccomp.h>
#include <stdbool.h>

#if defined __x86_64__
#define NATIVE_ARCH AUDIT_ARCH_X86_64
#elif defined __aarch64__
#define NATIVE_ARCH AUDIT_ARCH_AARCH64
#else
#error "add this machine's AUDIT_ARCH"
#endif

/* A conditional jump reaches 255 instructions; a range takes at most 3. */
#define NEAR_RANGES 80

struct writer {
    const struct seccomp_index *index;
    struct sock_filter *out;
    size_t length;
};

#define LOAD(field) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, field))

static size_t put(struct writer *w, struct sock_filter instruction) {
    w->out[w->length] = instruction;
    return w->length++;
}

static uint32_t action_of(const struct seccomp_index *index, size_t number) {
    return number < index->count ? index->actions[number] : index->above;
}

/* The first number behind `number` that has another action; count + 1 behind the last range. */
static size_t range_end(const struct seccomp_index *index, size_t number) {
    uint32_t action = action_of(index, number);
    while (number <= index->count && action_of(index, number) == action)
        number++;
    return number;
}

static size_t count_ranges(const struct seccomp_index *index, size_t first, size_t end) {
    size_t count = 0;
    for (size_t number = first; number < end; number = range_end(index, number))
        count++;
    return count;
}

/* The jump of SECCOMP_ASK gets its distance when the end is known. */
static void put_leaf(struct writer *w, uint32_t action) {
    if (action == SECCOMP_ASK)
        put(w, (struct sock_filter)BPF_STMT(BPF_JMP | BPF_JA, 0));
    else
        put(w, (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, action));
}

/* A binary search over the ranges of [first, end), whose number is in the accumulator. */
static void put_search(struct writer *w, size_t first, size_t end) {
    size_t ranges = count_ranges(w->index, first, end);
    if (ranges <= 1) {
        put_leaf(w, action_of(w->index, first));
        return;
    }
    size_t middle = first;
    for (size_t i = 0; i < ranges / 2; i++)
        middle = range_end(w->index, middle);
    bool far = ranges / 2 > NEAR_RANGES;
    size_t test = put(w, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, (uint32_t)middle,
                                                      0, far ? 1 : 0));
    size_t jump = far ? put(w, (struct sock_filter)BPF_STMT(BPF_JMP | BPF_JA, 0)) : test;
    put_search(w, first, middle);
    uint32_t distance = (uint32_t)(w->length - jump - 1);
    if (far)
        w->out[jump].k = distance;
    else
        w->out[test].jt = (uint8_t)distance;
    put_search(w, middle, end);
}

static void resolve_asks(struct writer *w, size_t search) {
    for (size_t i = search; i < w->length; i++)
        if (w->out[i].code == (BPF_JMP | BPF_JA) && w->out[i].k == 0)
            w->out[i].k = (uint32_t)(w->length - i - 1);
}

size_t lctr_seccomp_index(const struct seccomp_index *index, struct sock_filter *out) {
    struct writer w = {.index = index, .out = out};
    put(&w, (struct sock_filter)LOAD(arch));
    put(&w, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, NATIVE_ARCH, 1, 0));
    put(&w, (struct sock_filter)BPF_STMT(BPF_JMP | BPF_JA, 0)); /* other ABIs: ask */
    put(&w, (struct sock_filter)LOAD(nr));
    put_search(&w, 0, index->count + 1);
    resolve_asks(&w, 0);
    return w.length;
}
