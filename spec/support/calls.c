/* Makes one system call and prints what came of it: "ok" or the errno's name. For specs about what
 * a container may do; static, so that it runs in an empty root. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/perf_event.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/personality.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

static long keyctl_session(void) {
    return syscall(SYS_keyctl, 0 /* KEYCTL_GET_KEYRING_ID */, -3, 1);
}

static long io_uring(void) {
    char params[120] = {0};
    return syscall(SYS_io_uring_setup, 1, params);
}

static long bpf(void) {
    union bpf_attr attr = {
        .map_type = BPF_MAP_TYPE_ARRAY, .key_size = 4, .value_size = 4, .max_entries = 1};
    return syscall(SYS_bpf, BPF_MAP_CREATE, &attr, sizeof attr);
}

static long perf(void) {
    struct perf_event_attr attr = {.type = PERF_TYPE_SOFTWARE, .size = sizeof attr};
    return syscall(SYS_perf_event_open, &attr, 0, -1, -1, 0);
}

static long clone_user(void) {
    return syscall(SYS_clone, CLONE_NEWUSER | SIGCHLD, 0, 0, 0, 0);
}

static long clone3(void) {
    char args[64] = {0};
    return syscall(SYS_clone3, args, sizeof args);
}

static long fork_child(void) {
    return fork();
}

static long open_by_handle(void) {
    struct file_handle *handle = calloc(1, sizeof *handle + 8);
    handle->handle_bytes = 8;
    return open_by_handle_at(AT_FDCWD, handle, O_RDONLY);
}

static long unshare_user(void) {
    return unshare(CLONE_NEWUSER);
}
static long mount_tmpfs(void) {
    return syscall(SYS_mount, "t", "/tmp", "tmpfs", 0, 0);
}
static long userfault(void) {
    return syscall(SYS_userfaultfd, 0);
}
static long af_alg(void) {
    return socket(AF_ALG, SOCK_SEQPACKET, 0);
}
static long af_vsock(void) {
    return socket(AF_VSOCK, SOCK_STREAM, 0);
}
static long af_packet(void) {
    return socket(AF_PACKET, SOCK_RAW, 0);
}
static long af_unix(void) {
    return socket(AF_UNIX, SOCK_STREAM, 0);
}
static long af_inet(void) {
    return socket(AF_INET, SOCK_STREAM, 0);
}
/* In a child of one's own, whose parent lacks nothing that it has. */
static long trace_me(void) {
    int status = 0;
    pid_t child = fork();
    if (child == 0)
        _exit(ptrace(PTRACE_TRACEME, 0, 0, 0) < 0 ? errno : 0);
    waitpid(child, &status, 0);
    errno = WEXITSTATUS(status);
    return errno ? -1 : 0;
}
static long tiocsti(void) {
    return ioctl(0, TIOCSTI, "x");
}
static long tiocsti_high(void) {
    return syscall(SYS_ioctl, 0, TIOCSTI | 1UL << 32, "x");
}
static int own_file(void) {
    return open("/calls", O_RDONLY);
}
static long lock_file(void) {
    return flock(own_file(), LOCK_SH);
}
static long lock_record(void) {
    struct flock lock = {.l_type = F_RDLCK, .l_whence = SEEK_SET};
    return fcntl(own_file(), F_SETLK, &lock);
}
static long lock_open_file(void) {
    struct flock lock = {.l_type = F_RDLCK, .l_whence = SEEK_SET};
    return fcntl(own_file(), F_OFD_SETLK, &lock);
}
static long lease(void) {
    return fcntl(own_file(), F_SETLEASE, F_RDLCK);
}
static long lease_high(void) {
    return syscall(SYS_fcntl, own_file(), F_SETLEASE | 1UL << 32, F_RDLCK);
}
static int shared_file(void) {
    return open("/shared/file", O_RDONLY);
}
static long hold_a_lock(void) {
    long result = flock(shared_file(), LOCK_EX);
    if (result == 0)
        sleep(60);
    return result;
}
static long try_a_lock(void) {
    return flock(shared_file(), LOCK_EX | LOCK_NB);
}
static long get_flags(void) {
    return fcntl(0, F_GETFL);
}
static long pair(void) {
    int fds[2];
    return socketpair(AF_UNIX, SOCK_STREAM, 0, fds);
}
/* One call under a rain of signals. */
static volatile sig_atomic_t drops;
static void drop(int number) {
    (void)number;
    drops++;
}
static long in_the_rain(void) {
    const struct itimerval rain = {{0, 2000}, {0, 2000}}, dry = {{0, 0}, {0, 0}};
    const struct sigaction action = {.sa_handler = drop, .sa_flags = SA_RESTART};
    struct utsname names;
    sigaction(SIGALRM, &action, NULL);
    setitimer(ITIMER_REAL, &rain, NULL);
    long result = uname(&names);
    setitimer(ITIMER_REAL, &dry, NULL);
    return result;
}
/* Connects to an address that another thread exchanges meanwhile: 8080, or 8081, which is forbidden.
 * Prints how often somebody came to the one and to the other. */
