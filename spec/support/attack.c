/* What the programs inside a container of the attack gallery try, one word each. Static, so that it
 * runs in an empty image. A line that begins with "escaped: " is a success of the attacker. */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define FIRST_OPEN 64

static double now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

/* ---- on the host: somebody who must be left alone */

static int listen_on(const char *name, int abstract) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    strncpy(address.sun_path + abstract, name, sizeof address.sun_path - 2);
    socklen_t length = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(name) +
                                   (size_t)abstract + !abstract);
    if (fd < 0 || bind(fd, (struct sockaddr *)&address, length) < 0 || listen(fd, 8) < 0) {
        perror(name);
        exit(1);
    }
    return fd;
}

/* witness PATH NAME: listen on both sockets, tell of each visitor, until killed. */
static int witness(char **argv) {
    int fds[] = {listen_on(argv[0], 0), listen_on(argv[1], 1)};
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    puts("ready");
    fflush(stdout);
    for (;;) {
        fd_set set;
        FD_ZERO(&set);
        FD_SET(fds[0], &set);
        FD_SET(fds[1], &set);
        if (select(FD_SETSIZE, &set, NULL, NULL, NULL) < 0)
            return 1;
        for (int i = 0; i < 2; i++)
            if (FD_ISSET(fds[i], &set)) {
                close(accept(fds[i], NULL, NULL));
                puts(i ? "visited by name" : "visited by path");
                fflush(stdout);
            }
    }
}

/* racer COUNT A B: exchange two names for ever; the file COUNT has the number of exchanges. */
static int racer(char **argv) {
    int fd = open(argv[0], O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    if (fd < 0 || ftruncate(fd, sizeof(uint64_t)) < 0)
        return 1;
    volatile uint64_t *count = mmap(NULL, sizeof *count, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (count == MAP_FAILED)
        return 1;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    puts("ready");
    for (;; ++*count)
        if (renameat2(AT_FDCWD, argv[1], AT_FDCWD, argv[2], RENAME_EXCHANGE) < 0) {
            perror("renameat2");
            return 1;
        }
}

/* ---- inside */

static void target_of(int fd, char *text, size_t size) {
    char link[32];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, text, size - 1);
    text[length < 0 ? 0 : length] = '\0';
}

/* fds: nothing but 0, 1 and 2 is open. */
static int fds(char **argv) {
    (void)argv;
    char text[PATH_MAX];
    for (int fd = 3; fd < 4096; fd++)
        if (fcntl(fd, F_GETFD) >= 0) {
            target_of(fd, text, sizeof text);
            printf("escaped: fd %d is %s\n", fd, text);
        }
    return 0;
}

/* null FD...: each is the null device. */
static int null(char **argv) {
    struct stat st;
    for (; *argv; argv++) {
        char text[PATH_MAX];
        target_of(atoi(*argv), text, sizeof text);
        int real =
            fstat(atoi(*argv), &st) == 0 && S_ISCHR(st.st_mode) && st.st_rdev == makedev(1, 3);
        printf("%sfd %s is %s\n", real ? "" : "escaped: ", *argv, text);
    }
    return 0;
}

/* A descriptor for each program that runs, kept: it may be written when the program has ended. */
static int collect_programs(int *open_fds, int count) {
    struct dirent *entry;
    DIR *proc = opendir("/proc");
    while (proc && (entry = readdir(proc)) && count < FIRST_OPEN) {
        char path[PATH_MAX];
        if (entry->d_name[0] < '0' || entry->d_name[0] > '9')
            continue;
        snprintf(path, sizeof path, "/proc/%s/exe", entry->d_name);
        int fd = open(path, O_PATH | O_CLOEXEC);
        if (fd >= 0)
            open_fds[count++] = fd;
    }
    if (proc)
        closedir(proc);
    return count;
}

static int is_own(const char *path) {
    return strncmp(path, "/bin/", 5) == 0;
}

static void try_to_write(int fd) {
    char link[32];
    char text[PATH_MAX];
    target_of(fd, text, sizeof text);
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    int writable = open(link, O_WRONLY | O_CLOEXEC);
    if (writable >= 0 && !is_own(text))
        printf("escaped: %s is open for writing\n", text);
    if (writable >= 0)
        close(writable);
}

/* exe SECONDS: write into any program that runs or has run, but those of the image. */
static int exe(char **argv) {
    double end = now() + atof(argv[0]);
    while (now() < end) {
        int open_fds[FIRST_OPEN];
        int count = collect_programs(open_fds, 0);
        for (int i = 0; i < count; i++) {
            try_to_write(open_fds[i]);
            close(open_fds[i]);
        }
    }
    return 0;
}

/* connect NAME: an abstract socket ("@NAME") or one with a path. */
static int connect_to(char **argv) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    const char *name = argv[0];
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    strncpy(address.sun_path, name, sizeof address.sun_path - 1);
    size_t length = strlen(name) + 1;
    if (name[0] == '@') {
        address.sun_path[0] = '\0';
        length--;
    }
    length += offsetof(struct sockaddr_un, sun_path);
    int result = connect(fd, (struct sockaddr *)&address, (socklen_t)length);
    if (result == 0)
        printf("escaped: connected to %s\n", name);
    else
        printf("%s: %s\n", name, strerror(errno));
    return 0;
}

