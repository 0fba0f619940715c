/* cycle BUNDLE ID RUNTIME [OPTION]... : a container's life as an engine drives it.
 *
 * `create`, `start` and `delete --force` of the OCI runtime, one after the other, each a process.
 * Fails when one of them fails. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define MAX_WORDS 32

static void run(char **argv) {
    int status;
    pid_t pid = vfork();
    if (pid == 0) {
        execvp(argv[0], argv);
        _exit(127);
    }
    if (pid < 0 || waitpid(pid, &status, 0) != pid || status != 0) {
        fprintf(stderr, "cycle: %s failed\n", argv[0]);
        exit(1);
    }
}

/* Run the runtime with its options and these words behind them. */
static void call(int count, char **runtime, const char *const *words) {
    char *argv[MAX_WORDS] = {NULL};
    memcpy(argv, runtime, (size_t)count * sizeof *argv);
    for (int i = 0; words[i] && count + i < MAX_WORDS - 1; i++)
        argv[count + i] = (char *)words[i];
    run(argv);
}

int main(int argc, char **argv) {
    if (argc < 4 || argc - 3 > MAX_WORDS - 6)
        return fputs("usage: cycle BUNDLE ID RUNTIME [OPTION]...\n", stderr), 2;
    const char *bundle = argv[1], *id = argv[2];
    call(argc - 3, argv + 3, (const char *const[]){"create", "--bundle", bundle, id, NULL});
    call(argc - 3, argv + 3, (const char *const[]){"start", id, NULL});
    call(argc - 3, argv + 3, (const char *const[]){"delete", "--force", id, NULL});
    return 0;
}
