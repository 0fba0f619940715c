/* Descriptors: which were passed, close all others, keep ours off the numbers of the payload. */
#include "init.h"

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

/* Whatever else the host's process had open ends here; what stays is closed by exec. */
void fds_close_undeclared(struct init *in, int plan_fd) {
    unsigned from = 0;
    for (;;) {
        unsigned next = least_from(in, plan_fd, from);
        if (next > from)
            k_close_range(from, next == ~0u ? next : next - 1, 0);
        if (next == ~0u)
            break;
        from = next + 1;
    }
    k_close_range(0, ~0u, CLOSE_RANGE_CLOEXEC);
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
    in->status = fds_keep(in, in->status);
    in->sync = fds_keep(in, in->sync);
    for (uint32_t i = 0; i < in->slot_count; i++)
        if (in->slot[i] < in->floor)
            in->slot[i] = k_fcntl(in->slot[i], F_DUPFD_CLOEXEC, in->floor);
    k_close_range(0, (unsigned)in->floor - 1, 0);
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
