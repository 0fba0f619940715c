/* Owned descriptors for the Lua-free C: start at -1, closed on scope exit, handed over by take_fd.
 */
#ifndef LUACTR_CORE_FD_H
#define LUACTR_CORE_FD_H

#include <unistd.h>

static inline void lctr_fd_cleanup(int *fd) {
    if (*fd >= 0)
        close(*fd);
}

#define cleanup_fd __attribute__((cleanup(lctr_fd_cleanup))) int

static inline int take_fd(int *fd) {
    int taken = *fd;
    *fd = -1;
    return taken;
}

#endif
