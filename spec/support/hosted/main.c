/* A fuzzer for the init: csrc/init linked with libc, on a kernel that answers at random.
 *
 *   init-fuzz SECONDS SEED KEEP FILE...
 *
 * A FILE is a plan as core.plan.encode makes it. Plans are changed, and those that core/plan.c
 * calls well-formed are carried out: whatever the kernel answers, the init must not touch memory
 * that is not its own, and its record of a failed step must be true. The sanitizers watch the
 * first, this file the second. A run that reaches code that none has reached before is kept for
 * more changes; with KEEP, a directory or "-", on disk too, for the next time. */
#include "core/plan.h"
#include "plan.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/openat2.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <time.h>
#include <unistd.h>

#define MAX_INPUTS  4096
#define MAX_CALLS   4000 /* of one run; a hostile tree may have no end */
#define MAX_MAPS    8
#define PLAN_FD     3
#define STATUS_FD   4
#define SYNC_FD     5
#define FIRST_SLOT  6
#define PAYLOAD_PID 4242

void init_main(const long *stack);

/* ---- random numbers, the same for the same seed */

static uint64_t random_state;

static uint64_t random64(void) {
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return random_state;
}

static unsigned below(unsigned limit) {
    return (unsigned)(random64() % limit);
}

/* ---- which code was reached */

static uint8_t reached[1 << 16];
static uint8_t reached_now[1 << 16];
static uintptr_t reached_last;

void __sanitizer_cov_trace_pc(void);

__attribute__((no_sanitize("address", "undefined"))) void __sanitizer_cov_trace_pc(void) {
    uintptr_t place = (uintptr_t)__builtin_return_address(0);
    reached_now[(place ^ reached_last << 1) & 0xffff] = 1;
    reached_last = place;
}

static bool reached_more(void) {
    bool more = false;
    for (size_t i = 0; i < sizeof reached; i++) {
        more |= reached_now[i] & !reached[i];
        reached[i] |= reached_now[i];
    }
    memset(reached_now, 0, sizeof reached_now);
    return more;
}

/* ---- one run */

static struct {
    struct plan_header *plan;
    size_t size;
    jmp_buf *end; /* of the process that runs */
    unsigned calls;
    unsigned failures; /* one in so many calls fails; 0: none */
    int pid;
    bool payload_ended;
    bool plausible; /* files are of the type for which they were opened */
    bool directory; /* what was opened last */
    uint32_t device[2];
    int reports;
    int executed;
    unsigned char *maps[MAX_MAPS];
    unsigned map_count;
} run;

__attribute__((noreturn)) static void broken(const char *what) {
    fprintf(stderr, "init-fuzz: %s\n", what);
    abort();
}

static void read_by_kernel(const void *data, size_t length) {
    static volatile unsigned char sum;
    for (size_t i = 0; i < length; i++)
        sum = (unsigned char)(sum + ((const unsigned char *)data)[i]);
}

static void read_text(const char *text) {
    if (text)
        read_by_kernel(text, strlen(text) + 1);
}

static void read_vector(char *const *vector) {
    for (; *vector; vector++)
        read_text(*vector);
}

static void fill(void *data, size_t length) {
    for (size_t i = 0; i < length; i++)
        ((unsigned char *)data)[i] = (unsigned char)random64();
}

/* ---- what calls read and write beside their strings */

static void note_open(const char *path, uint64_t flags) {
    static const uint32_t none[2], null[2] = {1, 3}, terminal[2] = {5, 2};
    const uint32_t *device = strstr(path, "null") ? null : strstr(path, "ptmx") ? terminal : none;
    memcpy(run.device, device, sizeof run.device);
    run.directory = flags & O_DIRECTORY || strcmp(path, "/") == 0;
}

static void fill_plausible(struct statx *st) {
    memset(st, 0, sizeof *st);
    st->stx_mask = UINT32_MAX;
    st->stx_mode = (uint16_t)(run.device[0] ? S_IFCHR : run.directory ? S_IFDIR : S_IFREG) | 0755;
    st->stx_ino = 1;
    st->stx_rdev_major = run.device[0];
    st->stx_rdev_minor = run.device[1];
    st->stx_nlink = 1;
}