/* kill: everybody but PID 1 and ourselves. */
static int kill_all(char **argv) {
    (void)argv;
    kill(-1, SIGKILL);
    return 0;
}

/* trace PID: seize it, which does not stop it, or take a descriptor of it. */
static int trace(char **argv) {
    pid_t pid = atoi(argv[0]);
    if (ptrace(PTRACE_SEIZE, pid, 0, 0) == 0)
        printf("escaped: %d is traced\n", pid);
    int pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
    for (int fd = 0; pidfd >= 0 && fd < 64; fd++)
        if (syscall(SYS_pidfd_getfd, pidfd, fd, 0) >= 0)
            printf("escaped: fd %d of %d is mine\n", fd, pid);
    return 0;
}

/* hunt: for ever, look for processes of luactr's that can be looked into. Our own PID 1 can be, by
 * who has all capabilities over it: it holds nothing. */
static int hunt(char **argv) {
    (void)argv;
    for (;;) {
        DIR *processes = opendir("/proc");
        for (struct dirent *entry; processes && (entry = readdir(processes));) {
            char path[64], program[64] = "";
            pid_t pid = atoi(entry->d_name);
            snprintf(path, sizeof path, "/proc/%d/exe", pid);
            if (pid > 1 && readlink(path, program, sizeof program - 1) > 0 &&
                strstr(program, "luactr-init"))
                printf("escaped: %d is %s\n", pid, program);
        }
        if (processes)
            closedir(processes);
    }
}

/* gained: what this program's file has given to somebody who was nobody. */
static int gained(char **argv) {
    (void)argv;
    char line[256];
    unsigned long long permitted = 0;
    FILE *status = fopen("/proc/self/status", "r");
    while (status && fgets(line, sizeof line, status))
        sscanf(line, "CapPrm: %llx", &permitted);
    if (status)
        fclose(status);
    if (geteuid() == 0 || getegid() == 0)
        puts("escaped: root by a bit");
    if (permitted)
        printf("escaped: capabilities %llx\n", permitted);
    return 0;
}

/* inject: type a line into each terminal there is, and take its foreground. */
static int inject(char **argv) {
    (void)argv;
    int fds[] = {0, 1, 2, open("/dev/tty", O_RDWR | O_NOCTTY)};
    char paste[] = {3 /* TIOCL_PASTESEL */, 0};
    for (size_t i = 0; i < sizeof fds / sizeof fds[0]; i++) {
        for (const char *c = "pwned\n"; *c; c++) {
            long result = syscall(SYS_ioctl, fds[i], TIOCSTI, c);
            if (result < 0)
                syscall(SYS_ioctl, fds[i], TIOCSTI | 1UL << 32, c);
        }
        if (ioctl(fds[i], TIOCLINUX, paste) == 0)
            printf("escaped: pasted into %d\n", fds[i]);
    }
    return 0;
}

/* device PATH c|b MAJOR MINOR: make a node and open it. Or only open it: device PATH. */
static int device(char **argv) {
    if (argv[1]) {
        mode_t type = argv[1][0] == 'b' ? S_IFBLK : S_IFCHR;
        if (mknod(argv[0], type | 0666, makedev(atoi(argv[2]), atoi(argv[3]))) < 0)
            printf("mknod %s: %s\n", argv[0], strerror(errno));
    }
    int fd = open(argv[0], O_RDONLY | O_NONBLOCK);
    if (fd >= 0)
        printf("escaped: %s is open\n", argv[0]);
    else
        printf("open %s: %s\n", argv[0], strerror(errno));
    return 0;
}

static const struct {
    const char *name;
    int (*run)(char **argv);
} words[] = {
    {"witness", witness}, {"racer", racer},        {"fds", fds},       {"null", null},
    {"exe", exe},         {"connect", connect_to}, {"device", device}, {"trace", trace},
    {"inject", inject},   {"kill", kill_all},      {"hunt", hunt},     {"gained", gained},
};

int main(int argc, char **argv) {
    setvbuf(stdout, NULL, _IOLBF, 0);
    for (size_t i = 0; argc > 1 && i < sizeof words / sizeof words[0]; i++)
        if (strcmp(words[i].name, argv[1]) == 0)
            return words[i].run(argv + 2);
    return 2;
}
