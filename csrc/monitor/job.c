#include "monitor.h"

#include "core/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>

/* The descriptors of one message. Returns how many. */
static int receive(int socket, int *fds, size_t room) {
    char byte;
    struct iovec part = {&byte, 1};
    union {
        struct cmsghdr header;
        char space[CMSG_SPACE(MONITOR_FDS_CHUNK * sizeof(int))];
    } control;
    struct msghdr message = {.msg_iov = &part,
                             .msg_iovlen = 1,
                             .msg_control = &control,
                             .msg_controllen = sizeof control};
    ssize_t length = recvmsg(socket, &message, MSG_CMSG_CLOEXEC);
    if (length <= 0)
        return length < 0 ? -errno : -ECONNRESET;
    const struct cmsghdr *c = CMSG_FIRSTHDR(&message);
    if (!c || c->cmsg_type != SCM_RIGHTS || message.msg_flags & MSG_CTRUNC)
        return -EMFILE; /* the kernel drops what has no number here */
    size_t count = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    const int *given = (const int *)(const void *)CMSG_DATA(c);
    for (size_t i = 0; i < count && i < room; i++)
        fds[i] = given[i];
    return count > room ? -EPROTO : (int)count;
}

static int map_job(struct monitor *m, int file) {
    struct stat stat;
    if (fstat(file, &stat) < 0)
        return -errno;
    m->job_size = (size_t)stat.st_size;
    void *address = mmap(NULL, m->job_size, PROT_READ, MAP_PRIVATE, file, 0);
    if (address == MAP_FAILED)
        return -errno;
    m->job = address;
    bool ours = m->job_size >= sizeof *m->job && m->job->magic == MONITOR_MAGIC &&
                m->job->fds <= MONITOR_FDS_MAX && m->job->group.count <= CGROUP_HIERARCHIES &&
                m->job_size == sizeof *m->job + m->job->plan_size;
    return ours ? 0 : -EPROTO;
}

static void take_sources(struct monitor *m, const int *fds) {
    static const char *const names[] = {"stdout", "stderr"};
    size_t count = 0;
    for (int i = 0; i < MONITOR_STREAMS; i++) {
        if (!(m->job->logged & 1u << i))
            continue;
        int fd = fds[count];
        fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK); /* nobody else uses that end */
        if (i == MONITOR_STDIN)
            m->attach.input = fd;
        else if (i == MONITOR_NEWS)
            m->news = fd;
        else
            m->sources[count] = (struct source){fd, names[i]};
        count++;
    }
}

static void take_cgroup(struct monitor *m, const int *fds) {
    m->group = m->job->group;
    m->group.owner = true;
    m->group.last_out = true;
    for (size_t i = 0; i < m->group.count; i++)
        m->group.dir[i].fd = fds[i];
}

int job_receive(struct monitor *m) {
    static int fds[MONITOR_FDS_MAX];
    cleanup_fd file = -1;
    int count = receive(m->caller, &file, 1);
    int error = count < 0 ? count : map_job(m, file);
    for (size_t have = 0; !error && have < m->job->fds; have += (size_t)count) {
        count = receive(m->caller, fds + have, MONITOR_FDS_MAX - have);
        if (count < 0)
            return count;
    }
    if (error)
        return error;
    m->fds = fds;
    take_cgroup(m, fds + m->job->slots);
    m->state = fds[m->job->slots + m->group.count];
    take_sources(m, fds + m->job->slots + m->group.count + 1);
    for (size_t i = 0; i < sizeof m->name; i++)
        m->name[i] = m->job->name[i];
    for (size_t i = 0; i < sizeof m->freezer; i++)
        m->freezer[i] = m->job->freezer[i];
    m->wall_us = m->job->wall_us;
    m->cpu_us = m->job->cpu_us;
    m->output = m->job->output;
    m->cpus = m->job->cpus;
    return 0;
}