static void fill_statx(struct statx *st) {
    static const uint16_t types[] = {S_IFDIR, S_IFDIR, S_IFREG, S_IFLNK,
                                     S_IFCHR, S_IFIFO, S_IFSOCK};
    static const uint32_t devices[][2] = {{1, 3}, {5, 2}, {136, 0}, {0, 0}};
    const uint32_t *device = devices[below(4)];
    memset(st, 0, sizeof *st);
    st->stx_mask = below(8) ? UINT32_MAX : 0;
    st->stx_mode = (uint16_t)(types[below(7)] | below(07777));
    st->stx_ino = below(3);
    st->stx_dev_minor = below(2);
    st->stx_rdev_major = device[0];
    st->stx_rdev_minor = device[1];
    st->stx_size = below(4) ? below(100000) : random64() >> 1;
    st->stx_nlink = below(3);
    st->stx_attributes = random64();
    st->stx_attributes_mask = random64();
}

/* Names as a hostile directory has them. */
static long fill_entries(char *buffer, size_t size) {
    static const char *const names[] = {".", "..", "a", "file", "x y", "\xff\n", "0"};
    size_t at = 0;
    for (unsigned count = below(4); count; count--) {
        const char *name = below(16) ? names[below(7)] : "a-very-long-name-that-goes-on-and-on";
        size_t length = (offsetof(struct dirent64, d_name) + strlen(name) + 8) & ~(size_t)7;
        if (at + length > size)
            break;
        struct dirent64 *entry = (struct dirent64 *)(buffer + at);
        memset(entry, 0, length);
        entry->d_ino = below(5);
        entry->d_off = (off64_t)random64();
        entry->d_reclen = (unsigned short)length;
        entry->d_type = (unsigned char)below(16);
        strcpy(entry->d_name, name);
        at += length;
    }
    return (long)at;
}

static long fill_text(char *buffer, size_t size) {
    static const char *const texts[] = {"", "1", "a\0b", "/x", "user.a\0trusted.b"};
    static const size_t lengths[] = {0, 1, 4, 2, 17};
    unsigned choice = below(5);
    size_t length = lengths[choice] < size ? lengths[choice] : size;
    memcpy(buffer, texts[choice], length);
    return (long)length;
}

/* Lists that the init reads a line at a time, or digits of children. */
static long fill_file(char *buffer, size_t size) {
    static const char alphabet[] = "0123456789 \n\n:/-abcrw,shared\\040";
    size_t length = below((unsigned)(size < 600 ? size : 600) + 1);
    for (size_t i = 0; i < length; i++)
        buffer[i] = alphabet[below(sizeof alphabet - 1)];
    return (long)length;
}

static long transfer(const struct msghdr *message, bool in) {
    static struct plan_message last; /* the parent mostly answers what it was told */
    long length = 0;
    if (message->msg_control && !in)
        read_by_kernel(message->msg_control, message->msg_controllen);
    for (size_t i = 0; i < message->msg_iovlen; i++) {
        const struct iovec *part = message->msg_iov + i;
        if (!in) {
            read_by_kernel(part->iov_base, part->iov_len);
            memcpy(&last, part->iov_base,
                   part->iov_len < sizeof last ? part->iov_len : sizeof last);
        } else if (part->iov_len >= sizeof last && below(16)) {
            memcpy(part->iov_base, &last, sizeof last);
            return (long)sizeof last;
        } else {
            fill(part->iov_base, part->iov_len);
        }
        length += (long)part->iov_len;
    }
    return in && message->msg_controllen ? (long)below((unsigned)length + 1) : length;
}

static void check_record(const void *data, size_t length) {
    const struct plan_status *record = data;
    const struct plan_step *steps = (const struct plan_step *)(run.plan + 1);
    read_by_kernel(data, length);
    if (length != sizeof *record || record->step >= run.plan->steps)
        broken("a record that is none");
    if (record->kind != steps[record->step].kind || record->error <= 0 || record->error > 4095) {
        fprintf(stderr, "step %u is of kind %u: ", record->step, steps[record->step].kind);
        fprintf(stderr, "record has kind %u, errno %d\n", record->kind, record->error);
        broken("a record that is wrong");
    }
    if (!*lctr_plan_aux(record->aux) && record->aux != 0)
        broken("a record without a place");
    run.reports++;
}

/* Arguments of each call that are strings, by bit. */
static const struct {
    long number;
    unsigned texts;
} rows[] = {
    {SYS_openat, 2},        {SYS_openat2, 2},    {SYS_mkdirat, 2},    {SYS_mknodat, 2},
    {SYS_unlinkat, 2},      {SYS_symlinkat, 5},  {SYS_readlinkat, 2}, {SYS_fchownat, 2},
    {SYS_utimensat, 2},     {SYS_fsetxattr, 2},  {SYS_fgetxattr, 2},  {SYS_statx, 2},
    {SYS_statfs, 1},        {SYS_chdir, 1},      {SYS_chroot, 1},     {SYS_mount, 23},
    {SYS_umount2, 1},       {SYS_pivot_root, 3}, {SYS_open_tree, 2},  {SYS_move_mount, 10},
    {SYS_mount_setattr, 2}, {SYS_fsopen, 1},     {SYS_fsconfig, 4},   {SYS_execve, 1},
    {SYS_execveat, 2},
};

