#include "core/local.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

static char *append(char *end, const char *text, size_t length) {
    memcpy(end, text, length);
    return end + length;
}

/* The monitor, which has no libc, does this, too. */
int lctr_local_address(struct sockaddr_un *address, int directory, const char *file) {
    static const char prefix[] = "/proc/self/fd/";
    char digits[12];
    size_t at = sizeof digits;
    memset(address, 0, sizeof *address);
    address->sun_family = AF_UNIX;
    digits[--at] = '/';
    do
        digits[--at] = (char)('0' + directory % 10);
    while (directory /= 10);
    size_t length = strlen(file) + 1;
    if (sizeof prefix + sizeof digits + length > sizeof address->sun_path)
        return -ENAMETOOLONG;
    char *end = append(address->sun_path, prefix, sizeof prefix - 1);
    end = append(end, digits + at, sizeof digits - at);
    append(end, file, length);
    return 0;
}
