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

/* A conditional jump reaches 255 instructions; a cluster takes at most 2 for each range. */
#define CLUSTER_RANGES 100

/* One way out of a test that ends the search: where it has to lead is known behind the cluster. */
struct way_out {
    size_t test;
    bool taken;
    uint32_t action;
};

struct writer {
    const struct seccomp_index *index;
    struct sock_filter *out;
    size_t length;
    struct way_out out_of[CLUSTER_RANGES];
    size_t ways;
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

static size_t middle_of(const struct writer *w, size_t first, size_t ranges) {
    for (size_t i = 0; i < ranges / 2; i++)
        first = range_end(w->index, first);
    return first;
}

static size_t put_test(struct writer *w, size_t number) {
    return put(w, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, (uint32_t)number, 0, 0));
}

static void lead(struct writer *w, size_t test, bool taken, size_t to) {
    uint8_t distance = (uint8_t)(to - test - 1);
    if (taken)
        w->out[test].jt = distance;
    else
        w->out[test].jf = distance;
}

static void put_tests(struct writer *w, size_t first, size_t end, size_t ranges);

/* What the test leads to on one side: further tests, which follow here, or an action. */
static void put_side(struct writer *w, size_t test, bool taken, size_t first, size_t end,
                     size_t ranges) {
    if (ranges == 1) {
        w->out_of[w->ways++] = (struct way_out){test, taken, action_of(w->index, first)};
        return;
    }
    lead(w, test, taken, w->length);
    put_tests(w, first, end, ranges);
}

static void put_tests(struct writer *w, size_t first, size_t end, size_t ranges) {
    size_t middle = middle_of(w, first, ranges);
    size_t test = put_test(w, middle);
    put_side(w, test, false, first, middle, ranges / 2);
    put_side(w, test, true, middle, end, ranges - ranges / 2);
}

/* The leaf of each action once, behind the tests: the kernel translates and tries out every
 * instruction at each start of a container. */
static void put_leaves(struct writer *w) {
    for (size_t i = 0; i < w->ways; i++) {
        uint32_t action = w->out_of[i].action;
        size_t leaf = w->length;
        for (size_t j = i; j < w->ways; j++) {
            if (w->out_of[j].action != action || w->out_of[j].test == SIZE_MAX)
                continue;
            lead(w, w->out_of[j].test, w->out_of[j].taken, leaf);
            w->out_of[j].test = SIZE_MAX;
            if (w->length == leaf)
                put_leaf(w, action);
        }
    }
    w->ways = 0;
}

/* A binary search over the ranges of [first, end), whose number is in the accumulator. */
static void put_search(struct writer *w, size_t first, size_t end) {
    size_t ranges = count_ranges(w->index, first, end);
    if (ranges == 1) {
        put_leaf(w, action_of(w->index, first));
    } else if (ranges <= CLUSTER_RANGES) {
        put_tests(w, first, end, ranges);
        put_leaves(w);
    } else {
        size_t middle = middle_of(w, first, ranges);
        size_t test = put_test(w, middle);
        size_t jump = put(w, (struct sock_filter)BPF_STMT(BPF_JMP | BPF_JA, 0));
        lead(w, test, false, w->length);
        put_search(w, first, middle);
        w->out[jump].k = (uint32_t)(w->length - jump - 1);
        put_search(w, middle, end);
    }
}

static void resolve_asks(struct writer *w, size_t search) {
    for (size_t i = search; i < w->length; i++)
        if (w->out[i].code == (BPF_JMP | BPF_JA) && w->out[i].k == 0)
            w->out[i].k = (uint32_t)(w->length - i - 1);
}

size_t lctr_seccomp_index(const struct seccomp_index *index, struct sock_filter *out) {
    struct writer w = {.index = index, .out = out, .ways = 0};
    put(&w, (struct sock_filter)LOAD(arch));
    put(&w, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, NATIVE_ARCH, 1, 0));
    put(&w, (struct sock_filter)BPF_STMT(BPF_JMP | BPF_JA, 0)); /* other ABIs: ask */
    put(&w, (struct sock_filter)LOAD(nr));
    put_search(&w, 0, index->count + 1);
    resolve_asks(&w, 0);
    return w.length;
}
