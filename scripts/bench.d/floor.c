/* floor ROUNDS LIST: what a C programmer would write by hand for one container.
 *
 * LIST has the container's steps, as luactr plans them, a line each with its arguments between
 * tabs: the same namespaces, mounts and cgroup writes, but plain paths, no init and no checks. It
 * is the floor that luactr's loop is measured against. Prints the nanoseconds of each round. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/mount.h>
#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define MAX_STEPS 256
#define MAX_ARGS  8
#define ROOT      "/run/luactr-floor"

typedef int action(char **arg);

struct step {
    action *run;
    const char *name;
    char *arg[MAX_ARGS];
};

static struct step setup[MAX_STEPS];    /* in the parent, before the clone */
static struct step launch[MAX_STEPS];   /* in the child */
static struct step teardown[MAX_STEPS]; /* in the parent, after the end */

static unsigned long number(const char *text) {
    return text ? strtoul(text, NULL, 0) : 0;
}

static const char *inside(const char *path) {
    static char full[4096];
    snprintf(full, sizeof full, ROOT "/%s", path);
    return full;
}

static int write_file(const char *path, const char *text) {
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
    if (fd < 0)
        return -1;
    ssize_t written = write(fd, text, strlen(text));
    close(fd);
    return written < 0 ? -1 : 0;
}

/* ---- the parent's part: cgroups */

static int make_cgroup(char **arg) {
    return mkdir(arg[0], 0755);
}

static int write_cgroup(char **arg) {
    return write_file(arg[0], arg[1]);
}

static int remove_cgroup(char **arg) {
    return rmdir(arg[0]);
}

/* ---- the child's part, named as luactr's steps */

static int cgroup_attach(char **arg) {
    return write_file(arg[0], "0");
}

static int leave(char **arg) {
    return unshare((int)number(arg[0]));
}

static int set_hostname(char **arg) {
    return sethostname(arg[0], strlen(arg[0]));
}

static int loopback_up(char **arg) {
    (void)arg;
    struct ifreq request = {.ifr_name = "lo", .ifr_flags = IFF_UP};
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    int result = ioctl(fd, SIOCSIFFLAGS, &request);
    close(fd);
    return result;
}

static int propagation(char **arg) {
    return mount(NULL, "/", NULL, number(arg[0]), NULL);
}

static int root_bind(char **arg) {
    return mount(arg[0], ROOT, NULL, MS_BIND | (number(arg[1]) ? MS_REC : 0), NULL);
}

static int root_tmpfs(char **arg) {
    return mount("tmpfs", ROOT, "tmpfs", 0, arg[1]);
}

static int make_directory(char **arg) {
    return mkdir(inside(arg[0]), (mode_t)number(arg[1])) < 0 && errno != EEXIST ? -1 : 0;
}

static int make_file(char **arg) {
    return write_file(inside(arg[0]), arg[1]);
}

static int make_symlink(char **arg) {
    return symlink(arg[0], inside(arg[1])) < 0 && errno != EEXIST ? -1 : 0;
}

static int make_node(char **arg) {
    return mknod(inside(arg[0]), (mode_t)number(arg[1]), number(arg[2]));
}

static int mount_filesystem(char **arg) {
    const char *target = inside(arg[1]);
    if (mkdir(target, 0755) < 0 && errno != EEXIST)
        return -1;
    return mount(arg[0], target, arg[2], number(arg[3]), arg[4]);
}

static int bind_mount(char **arg) {
    const char *target = inside(arg[1]);
    if (access(target, F_OK) < 0)
        write_file(target, "");
    if (mount(arg[0], target, NULL, MS_BIND | (number(arg[2]) ? MS_REC : 0), NULL) < 0)
        return -1;
    struct mount_attr attributes = {.attr_set = number(arg[3]), .attr_clr = number(arg[4])};
    if (!attributes.attr_set && !attributes.attr_clr)
        return 0;
    return (int)syscall(SYS_mount_setattr, AT_FDCWD, target, 0, &attributes, sizeof attributes);
}

static int mount_attributes(char **arg) {
    struct mount_attr attributes = {.attr_set = number(arg[1]), .attr_clr = number(arg[2])};
    return (int)syscall(SYS_mount_setattr, AT_FDCWD, inside(arg[0]), 0, &attributes,
                        sizeof attributes);
}

