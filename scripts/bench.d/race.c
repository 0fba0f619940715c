/* race ROUNDS NAME [@MOUNT_NAMESPACE] ARGUMENT... ';' NAME ... : time programs side by side.
 *
 * Each round starts every program once, in turn, so that what disturbs the machine disturbs all
 * alike. Prints a line for each start: the name and the nanoseconds from vfork to the end.
 * @FILE: enter that mount namespace before the exec. The first round warms the caches; it is not
 * printed. Fails when a program fails. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define MAX_PROGRAMS 32

struct program {
    const char *name;
    char **argv;
    int namespace; /* -1: ours */
};

static int silence = -1;

static int64_t now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000000000LL + t.tv_nsec;
}

static void fail(const char *what) {
    fprintf(stderr, "race: %s: %s\n", what, strerror(errno));
    exit(1);
}

static int parse(int argc, char **argv, struct program *programs) {
    int count = 0;
    for (int i = 0; i < argc && count < MAX_PROGRAMS; count++) {
        struct program *p = &programs[count];
        p->name = argv[i++];
        p->namespace = -1;
        if (argv[i] && argv[i][0] == '@') {
            p->namespace = open(argv[i] + 1, O_RDONLY | O_CLOEXEC);
            if (p->namespace < 0)
                fail(argv[i]);
            i++;
        }
        p->argv = argv + i;
        while (i < argc && strcmp(argv[i], ";") != 0)
            i++;
        argv[i++] = NULL;
    }
    return count;
}

static int64_t run(const struct program *p) {
    int64_t started = now();
    /* setns refuses a process that shares its file system view, as a vfork child does */
    pid_t pid = p->namespace >= 0 ? fork() : vfork();
    if (pid == 0) {
        dup2(silence, 1); /* the figures are ours */
        if (p->namespace < 0 || setns(p->namespace, CLONE_NEWNS) == 0)
            execvp(p->argv[0], p->argv);
        _exit(127);
    }
    int status;
    if (pid < 0 || waitpid(pid, &status, 0) != pid)
        fail(p->name);
    int64_t took = now() - started;
    if (status != 0) {
        fprintf(stderr, "race: %s failed with wait status %#x\n", p->name, (unsigned)status);
        exit(1);
    }
    return took;
}

int main(int argc, char **argv) {
    struct program programs[MAX_PROGRAMS];
    int rounds = argc > 2 ? atoi(argv[1]) : 0;
    if (rounds < 1)
        return fputs("usage: race ROUNDS NAME [@NAMESPACE] ARGUMENT... ';' ...\n", stderr), 2;
    int count = parse(argc - 2, argv + 2, programs);
    silence = open("/dev/null", O_WRONLY | O_CLOEXEC);
    for (int round = 0; round <= rounds; round++) {
        for (int i = 0; i < count; i++) {
            int64_t took = run(&programs[i]);
            if (round)
                printf("%s %lld\n", programs[i].name, (long long)took);
        }
    }
    return 0;
}
