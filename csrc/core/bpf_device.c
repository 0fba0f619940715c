#include "core/bpf_device.h"

#include "core/fd.h"

#include <errno.h>
#include <string.h>
#include <sys/syscall.h>

/* ---- the program
 *
 * What an access asks for is taken off bit by bit: going back from the last rule, a rule that
 * allows clears its bits, one that refuses a bit still open ends it. Registers: */
enum {
    RESULT = BPF_REG_0,
    CONTEXT = BPF_REG_1,
    TYPE = BPF_REG_2,
    MAJOR = BPF_REG_3,
    MINOR = BPF_REG_4,
    OPEN_BITS = BPF_REG_5, /* of the access, those that no rule has decided yet */
    SCRATCH = BPF_REG_6,
};

struct assembler {
    struct bpf_insn *program;
    size_t count;
};

static void emit(struct assembler *as, struct bpf_insn instruction) {
    as->program[as->count++] = instruction;
}

static void emit_load(struct assembler *as, unsigned int to, size_t offset) {
    emit(as, (struct bpf_insn){.code = BPF_LDX | BPF_MEM | BPF_W,
                               .dst_reg = to & 15,
                               .src_reg = CONTEXT,
                               .off = (int16_t)offset});
}

static void emit_alu(struct assembler *as, int operation, unsigned int to, uint32_t value) {
    emit(as, (struct bpf_insn){.code = (uint8_t)(BPF_ALU | operation | BPF_K),
                               .dst_reg = to & 15,
                               .imm = (int32_t)value});
}

static void emit_copy(struct assembler *as, unsigned int to, unsigned int from) {
    emit(as, (struct bpf_insn){
                 .code = BPF_ALU | BPF_MOV | BPF_X, .dst_reg = to & 15, .src_reg = from & 15});
}

/* A jump whose distance is not known yet; returns its place. 32-bit compares are younger than the
 * oldest kernels with device programs: the registers hold zero-extended words, so 64 bits do. */
static size_t emit_jump(struct assembler *as, int condition, unsigned int what, uint32_t value) {
    emit(as, (struct bpf_insn){.code = (uint8_t)(BPF_JMP | condition | BPF_K),
                               .dst_reg = what & 15,
                               .imm = (int32_t)value});
    return as->count - 1;
}

static void land(struct assembler *as, size_t jump) {
    as->program[jump].off = (int16_t)(as->count - jump - 1);
}

static void emit_return(struct assembler *as, bool allow) {
    emit_alu(as, BPF_MOV, RESULT, allow);
    emit(as, (struct bpf_insn){.code = BPF_JMP | BPF_EXIT});
}

/* What the rule does once its node matches. */
static void emit_verdict(struct assembler *as, const struct device_rule *rule) {
    if (rule->allow) {
        emit_alu(as, BPF_AND, OPEN_BITS, ~rule->access & DEVICE_ALL);
        size_t more = emit_jump(as, BPF_JNE, OPEN_BITS, 0);
        emit_return(as, true);
        land(as, more);
    } else {
        emit_copy(as, SCRATCH, OPEN_BITS);
        emit_alu(as, BPF_AND, SCRATCH, rule->access);
        size_t untouched = emit_jump(as, BPF_JEQ, SCRATCH, 0);
        emit_return(as, false);
        land(as, untouched);
    }
}

static void emit_rule(struct assembler *as, const struct device_rule *rule) {
    size_t misses[3];
    size_t count = 0;
    misses[count++] =
        emit_jump(as, BPF_JNE, TYPE, rule->type == 'b' ? BPF_DEVCG_DEV_BLOCK : BPF_DEVCG_DEV_CHAR);
    if (rule->major != DEVICE_ANY)
        misses[count++] = emit_jump(as, BPF_JNE, MAJOR, rule->major);
    if (rule->minor != DEVICE_ANY)
        misses[count++] = emit_jump(as, BPF_JNE, MINOR, rule->minor);
    emit_verdict(as, rule);
    for (size_t i = 0; i < count; i++)
        land(as, misses[i]);
}

