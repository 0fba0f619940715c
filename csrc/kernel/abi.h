/* Kernel structures and constants for code without libc (init/). Code with libc takes them from
 * libc's headers, which do not mix with these. */
#ifndef LUACTR_KERNEL_ABI_H
#define LUACTR_KERNEL_ABI_H

#include <asm/ioctls.h>
#include <asm/poll.h>
#include <asm/siginfo.h>
#include <asm/signal.h>
#include <asm/statfs.h>
#include <linux/audit.h>
#include <linux/capability.h>
#include <linux/close_range.h>
#include <linux/errno.h>
#include <linux/fcntl.h>
#include <linux/filter.h>
#include <linux/keyctl.h>
#include <linux/magic.h>
#include <linux/mman.h>
#include <linux/mount.h>
#include <linux/openat2.h>
#include <linux/prctl.h>
#include <linux/resource.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <linux/sockios.h>
#include <linux/stat.h>
#include <linux/termios.h>
#include <linux/time_types.h>
#include <linux/uio.h>
#include <linux/wait.h>

#include "shim.h"

#include <stddef.h>
#include <stdint.h>

/* Sockets: the UAPI headers leave these to libc. */
#define AF_UNIX          1
#define SOCK_DGRAM       2
#define SOCK_CLOEXEC     02000000
#define SOL_SOCKET_LEVEL 1
#define SCM_RIGHTS       1
#define MSG_NOSIGNAL     0x4000

struct k_msghdr {
    void *name;
    int name_length;
    struct iovec *iov;
    size_t iov_count;
    void *control;
    size_t control_length;
    unsigned flags;
};

struct k_cmsg_fd {
    size_t length; /* header and fd, without the padding behind it */
    int level;
    int type;
    int fd;
};

/* ioctl(2) of a network device; <linux/if.h> pulls in libc's socket header. */
struct k_ifreq {
    char name[16];
    short flags;
    char unused[22];
};

#define IFF_UP 1

/* getdents64(2) */
struct k_dirent {
    uint64_t inode;
    int64_t next; /* where lseek(2) goes on behind this entry */
    unsigned short length;
    unsigned char type;
    char name[];
};

/* rt_sigaction(2) of SIG_DFL with nothing set. */
struct k_sigaction {
    unsigned long handler;
    unsigned long flags;
    unsigned long restorer;
    unsigned long mask;
};

#define K_SIGNALS 64 /* signal numbers are 1 to 64; a set is one 64-bit word */

#endif