static int mask(char **arg) {
    struct stat status;
    const char *path = inside(arg[0]);
    if (stat(path, &status) < 0)
        return 0;
    if (S_ISDIR(status.st_mode))
        return mount("tmpfs", path, "tmpfs", MS_RDONLY, "size=0");
    return mount("/dev/null", path, NULL, MS_BIND, NULL);
}

static int readonly(char **arg) {
    const char *path = inside(arg[0]);
    if (access(path, F_OK) < 0)
        return 0;
    if (mount(path, path, NULL, MS_BIND | MS_REC, NULL) < 0)
        return -1;
    struct mount_attr attributes = {.attr_set = MOUNT_ATTR_RDONLY};
    return (int)syscall(SYS_mount_setattr, AT_FDCWD, path, 0, &attributes, sizeof attributes);
}

static int enter_root(char **arg) {
    (void)arg;
    if (chdir(ROOT) < 0 || syscall(SYS_pivot_root, ".", ".") < 0 || umount2(".", MNT_DETACH) < 0)
        return -1;
    return chdir("/");
}

static int run_program(char **arg) {
    char *argv[] = {arg[0], NULL};
    return execve(arg[0], argv, (char *[]){NULL});
}

static const struct {
    const char *name;
    action *run;
    struct step *list;
} kinds[] = {
    {"make_cgroup", make_cgroup, setup},
    {"write_cgroup", write_cgroup, setup},
    {"remove_cgroup", remove_cgroup, teardown},
    {"cgroup_attach", cgroup_attach, launch},
    {"unshare", leave, launch},
    {"sethostname", set_hostname, launch},
    {"loopback_up", loopback_up, launch},
    {"propagation", propagation, launch},
    {"root_bind", root_bind, launch},
    {"root_tmpfs", root_tmpfs, launch},
    {"mkdir", make_directory, launch},
    {"file", make_file, launch},
    {"symlink", make_symlink, launch},
    {"mknod", make_node, launch},
    {"mount", mount_filesystem, launch},
    {"bind", bind_mount, launch},
    {"mount_setattr", mount_attributes, launch},
    {"mask", mask, launch},
    {"readonly", readonly, launch},
    {"pivot_root", enter_root, launch},
    {"exec", run_program, launch},
};

static void fail(const char *what) {
    fprintf(stderr, "floor: %s: %s\n", what, strerror(errno));
    for (struct step *step = teardown; step->run; step++)
        step->run(step->arg);
    _exit(1);
}

static void append(char *line) {
    char *name = strsep(&line, "\t");
    for (size_t kind = 0; kind < sizeof kinds / sizeof kinds[0]; kind++) {
        if (strcmp(kinds[kind].name, name) != 0)
            continue;
        struct step *step = kinds[kind].list;
        while (step->run)
            step++;
        *step = (struct step){.run = kinds[kind].run, .name = kinds[kind].name};
        for (int i = 0; i < MAX_ARGS && line; i++)
            step->arg[i] = strsep(&line, "\t");
        return;
    }
    errno = EINVAL;
    fail(name);
}

/* Returns the clone flags: the first line. */
static unsigned long read_list(const char *path) {
    static char text[1 << 20];
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t size = read(fd, text, sizeof text - 1);
    if (size <= 0)
        fail(path);
    close(fd);
    char *rest = text;
    unsigned long flags = number(strsep(&rest, "\n"));
    for (char *line; (line = strsep(&rest, "\n"));)
        if (*line)
            append(line);
    return flags;
}

static void carry_out(struct step *list) {
    for (struct step *step = list; step->run; step++)
        if (step->run(step->arg) < 0)
            fail(step->name);
}

static int64_t now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000000000LL + t.tv_nsec;
}

static int64_t run_container(unsigned long flags) {
    int64_t started = now();
    carry_out(setup);
    pid_t pid = (pid_t)syscall(SYS_clone, flags | SIGCHLD, NULL, NULL, NULL, NULL);
    if (pid == 0) {
        carry_out(launch);
        _exit(1);
    }
    int status;
    if (pid < 0 || waitpid(pid, &status, 0) != pid || status != 0)
        fail("the container");
    carry_out(teardown);
    return now() - started;
}

int main(int argc, char **argv) {
    if (argc != 3)
        return fputs("usage: floor ROUNDS LIST\n", stderr), 2;
    unsigned long flags = read_list(argv[2]);
    if (mkdir(ROOT, 0700) < 0 && errno != EEXIST)
        fail(ROOT);
    for (int round = 0; round < atoi(argv[1]); round++)
        printf("%lld\n", (long long)run_container(flags));
    rmdir(ROOT);
    return 0;
}
