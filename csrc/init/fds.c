/* Descriptors: which were passed, close all others, keep ours off the numbers of the payload. */
#include "init.h"

#define FD_CLOEXEC 1
#define OPENED_AT_MOST                                                                             \
    (PLAN_MAX_SLOTS + 256) /* the kernel gives the lowest number that is free                      \
                            */

static const char *parse_number(const char *text, size_t *number) {
    if (*text < '0' || *text > '9')
        return NULL;
    *number = 0;
    for (; *text >= '0' && *text <= '9'; text++)
        *number = *number * 10 + (size_t)(*text - '0');
    return *text == ' ' ? text + 1 : text;
}

int fds_parse(struct init *in, const char *text, int *plan_fd, size_t *plan_size) {
    size_t number;
    text = parse_number(text, plan_size);
    int *fixed[] = {plan_fd, &in->status, &in->sync};
    for (size_t i = 0; i < sizeof fixed / sizeof fixed[0]; i++) {
        if (!text || !(text = parse_number(text, &number)))
            return -EINVAL;
        *fixed[i] = (int)number;
    }
    while (*text) {
        text = parse_number(text, &number);
        if (!text || in->slot_count == PLAN_MAX_SLOTS)
            return -EINVAL;
        in->slot[in->slot_count++] = (int)number;
    }
    return 0;
}

static unsigned least_from(const struct init *in, int plan_fd, unsigned from) {
    const int fixed[] = {plan_fd, in->status, in->sync};
    unsigned least = ~0u;
    for (size_t i = 0; i < sizeof fixed / sizeof fixed[0]; i++)
        if ((unsigned)fixed[i] >= from && (unsigned)fixed[i] < least)
            least = (unsigned)fixed[i];
    for (uint32_t i = 0; i < in->slot_count; i++)
        if ((unsigned)in->slot[i] >= from && (unsigned)in->slot[i] < least)
            least = (unsigned)in->slot[i];
    return least;
}

static bool is_declared(const struct init *in, int plan_fd, unsigned fd) {
    return least_from(in, plan_fd, fd) == fd;
}

static void close_names(const struct init *in, int plan_fd, int list, char *names, long length) {
    size_t number;
    for (long at = 0; at < length;) {
        const struct k_dirent *entry = (const struct k_dirent *)(names + at);
        bool other = parse_number(entry->name, &number) && (int)number != list;
        if (other && !is_declared(in, plan_fd, (unsigned)number))
            k_close((int)number);
        at += entry->length;
    }
}

/* What is open, as the host's procfs lists it: nobody but the host has been here yet. */
static int close_listed(const struct init *in, int plan_fd) {
    char names[1024] __attribute__((aligned(8)));
    struct statfs fs;
    int list = k_openat(AT_FDCWD, "/proc/self/fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
    if (list < 0)
        return list;
    long length = k_fstatfs(list, &fs);
    if (length >= 0 && fs.f_type != PROC_SUPER_MAGIC)
        length = -ENODEV;
    while (length >= 0 && (length = k_getdents(list, names, sizeof names)) > 0)
        close_names(in, plan_fd, list, names, length);
    k_close(list);
    return (int)length;
}

static void close_on_exec(const struct init *in) {
    k_fcntl(in->status, F_SETFD, FD_CLOEXEC);
    k_fcntl(in->sync, F_SETFD, FD_CLOEXEC);
    for (uint32_t i = 0; i < in->slot_count; i++)
        k_fcntl(in->slot[i], F_SETFD, FD_CLOEXEC);
}

/* Whatever else the host's process had open ends here. close_range(2) is Linux 5.9. */
int fds_close_undeclared(struct init *in, int plan_fd) {
    unsigned from = 0;
    for (;;) {
        unsigned next = least_from(in, plan_fd, from);
        if (next > from && k_close_range(from, next == ~0u ? next : next - 1, 0) < 0) {
            close_on_exec(in);
            return close_listed(in, plan_fd);
        }
        if (next == ~0u)
            break;
        from = next + 1;
    }
    return k_close_range(0, ~0u, CLOSE_RANGE_CLOEXEC);
}

/* All from `first` to below `end`. */
static void close_span(const struct init *in, unsigned first, unsigned end) {
    if (first >= end || k_close_range(first, end - 1, 0) >= 0)
        return;
    for (unsigned fd = first; fd < end && fd <= in->highest; fd++)
        k_close((int)fd);
}

/* A negative one of those to keep is none. */
void fds_close_from(const struct init *in, int first, const int *kept, size_t count) {
    for (unsigned from = (unsigned)first; from != ~0u;) {
        unsigned next = ~0u;
        for (size_t i = 0; i < count; i++)
            if (kept[i] >= 0 && (unsigned)kept[i] >= from && (unsigned)kept[i] < next)
                next = (unsigned)kept[i];
        close_span(in, from, next);
        from = next == ~0u ? next : next + 1;
    }
}

int fds_keep(struct init *in, int fd) {
    if (fd < 0 || fd >= in->floor)
        return fd;
    int kept = k_fcntl(fd, F_DUPFD_CLOEXEC, in->floor);
    k_close(fd);
    return kept;
}

/* A dup step may fill any number: move what was passed above the highest of them. The same fd may
 * stand in two slots, so nothing is closed before all have moved. */
int fds_raise_all(struct init *in) {
    in->floor = 3;
    for (uint32_t i = 0; i < in->plan->steps; i++) {
        const struct plan_step *step = plan_steps(in) + i;
        if (step->kind == STEP_DUP && (int)plan_u32(&step->arg[1]) >= in->floor)
            in->floor = (int)plan_u32(&step->arg[1]) + 1;
    }
    in->highest = (unsigned)in->floor + OPENED_AT_MOST;
    for (unsigned fd = 0; (fd = least_from(in, in->status, fd)) != ~0u; fd++)
        if (fd > in->highest)
            in->highest = fd;
    in->status = fds_keep(in, in->status);
    in->sync = fds_keep(in, in->sync);
    for (uint32_t i = 0; i < in->slot_count; i++)
        if (in->slot[i] < in->floor)
            in->slot[i] = k_fcntl(in->slot[i], F_DUPFD_CLOEXEC, in->floor);
    close_span(in, 0, (unsigned)in->floor);
    for (uint32_t i = 0; i < in->slot_count; i++)
        if (in->slot[i] < 0)
            return in->slot[i];
    return in->status < 0 ? in->status : in->sync < 0 ? in->sync : 0;
}

void fds_close(int *fd) {
    if (*fd >= 0)
        k_close(*fd);
    *fd = -1;
}

int fds_send(int sync, uint32_t number, int fd) {
    struct plan_message message = {.number = number};
    struct k_cmsg_fd control = {.length = offsetof(struct k_cmsg_fd, fd) + sizeof(int),
                                .level = SOL_SOCKET_LEVEL,
                                .type = SCM_RIGHTS,
                                .fd = fd};
    struct iovec vector = {.iov_base = &message, .iov_len = sizeof message};
    const struct k_msghdr header = {
        .iov = &vector, .iov_count = 1, .control = &control, .control_length = sizeof control};
    return (int)k_sendmsg(sync, &header, MSG_NOSIGNAL);
}