static void read_texts(long number, const long *a) {
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        for (unsigned bit = 0; rows[i].number == number && bit < 6; bit++)
            if (rows[i].texts >> bit & 1)
                read_text((const char *)a[bit]);
}

static void read_data(long number, const long *a) {
    switch (number) {
    case SYS_openat2:
        read_by_kernel((void *)a[2], (size_t)a[3]);
        break;
    case SYS_mount_setattr:
        read_by_kernel((void *)a[3], (size_t)a[4]);
        break;
    case SYS_sethostname:
    case SYS_setdomainname:
        read_by_kernel((void *)a[0], (size_t)a[1]);
        break;
    case SYS_setgroups:
        read_by_kernel((void *)a[1], (size_t)a[0] * 4);
        break;
    case SYS_prlimit64:
        read_by_kernel((void *)a[2], 16);
        break;
    case SYS_capset:
        read_by_kernel((void *)a[0], 8);
        read_by_kernel((void *)a[1], 24);
        break;
    case SYS_seccomp: {
        const struct sock_fprog *program = (void *)a[2];
        read_by_kernel(program->filter, program->len * sizeof *program->filter);
        break;
    }
    case SYS_landlock_create_ruleset:
        read_by_kernel((void *)a[0], (size_t)a[1]);
        break;
    case SYS_landlock_add_rule:
        read_by_kernel((void *)a[2], a[1] == 1 ? 12 : 16);
        break;
    case SYS_fsetxattr:
        read_by_kernel((void *)a[2], (size_t)a[3]);
        break;
    case SYS_execve:
    case SYS_execveat:
        read_vector((char *const *)a[number == SYS_execve ? 1 : 2]);
        read_vector((char *const *)a[number == SYS_execve ? 2 : 3]);
        break;
    case SYS_write:
        if (a[0] == STATUS_FD)
            check_record((void *)a[1], (size_t)a[2]);
        else
            read_by_kernel((void *)a[1], (size_t)a[2]);
        break;
    default:
        break;
    }
}

__attribute__((noreturn)) static void end_process(void) {
    longjmp(*run.end, 1);
}

static long new_fd(void) {
    return FIRST_SLOT + PLAN_MAX_SLOTS + below(40);
}

/* PID 1's signals: mostly that a child has ended. */
static long next_signal(siginfo_t *info) {
    if (info) {
        memset(info, 0, sizeof *info);
        info->si_code = below(2) ? SI_KERNEL : SI_USER;
    }
    return below(3) ? SIGCHLD : 1 + (long)below(64);
}

static long next_child(int *status, struct rusage *usage) {
    if (run.payload_ended || !below(4))
        return below(2) ? 0 : -ECHILD;
    if (status)
        *status = below(2) ? (int)below(256) << 8 : (int)below(64);
    if (usage)
        memset(usage, 0, sizeof *usage);
    run.payload_ended = below(2) == 0;
    return run.payload_ended ? PAYLOAD_PID : 1 + (long)below(100);
}

/* The plan, or memory of the init's own; as long as it asked for and not a byte more. */
static long map_memory(size_t size, int fd) {
    if (run.map_count == MAX_MAPS)
        return -ENOMEM;
    unsigned char *memory = calloc(1, size);
    run.maps[run.map_count++] = memory;
    if (fd == PLAN_FD) {
        memcpy(memory, run.plan, size);
        run.plan = (struct plan_header *)memory;
    }
    return (long)memory;
}