static struct sockaddr_in address = {.sin_family = AF_INET};
static void *exchange(void *none) {
    for (;;) {
        __atomic_store_n(&address.sin_port, htons(8081), __ATOMIC_RELAXED);
        __atomic_store_n(&address.sin_port, htons(8080), __ATOMIC_RELAXED);
    }
    return none;
}
static int listen_at(int port) {
    const int on = 1;
    struct sockaddr_in own = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    own.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(fd, (struct sockaddr *)&own, sizeof own) < 0 || listen(fd, 128) < 0)
        return -1;
    return fd;
}
static int guests(int server) {
    int count = 0;
    for (int fd; (fd = accept(server, NULL, NULL)) >= 0; count++)
        close(fd);
    return count;
}
static long race_connect(void) {
    pthread_t thread;
    int allowed = listen_at(8080), forbidden = listen_at(8081), wanted = 0, unwanted = 0;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (allowed < 0 || forbidden < 0 || pthread_create(&thread, NULL, exchange, NULL))
        return -1;
    for (int i = 0; i < 1000; i++) {
        int fd = socket(AF_INET, SOCK_STREAM, 0);
        connect(fd, (struct sockaddr *)&address, sizeof address);
        close(fd);
        wanted += guests(allowed);
        unwanted += guests(forbidden);
    }
    printf("%d %d ", wanted, unwanted);
    return 0;
}
static long wide_arguments(void) {
    return syscall(SYS_lseek, 0x123456789abcdef0, -1L, 0x8000000000000000, 4, 5, 6);
}
static long bad_address(void) {
    return syscall(SYS_uname, 16);
}
static long open_secret(void) {
    char text[16] = {0};
    int fd = open("/secret", O_RDONLY);
    if (fd < 0 || read(fd, text, sizeof text - 1) < 0)
        return -1;
    printf("%s in %d ", text, fd);
    return 0;
}
static long no_aslr(void) {
    return personality(ADDR_NO_RANDOMIZE);
}
static long unknown(void) {
    return syscall(9999);
}
static long x32(void) {
    return syscall(0x40000000 | SYS_getpid);
}

/* By i386's number; the result is -errno, as in every register of a system call. */
static long by_int80(long number, long a, long b, long c) {
    long result = 0;
#ifdef __x86_64__
    __asm__ volatile("int $0x80"
                     : "=a"(result)
                     : "a"(number), "b"(a), "c"(b), "d"(c)
                     : "memory");
#endif
    if (result >= 0)
        return result;
    errno = (int)-result;
    return -1;
}
static long i386(void) {
    return by_int80(20 /* getpid */, 0, 0, 0);
}
static long i386_keyctl(void) {
    return by_int80(288, 0, -3, 1);
}
static long i386_socket_alg(void) {
    return by_int80(359, AF_ALG, SOCK_SEQPACKET, 0);
}
static long i386_socket_unix(void) {
    return by_int80(359, AF_UNIX, SOCK_STREAM, 0);
}
/* Its arguments are in memory, below 4 GiB as in every static program. */
static long i386_socketcall(void) {
    static unsigned int arguments[] = {AF_ALG, SOCK_SEQPACKET, 0};
    return by_int80(102, 1 /* SYS_SOCKET */, (long)arguments, 0);
}
static long i386_mount(void) {
    return by_int80(21, 0, 0, 0);
}

static const struct {
    const char *name;
    long (*call)(void);
} calls[] = {
    {"keyctl", keyctl_session},
    {"io_uring_setup", io_uring},
    {"bpf", bpf},
    {"perf_event_open", perf},
    {"clone(CLONE_NEWUSER)", clone_user},
    {"clone3", clone3},
    {"fork", fork_child},
    {"open_by_handle_at", open_by_handle},
    {"unshare(CLONE_NEWUSER)", unshare_user},
    {"mount", mount_tmpfs},
    {"userfaultfd", userfault},
    {"socket(AF_ALG)", af_alg},
    {"socket(AF_VSOCK)", af_vsock},
    {"socket(AF_PACKET)", af_packet},
    {"socket(AF_UNIX)", af_unix},
    {"socket(AF_INET)", af_inet},
    {"ptrace", trace_me},
    {"ioctl(TIOCSTI)", tiocsti},
    {"ioctl(TIOCSTI, high bits)", tiocsti_high},
    {"personality(ADDR_NO_RANDOMIZE)", no_aslr},
    {"flock", lock_file},
    {"fcntl(F_SETLK)", lock_record},
    {"fcntl(F_OFD_SETLK)", lock_open_file},
    {"fcntl(F_SETLEASE)", lease},
    {"fcntl(F_SETLEASE, high bits)", lease_high},
    {"fcntl(F_GETFL)", get_flags},
    {"socketpair", pair},
    {"hold a lock", hold_a_lock},
    {"try a lock", try_a_lock},
    {"race connect", race_connect},
    {"in the rain", in_the_rain},
    {"wide arguments", wide_arguments},
    {"bad address", bad_address},
    {"open secret", open_secret},
    {"9999", unknown},
    {"x32", x32},
    {"int 0x80", i386},
    {"int 0x80: keyctl", i386_keyctl},
    {"int 0x80: mount", i386_mount},
    {"int 0x80: socket(AF_ALG)", i386_socket_alg},
    {"int 0x80: socket(AF_UNIX)", i386_socket_unix},
    {"int 0x80: socketcall(AF_ALG)", i386_socketcall},
};

int main(int argc, char **argv) {
    for (size_t i = 0; argc > 1 && i < sizeof calls / sizeof calls[0]; i++) {
        if (strcmp(calls[i].name, argv[1]) != 0)
            continue;
        long result = calls[i].call();
        puts(result < 0 ? strerrorname_np(errno) : "ok");
        return 0;
    }
    return 2;
}
