/* receive PATH: listen at PATH, take one descriptor from who connects, and print the message that
 * came with it and what can be read from it, until its end. */
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static int take(int connection, char *message, size_t size) {
    struct iovec part = {message, size};
    union {
        struct cmsghdr header;
        char space[CMSG_SPACE(sizeof(int))];
    } control;
    struct msghdr header = {.msg_iov = &part,
                            .msg_iovlen = 1,
                            .msg_control = &control,
                            .msg_controllen = sizeof control};
    int fd = -1;
    ssize_t length = recvmsg(connection, &header, 0);
    if (length < 0 || !CMSG_FIRSTHDR(&header))
        return -1;
    message[(size_t)length < size ? (size_t)length : size - 1] = '\0';
    memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&header)), sizeof fd);
    return fd;
}

int main(int argc, char **argv) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    char text[4096];
    if (argc != 2 || strlen(argv[1]) >= sizeof address.sun_path)
        return 2;
    strcpy(address.sun_path, argv[1]);
    int listener = socket(AF_UNIX, SOCK_STREAM, 0);
    if (bind(listener, (struct sockaddr *)&address, sizeof address) < 0 || listen(listener, 1) < 0)
        return 1;
    int fd = take(accept(listener, NULL, NULL), text, sizeof text);
    if (fd < 0)
        return 1;
    printf("%s\n", text);
    for (ssize_t length; (length = read(fd, text, sizeof text)) > 0;)
        fwrite(text, 1, (size_t)length, stdout);
    return 0;
}