size_t lctr_bpf_device_compile(const struct device_rules *rules,
                               struct bpf_insn program[BPF_DEVICE_MAX]) {
    struct assembler as = {.program = program};
    size_t i = rules->count;
    emit_load(&as, TYPE, offsetof(struct bpf_cgroup_dev_ctx, access_type));
    emit_copy(&as, OPEN_BITS, TYPE);
    emit_alu(&as, BPF_AND, TYPE, 0xffff);
    emit_alu(&as, BPF_RSH, OPEN_BITS, 16);
    emit_load(&as, MAJOR, offsetof(struct bpf_cgroup_dev_ctx, major));
    emit_load(&as, MINOR, offsetof(struct bpf_cgroup_dev_ctx, minor));
    while (i > 0 && rules->rule[i - 1].type != 'a')
        emit_rule(&as, &rules->rule[--i]);
    /* A rule for all nodes decides what is left; without one it is refused. */
    emit_return(&as, i > 0 && rules->rule[i - 1].allow);
    return as.count;
}

/* ---- bpf(2) */

static int bpf(enum bpf_cmd command, union bpf_attr *attributes) {
    long result = syscall(SYS_bpf, command, attributes, sizeof *attributes);
    return result < 0 ? -errno : (int)result;
}

static int load(const struct bpf_insn *program, size_t count) {
    union bpf_attr attributes;
    memset(&attributes, 0, sizeof attributes);
    attributes.prog_type = BPF_PROG_TYPE_CGROUP_DEVICE;
    attributes.insns = (uint64_t)(uintptr_t)program;
    attributes.insn_cnt = (uint32_t)count;
    attributes.license = (uint64_t)(uintptr_t) "";
    return bpf(BPF_PROG_LOAD, &attributes);
}

#define ATTACHED_MAX 64 /* BPF_CGROUP_MAX_PROGS */

static int query(int cgroup, uint32_t ids[ATTACHED_MAX], uint32_t *count) {
    union bpf_attr attributes;
    memset(&attributes, 0, sizeof attributes);
    attributes.query.target_fd = (uint32_t)cgroup;
    attributes.query.attach_type = BPF_CGROUP_DEVICE;
    attributes.query.prog_ids = (uint64_t)(uintptr_t)ids;
    attributes.query.prog_cnt = ATTACHED_MAX;
    int error = bpf(BPF_PROG_QUERY, &attributes);
    *count = error ? 0 : attributes.query.prog_cnt;
    return error;
}

/* Several programs: one that a container attaches below ours is asked too, and ours goes on. */
static int attach(int cgroup, int program) {
    union bpf_attr attributes;
    memset(&attributes, 0, sizeof attributes);
    attributes.target_fd = (uint32_t)cgroup;
    attributes.attach_bpf_fd = (uint32_t)program;
    attributes.attach_type = BPF_CGROUP_DEVICE;
    attributes.attach_flags = BPF_F_ALLOW_MULTI;
    return bpf(BPF_PROG_ATTACH, &attributes);
}

static int detach(int cgroup, uint32_t id) {
    union bpf_attr attributes;
    memset(&attributes, 0, sizeof attributes);
    attributes.prog_id = id;
    cleanup_fd program = bpf(BPF_PROG_GET_FD_BY_ID, &attributes);
    if (program < 0)
        return program;
    memset(&attributes, 0, sizeof attributes);
    attributes.target_fd = (uint32_t)cgroup;
    attributes.attach_bpf_fd = (uint32_t)program;
    attributes.attach_type = BPF_CGROUP_DEVICE;
    return bpf(BPF_PROG_DETACH, &attributes);
}

int lctr_bpf_device_set(int cgroup, const char *text) {
    struct device_rules rules;
    struct bpf_insn program[BPF_DEVICE_MAX];
    uint32_t old[ATTACHED_MAX];
    uint32_t count;
    int error = lctr_device_rules_parse(text, &rules);
    if (error)
        return error;
    cleanup_fd fd = load(program, lctr_bpf_device_compile(&rules, program));
    if (fd < 0)
        return fd;
    error = query(cgroup, old, &count);
    if (!error)
        error = attach(cgroup, fd);
    /* All attached programs must agree: the old ones go last, so that no moment is without one. */
    for (uint32_t i = 0; i < count && !error; i++)
        error = detach(cgroup, old[i]);
    return error;
}
