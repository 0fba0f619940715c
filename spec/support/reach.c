/* One attempt to reach something, for specs: prints "ok" or the errno's name.
 *
 *   reach bind PORT | connect PORT      TCP on 127.0.0.1
 *   reach listen NAME                   an abstract socket; prints "ready", stays
 *   reach abstract NAME                 connect to it
 *   reach signal PID                    kill(PID, 0)
 *   reach truncate FILE                 truncate(2), without opening the file
 *   reach exec FILE ARGUMENT...         become it */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static struct sockaddr_in port_address(const char *port) {
    return (struct sockaddr_in){.sin_family = AF_INET,
                                .sin_port = htons((unsigned short)atoi(port)),
                                .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
}

static int try_bind(char **arguments) {
    struct sockaddr_in address = port_address(arguments[0]);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    return bind(fd, (struct sockaddr *)&address, sizeof address);
}

/* A port where nobody listens was reached too. */
static int try_connect(char **arguments) {
    struct sockaddr_in address = port_address(arguments[0]);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    int result = connect(fd, (struct sockaddr *)&address, sizeof address);
    return result < 0 && errno == ECONNREFUSED ? 0 : result;
}

static socklen_t abstract_address(struct sockaddr_un *address, const char *name) {
    *address = (struct sockaddr_un){.sun_family = AF_UNIX};
    strncpy(address->sun_path + 1, name, sizeof address->sun_path - 2);
    return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + strlen(name));
}

static int try_listen(char **arguments) {
    struct sockaddr_un address;
    socklen_t length = abstract_address(&address, arguments[0]);
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    if (bind(fd, (struct sockaddr *)&address, length) < 0 || listen(fd, 8) < 0)
        return -1;
    puts("ready");
    fflush(stdout);
    return pause();
}

static int try_abstract(char **arguments) {
    struct sockaddr_un address;
    socklen_t length = abstract_address(&address, arguments[0]);
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    return connect(fd, (struct sockaddr *)&address, length);
}

static int try_signal(char **arguments) {
    return kill(atoi(arguments[0]), 0);
}

static int try_truncate(char **arguments) {
    return truncate(arguments[0], 0);
}

static const struct {
    const char *name;
    int (*attempt)(char **arguments);
} attempts[] = {
    {"bind", try_bind},         {"connect", try_connect}, {"listen", try_listen},
    {"abstract", try_abstract}, {"signal", try_signal},   {"truncate", try_truncate},
};

int main(int argc, char **argv) {
    for (size_t i = 0; argc > 2 && i < sizeof attempts / sizeof attempts[0]; i++)
        if (strcmp(argv[1], attempts[i].name) == 0) {
            puts(attempts[i].attempt(argv + 2) < 0 ? strerrorname_np(errno) : "ok");
            return 0;
        }
    return 2;
}
