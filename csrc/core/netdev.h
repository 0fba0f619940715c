/* Moving a network device from one network namespace to another, by rtnetlink. */
#ifndef LUACTR_CORE_NETDEV_H
#define LUACTR_CORE_NETDEV_H

#include <net/if.h>

/* What was being done when it failed. */
enum netdev_part {
    NETDEV_ENTER, /* a namespace */
    NETDEV_FIND,  /* the device */
    NETDEV_READ,  /* its addresses */
    NETDEV_CLASH, /* the name is taken */
    NETDEV_MOVE,
    NETDEV_ADDRESS, /* give it the addresses back */
    NETDEV_UP,
};

struct netdev_move {
    const char *name; /* in the namespace it is in */
    const char *as;   /* in the other; with "%d" the kernel makes one of it */
    int from;         /* namespaces; -1 for this process's */
    int into;
    enum netdev_part part;
    char actual[IFNAMSIZ]; /* how it is called by then */
};

/* The device keeps its permanent addresses of global scope, and is up afterwards. This thread is in
 * the other namespaces for a moment: it must be the only one, and may join them.
 * 0 or -errno: -ENODEV: no such device; -EEXIST: the name is taken; -EINVAL on NETDEV_MOVE: the
 * device is bound to its namespace. After -errno from NETDEV_ADDRESS on it has been moved. */
int lctr_netdev_move(struct netdev_move *move);

#endif
