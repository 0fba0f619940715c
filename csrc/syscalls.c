/* Build step: write the system calls of this machine and of its other ABIs, as libseccomp and the
 * rows below know them. lua/luactr/spec/syscalls.lua reads the result, which the module carries.
 *
 *   x86_64 c000003e x86 40000003 x32 c000003e     the ABIs: name and AUDIT_ARCH; ours first
 *   read 0 3 1073741824                           a name, its number in each, "-" for none */
#include <seccomp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* System calls that are younger than the libseccomp in use may be, up to Linux 6.17. Numbers from
 * 424 on are the same on all architectures. The last row is the newest number that luactr knows:
 * the profiles must decide about each name here. */
static const struct {
    const char *name;
    int number;
} newer[] = {
    {"process_madvise", 440},
    {"epoll_pwait2", 441},
    {"mount_setattr", 442},
    {"quotactl_fd", 443},
    {"landlock_create_ruleset", 444},
    {"landlock_add_rule", 445},
    {"landlock_restrict_self", 446},
    {"memfd_secret", 447},
    {"process_mrelease", 448},
    {"futex_waitv", 449},
    {"set_mempolicy_home_node", 450},
    {"cachestat", 451},
    {"fchmodat2", 452},
    {"map_shadow_stack", 453},
    {"futex_wake", 454},
    {"futex_wait", 455},
    {"futex_requeue", 456},
    {"statmount", 457},
    {"listmount", 458},
    {"lsm_get_self_attr", 459},
    {"lsm_set_self_attr", 460},
    {"lsm_list_modules", 461},
    {"mseal", 462},
    {"setxattrat", 463},
    {"getxattrat", 464},
    {"listxattrat", 465},
    {"removexattrat", 466},
    {"open_tree_attr", 467},
    {"file_getattr", 468},
    {"file_setattr", 469},
};

#define COUNT(array) (sizeof(array) / sizeof *(array))
#define X32_BIT      0x40000000

struct abi {
    const char *name;
    uint32_t audit; /* as the kernel tells a filter */
    uint32_t token; /* as libseccomp calls it */
    int bit;        /* set in all numbers */
};

#if defined __x86_64__
static const struct abi abis[] = {
    {"x86_64", SCMP_ARCH_X86_64, SCMP_ARCH_X86_64, 0},
    {"x86", SCMP_ARCH_X86, SCMP_ARCH_X86, 0},
    {"x32", SCMP_ARCH_X86_64, SCMP_ARCH_X32, X32_BIT},
};
#elif defined __aarch64__
static const struct abi abis[] = {
    {"aarch64", SCMP_ARCH_AARCH64, SCMP_ARCH_AARCH64, 0},
    {"arm", SCMP_ARCH_ARM, SCMP_ARCH_ARM, 0},
};
#else
#error "add this machine's ABIs"
#endif

/* Others, so that a name that exists there is told from one that exists nowhere. */
static const uint32_t elsewhere[] = {
    SCMP_ARCH_X86_64,  SCMP_ARCH_X86,   SCMP_ARCH_X32,     SCMP_ARCH_ARM,
    SCMP_ARCH_AARCH64, SCMP_ARCH_PPC64, SCMP_ARCH_PPC,     SCMP_ARCH_S390X,
    SCMP_ARCH_S390,    SCMP_ARCH_MIPS,  SCMP_ARCH_RISCV64, SCMP_ARCH_PARISC,
};

struct row {
    const char *name;
    int number[COUNT(abis)]; /* -1 for none */
};

#define MAX_ROWS 2048

static struct row rows[MAX_ROWS];
static size_t row_count;

static struct row *row_of(const char *name) {
    for (size_t i = 0; i < row_count; i++)
        if (strcmp(rows[i].name, name) == 0)
            return &rows[i];
    if (row_count == MAX_ROWS)
        abort();
    struct row *row = &rows[row_count++];
    row->name = strdup(name);
    for (size_t i = 0; i < COUNT(abis); i++)
        row->number[i] = -1;
    return row;
}

static void take(uint32_t token, const struct abi *abi, int number) {
    char *name = seccomp_syscall_resolve_num_arch(token, number);
    if (name) {
        struct row *row = row_of(name);
        if (abi && row->number[abi - abis] < 0)
            row->number[abi - abis] = number;
    }
    free(name);
}

/* Generic numbers, where MIPS begins its own, and ARM's private ones. */
static void take_all(uint32_t token, const struct abi *abi) {
    for (int number = 0; number < 1024; number++)
        take(token, abi, number | (abi ? abi->bit : 0));
    for (int number = 4000; number < 4500; number++)
        take(token, abi, number);
    for (int number = 0xf0001; number <= 0xf0005; number++)
        take(token, abi, number);
}

static void take_newer(void) {
    for (size_t i = 0; i < COUNT(newer); i++) {
        struct row *row = row_of(newer[i].name);
        for (size_t k = 0; k < COUNT(abis); k++)
            row->number[k] = newer[i].number | abis[k].bit;
    }
}

static void write_row(const struct row *row) {
    printf("%s", row->name);
    for (size_t i = 0; i < COUNT(abis); i++)
        if (row->number[i] < 0)
            printf(" -");
        else
            printf(" %d", row->number[i]);
    putchar('\n');
}

int main(void) {
    for (size_t i = 0; i < COUNT(abis); i++)
        take_all(abis[i].token, &abis[i]);
    for (size_t i = 0; i < COUNT(elsewhere); i++)
        take_all(elsewhere[i], NULL);
    take_newer();
    for (size_t i = 0; i < COUNT(abis); i++)
        printf("%s%s %x", i ? " " : "", abis[i].name, abis[i].audit);
    putchar('\n');
    for (size_t i = 0; i < row_count; i++)
        write_row(&rows[i]);
    return 0;
}
