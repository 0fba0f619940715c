/* The payloads of the benchmark, static: end at once, burn CPU, or wait, by the first argument. */
#include <string.h>
#include <unistd.h>

int main(int argc, char **argv) {
    if (argc > 1 && strcmp(argv[1], "burn") == 0)
        for (volatile unsigned long n = 0;; n++)
            ;
    if (argc > 1 && strcmp(argv[1], "wait") == 0)
        for (;;)
            pause();
    return 0;
}