/* A call that succeeds. */
static long answer(long number, const long *a) {
    switch (number) {
    case SYS_mmap:
        return map_memory((size_t)a[1], (int)a[4]);
    case SYS_munmap:
    case SYS_close:
        return 0;
    case SYS_execve:
    case SYS_execveat:
        run.executed++;
        end_process();
    case SYS_write:
        return a[2] && a[0] != STATUS_FD ? 1 + (long)(random64() % (uint64_t)a[2]) : a[2];
    case SYS_read:
        return fill_file((char *)a[1], (size_t)a[2]);
    case SYS_getdents64:
        return fill_entries((char *)a[1], (size_t)a[2]);
    case SYS_readlinkat:
        return fill_text((char *)a[2], (size_t)a[3]);
    case SYS_flistxattr:
        return fill_text((char *)a[1], (size_t)a[2]);
    case SYS_fgetxattr:
        return fill_text((char *)a[2], (size_t)a[3]);
    case SYS_statx:
        (run.plausible && below(50) ? fill_plausible : fill_statx)((struct statx *)a[4]);
        return 0;
    case SYS_statfs:
    case SYS_fstatfs:
        memset((void *)a[1], 0, sizeof(struct statfs));
        ((struct statfs *)a[1])->f_type =
            run.plausible ? 0x1cd1 /* devpts */
                          : (long[]){0x1021994, 0x858458f6, 0x1cd1, 0x9fa0, 0x794c7630}[below(5)];
        return 0;
    case SYS_capget:
        fill((void *)a[1], 24);
        return 0;
    case SYS_clock_gettime:
        memset((void *)a[1], 0, sizeof(struct timespec));
        return 0;
    case SYS_sendmsg:
        return transfer((const struct msghdr *)a[1], false);
    case SYS_recvmsg:
        return transfer((const struct msghdr *)a[1], true);
    case SYS_rt_sigtimedwait:
        return next_signal((siginfo_t *)a[1]);
    case SYS_wait4:
        return next_child((int *)a[1], (struct rusage *)a[3]);
    case SYS_getpid:
        return run.pid;
    case SYS_getppid:
        return below(2) ? 0 : 1;
    case SYS_ppoll:
        return below(8) == 0;
    case SYS_fcntl:
        return a[1] == F_DUPFD || a[1] == F_DUPFD_CLOEXEC ? a[2] + (long)below(40) : 0;
    case SYS_dup3:
        return a[1];
    case SYS_lseek:
        return (long)(random64() % (1u << 20));
    case SYS_sendfile:
        return 1 + (long)(random64() % (uint64_t)a[3]);
    case SYS_ioctl:
        return a[1] == TIOCGPTPEER ? new_fd() : 0;
    case SYS_openat:
        note_open((const char *)a[1], (uint64_t)a[2]);
        return new_fd();
    case SYS_openat2:
        note_open((const char *)a[1], ((const struct open_how *)a[2])->flags);
        return new_fd();
    case SYS_open_tree:
    case SYS_fsopen:
    case SYS_fsmount:
    case SYS_socket:
    case SYS_landlock_create_ruleset:
    case SYS_pidfd_open:
        return new_fd();
    default:
        return 0;
    }
}

long hosted_call(long number, const long *a);

long hosted_call(long number, const long *a) {
    static const int errors[] = {ENOENT, EPERM,  EINVAL, EEXIST, ENOTDIR, ELOOP,
                                 EACCES, ENOSYS, EAGAIN, ENOMEM, EBUSY,   EXDEV};
    if (number == SYS_exit_group || ++run.calls > MAX_CALLS)
        end_process();
    read_texts(number, a);
    read_data(number, a);
    bool must_work = number == SYS_mmap || (number == SYS_write && a[0] == STATUS_FD);
    if (run.failures && !must_work && below(run.failures) == 0)
        return -errors[below(sizeof errors / sizeof errors[0])];
    return answer(number, a);
}

long hosted_clone(void (*child)(void *), void *arg);

/* As vfork: the child runs to its end in our memory, then we go on. */
long hosted_clone(void (*child)(void *), void *arg) {
    jmp_buf *const outer = run.end;
    jmp_buf end;
    run.end = &end;
    if (setjmp(end) == 0)
        child(arg);
    run.end = outer;
    return PAYLOAD_PID;
}

/* ---- inputs */

struct input {
    unsigned char *plan;
    size_t size;
    uint64_t seed;
};

static struct input inputs[MAX_INPUTS];
static size_t input_count;

static void add_input(const void *plan, size_t size, uint64_t seed) {
    if (input_count == MAX_INPUTS)
        return;
    struct input *input = &inputs[input_count++];
    *input = (struct input){malloc(size), size, seed};
    memcpy(input->plan, plan, size);
}

static void read_input(const char *path) {
    static unsigned char buffer[PLAN_MAX_SIZE];
    FILE *file = fopen(path, "rb");
    size_t size = file ? fread(buffer, 1, sizeof buffer, file) : 0;
    if (file)
        fclose(file);
    if (size && lctr_plan_check(buffer, size) == 0)
        add_input(buffer, size, random64());
}

static void read_directory(const char *path) {
    DIR *directory = opendir(path);
    char name[4096];
    for (struct dirent *entry; directory && (entry = readdir(directory));) {
        snprintf(name, sizeof name, "%s/%s", path, entry->d_name);
        if (entry->d_name[0] != '.')
            read_input(name);
    }
    if (directory)
        closedir(directory);
}

static void keep_input(const char *directory, const void *plan, size_t size) {
    char name[4096];
    uint64_t hash = 14695981039346656037u;
    for (size_t i = 0; i < size; i++)
        hash = (hash ^ ((const unsigned char *)plan)[i]) * 1099511628211u;
    snprintf(name, sizeof name, "%s/%016llx", directory, (unsigned long long)hash);
    FILE *file = fopen(name, "wb");
    if (file) {
        fwrite(plan, 1, size, file);
        fclose(file);
    }
}

/* ---- changes */

static const uint32_t interesting[] = {0, 1, 2, 255, 4095, 4096, 65535, 0x7fffffff, 0xffffffff};

static void change(unsigned char *plan, size_t size) {
    struct plan_header *header = (struct plan_header *)plan;
    for (unsigned count = below(5); count; count--) {
        size_t at = random64() % size;
        switch (below(4)) {
        case 0: /* an argument */
            at = sizeof *header + random64() % (header->steps * sizeof(struct plan_step) + 1);
            at &= ~(size_t)3;
            if (at + 4 <= size)
                memcpy(plan + at, &interesting[below(9)], 4);
            break;
        case 1: /* a kind, of another step's arguments */
            at = sizeof *header + below(header->steps + !header->steps) * sizeof(struct plan_step);
            if (at + 4 <= size)
                memcpy(plan + at, &(uint32_t){below(STEP_COUNT)}, 4);
            break;
        case 2:
            plan[at] = (unsigned char)random64();
            break;
        default: /* text */
            plan[at] = (unsigned char)"/..\0a:,=\\0\n"[below(11)];
        }
    }
    if (below(8) == 0)
        header->flags = below(4);
    header->fail_step = below(8) ? 0 : below(header->steps + 2); /* written by luactr itself */
    header->fail_error = 1 + (int32_t)below(133);
}

/* ---- the loop */

static struct {
    unsigned long runs;
    unsigned long refused;
    unsigned long reports;
    unsigned long executed;
    unsigned long kept;
} total;

static void carry_out(unsigned char *plan, size_t size) {
    char fds[PLAN_MAX_SLOTS * 5 + 64];
    struct plan_header *header = (struct plan_header *)plan;
    int length = snprintf(fds, sizeof fds, "%zu %d %d %d", size, PLAN_FD, STATUS_FD, SYNC_FD);
    for (uint32_t i = 0; i < header->slots; i++)
        length += snprintf(fds + length, sizeof fds - (size_t)length, " %u", FIRST_SLOT + i);
    const long stack[] = {2, (long)"init", (long)fds, 0, 0};
    memset(&run, 0, sizeof run);
    run.plan = header;
    run.size = size;
    run.failures = (unsigned[]){0, 0, 200, 40, 8, 3}[below(6)];
    run.pid = below(2) ? 1 : 77;
    run.plausible = below(3) > 0;
    jmp_buf end;
    run.end = &end;
    if (setjmp(end) == 0)
        init_main(stack);
    for (unsigned i = 0; i < run.map_count; i++)
        free(run.maps[i]);
    if (run.reports > 1)
        broken("more than one record");
    total.runs++;
    total.reports += (unsigned long)run.reports;
    total.executed += (unsigned long)run.executed;
}

/* As large as the plan, so that the sanitizer sees the byte behind it. */
static void try_input(const struct input *input, const char *keep) {
    unsigned char *plan = malloc(input->size);
    memcpy(plan, input->plan, input->size);
    change(plan, input->size);
    if (lctr_plan_check(plan, input->size) == 0) {
        carry_out(plan, input->size);
        if (reached_more()) {
            total.kept++;
            add_input(plan, input->size, 0);
            if (*keep != '-')
                keep_input(keep, plan, input->size);
        }
    } else {
        total.refused++;
    }
    free(plan);
}

int main(int argc, char **argv) {
    if (argc < 4)
        return 2;
    const char *keep = argv[3];
    random_state = strtoull(argv[2], NULL, 10) * 2654435761u + 88172645463325252u;
    for (int i = 4; i < argc; i++)
        read_input(argv[i]);
    if (*keep != '-')
        read_directory(keep);
    time_t deadline = time(NULL) + atoi(argv[1]);
    do
        for (int i = 0; i < 200 && input_count; i++)
            try_input(&inputs[below((unsigned)input_count)], keep);
    while (time(NULL) < deadline);
    printf("runs=%lu refused=%lu reports=%lu executed=%lu kept=%lu\n", total.runs, total.refused,
           total.reports, total.executed, total.kept);
    return 0;
}
