#include "core/netdev.h"

#include "core/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if_addr.h>
#include <linux/rtnetlink.h>
#include <sched.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define ADDRESSES_MAX 64
#define ADDRESS_SIZE  256 /* of one as a message: the kernel's own are below 150 */
#define ROOM          32768

struct request {
    struct nlmsghdr head;
    union {
        struct ifinfomsg link;
        struct ifaddrmsg address;
        char room[512];
    };
};

/* What a walk over answers looks at; other than 0 is the result. */
typedef int answer_visitor(const struct nlmsghdr *answer, void *context);

static size_t body_of(uint16_t type) {
    return type == RTM_NEWADDR || type == RTM_GETADDR ? sizeof(struct ifaddrmsg)
                                                      : sizeof(struct ifinfomsg);
}

static void begin(struct request *request, uint16_t type, uint16_t flags) {
    memset(request, 0, sizeof *request);
    request->head.nlmsg_type = type;
    request->head.nlmsg_flags = (uint16_t)(NLM_F_REQUEST | flags);
    request->head.nlmsg_len = (uint32_t)NLMSG_LENGTH(body_of(type));
}

static int add(struct request *request, uint16_t type, const void *data, size_t size) {
    size_t at = NLMSG_ALIGN(request->head.nlmsg_len);
    if (at + RTA_SPACE(size) > sizeof *request)
        return -ENOBUFS;
    struct rtattr *attribute = (struct rtattr *)((char *)request + at);
    attribute->rta_type = type;
    attribute->rta_len = (uint16_t)RTA_LENGTH(size);
    memcpy(RTA_DATA(attribute), data, size);
    request->head.nlmsg_len = (uint32_t)(at + RTA_LENGTH(size));
    return 0;
}

/* ---- sockets, one for each namespace */

/* A socket belongs to the namespace of who makes it. */
static int open_socket(int namespace, int *result) {
    int error = 0;
    cleanup_fd own = -1;
    if (namespace >= 0) {
        own = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
        if (own < 0 || setns(namespace, CLONE_NEWNET) < 0)
            return -errno;
    }
    int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
    if (fd < 0)
        error = -errno;
    if (own >= 0 && setns(own, CLONE_NEWNET) < 0)
        abort(); /* who goes on in a container's network is no luactr any more */
    *result = fd;
    return error;
}

/* 1: there is more to come; 0 at the end; or -errno. */
static int walk_answers(struct nlmsghdr *answer, ssize_t length, answer_visitor *visit,
                        void *context) {
    for (; NLMSG_OK(answer, (size_t)length); answer = NLMSG_NEXT(answer, length)) {
        if (answer->nlmsg_type == NLMSG_DONE)
            return 0;
        if (answer->nlmsg_type == NLMSG_ERROR)
            return ((struct nlmsgerr *)NLMSG_DATA(answer))->error;
        int result = visit ? visit(answer, context) : 0;
        if (result)
            return result;
    }
    return 1;
}

/* Send it, and look at all that comes back. */
static int ask(int fd, struct request *request, answer_visitor *visit, void *context) {
    char *buffer = malloc(ROOM);
    int result = buffer ? 1 : -ENOMEM;
    if (result > 0 && send(fd, request, request->head.nlmsg_len, 0) < 0)
        result = -errno;
    while (result > 0) {
        ssize_t length = recv(fd, buffer, ROOM, MSG_TRUNC);
        if (length < 0 && errno == EINTR)
            continue;
        if (length < 0 || length > ROOM)
            result = length < 0 ? -errno : -EMSGSIZE;
        else
            result = walk_answers((struct nlmsghdr *)buffer, length, visit, context);
    }
    free(buffer);
    return result;
}

/* ---- devices by name */

struct known {
    const char *name;
    int index; /* 0: none was found */
    char actual[IFNAMSIZ];
};

static const struct rtattr *attribute_of(const struct nlmsghdr *answer, uint16_t type) {
    size_t offset = NLMSG_ALIGN(body_of(answer->nlmsg_type));
    size_t left = NLMSG_PAYLOAD(answer, offset);
    const struct rtattr *at = (const struct rtattr *)((const char *)NLMSG_DATA(answer) + offset);
    for (; RTA_OK(at, left); at = RTA_NEXT(at, left))
        if (at->rta_type == type)
            return at;
    return NULL;
}

static int take_link(const struct nlmsghdr *answer, void *context) {
    struct known *known = context;
    const struct rtattr *name = attribute_of(answer, IFLA_IFNAME);
    if (answer->nlmsg_type != RTM_NEWLINK || !name)
        return 0;
    known->index = ((const struct ifinfomsg *)NLMSG_DATA(answer))->ifi_index;
    strncpy(known->actual, RTA_DATA(name), sizeof known->actual - 1);
    return 0;
}

static int look_up(int fd, struct known *known) {
    struct request request;
    begin(&request, RTM_GETLINK, NLM_F_ACK);
    request.link.ifi_index = known->index;
    int error = 0;
    if (known->name)
        error = add(&request, IFLA_IFNAME, known->name, strlen(known->name) + 1);
    return error ? error : ask(fd, &request, take_link, known);
}

/* ---- addresses */

struct addresses {
    int index;
    size_t count;
    struct {
        struct ifaddrmsg head;
        size_t size;
        char attributes[ADDRESS_SIZE];
    } one[ADDRESSES_MAX];
};

/* Those that somebody gave it for good, for the world outside. */
static int take_address(const struct nlmsghdr *answer, void *context) {
    struct addresses *all = context;
    const struct ifaddrmsg *address = NLMSG_DATA(answer);
    const struct rtattr *flags = attribute_of(answer, IFA_FLAGS);
    uint32_t set = address->ifa_flags;
    if (flags)
        memcpy(&set, RTA_DATA(flags), sizeof set);
    if (answer->nlmsg_type != RTM_NEWADDR || (int)address->ifa_index != all->index ||
        !(set & IFA_F_PERMANENT) || address->ifa_scope != RT_SCOPE_UNIVERSE)
        return 0;
    size_t size = NLMSG_PAYLOAD(answer, NLMSG_ALIGN(sizeof *address));
    if (all->count == ADDRESSES_MAX || size > ADDRESS_SIZE)
        return -ENOBUFS;
    all->one[all->count].head = *address;
    all->one[all->count].size = size;
    memcpy(all->one[all->count].attributes,
           (const char *)NLMSG_DATA(answer) + NLMSG_ALIGN(sizeof *address), size);
    all->count++;
    return 0;
}

static int read_addresses(int fd, struct addresses *all) {
    struct request request;
    begin(&request, RTM_GETADDR, NLM_F_DUMP);
    return ask(fd, &request, take_address, all);
}

/* The label begins with the name that the device had, and is left out; so is what the kernel only
 * tells. */
static bool is_given_back(uint16_t type) {
    return type == IFA_ADDRESS || type == IFA_LOCAL || type == IFA_BROADCAST || type == IFA_FLAGS ||
           type == IFA_RT_PRIORITY;
}

static int give_address(int fd, const struct addresses *all, size_t which) {
    struct request request;
    size_t left = all->one[which].size;
    const struct rtattr *at = (const struct rtattr *)all->one[which].attributes;
    begin(&request, RTM_NEWADDR, NLM_F_CREATE | NLM_F_REPLACE | NLM_F_ACK);
    request.address = all->one[which].head;
    request.address.ifa_index = (unsigned)all->index;
    int error = 0;
    for (; !error && RTA_OK(at, left); at = RTA_NEXT(at, left))
        if (is_given_back(at->rta_type))
            error = add(&request, at->rta_type, RTA_DATA(at), RTA_PAYLOAD(at));
    return error ? error : ask(fd, &request, NULL, NULL);
}

/* ---- the move */

static int set_up(int fd, int index) {
    struct request request;
    begin(&request, RTM_NEWLINK, NLM_F_ACK);
    request.link.ifi_index = index;
    request.link.ifi_flags = IFF_UP;
    request.link.ifi_change = IFF_UP;
    return ask(fd, &request, NULL, NULL);
}

/* The kernel takes the device down on its way. */
static int send_over(int fd, int index, const struct netdev_move *move, int into) {
    struct request request;
    begin(&request, RTM_NEWLINK, NLM_F_ACK);
    request.link.ifi_index = index;
    int error = add(&request, IFLA_NET_NS_FD, &into, sizeof into);
    if (!error)
        error = add(&request, IFLA_IFNAME, move->as, strlen(move->as) + 1);
    return error ? error : ask(fd, &request, NULL, NULL);
}

/* Names in the other namespace by number: what a template became is the one that is new. */
struct numbers {
    size_t count;
    int index[1024];
    int fresh;
};

static int take_number(const struct nlmsghdr *answer, void *context) {
    struct numbers *numbers = context;
    int index = ((const struct ifinfomsg *)NLMSG_DATA(answer))->ifi_index;
    if (answer->nlmsg_type == RTM_NEWLINK && numbers->count < 1024)
        numbers->index[numbers->count++] = index;
    return 0;
}

static int take_fresh(const struct nlmsghdr *answer, void *context) {
    struct numbers *numbers = context;
    int index = ((const struct ifinfomsg *)NLMSG_DATA(answer))->ifi_index;
    for (size_t i = 0; i < numbers->count; i++)
        if (numbers->index[i] == index)
            return 0;
    if (answer->nlmsg_type == RTM_NEWLINK)
        numbers->fresh = index;
    return 0;
}

static int list_links(int fd, answer_visitor *visit, struct numbers *numbers) {
    struct request request;
    begin(&request, RTM_GETLINK, NLM_F_DUMP);
    return ask(fd, &request, visit, numbers);
}

/* Where it is now, by name or as the one that was not there. */
static int find_again(int fd, const struct netdev_move *move, struct numbers *numbers,
                      struct known *known) {
    if (!strchr(move->as, '%')) {
        known->name = move->as;
        return look_up(fd, known);
    }
    int error = list_links(fd, take_fresh, numbers);
    known->index = numbers->fresh;
    return error ? error : numbers->fresh ? look_up(fd, known) : -ENODEV;
}

static int settle(struct netdev_move *move, int fd, struct addresses *all) {
    int error = 0;
    move->part = NETDEV_ADDRESS;
    for (size_t i = 0; i < all->count && !error; i++)
        error = give_address(fd, all, i);
    if (error)
        return error;
    move->part = NETDEV_UP;
    return set_up(fd, all->index);
}

static int check_clash(struct netdev_move *move, int fd, struct numbers *numbers) {
    struct known other = {.name = move->as};
    move->part = NETDEV_CLASH;
    if (strchr(move->as, '%'))
        return list_links(fd, take_number, numbers);
    int error = look_up(fd, &other);
    return error == -ENODEV ? 0 : error ? error : -EEXIST;
}

static int carry(struct netdev_move *move, int from, int into, struct addresses *all) {
    struct known known = {.name = move->name};
    struct numbers numbers = {.count = 0};
    move->part = NETDEV_FIND;
    int error = look_up(from, &known);
    if (error)
        return error;
    all->index = known.index;
    move->part = NETDEV_READ;
    error = read_addresses(from, all);
    if (!error)
        error = check_clash(move, into, &numbers);
    if (error)
        return error;
    move->part = NETDEV_MOVE;
    error = send_over(from, known.index, move, move->into);
    known = (struct known){.name = NULL};
    if (!error)
        error = find_again(into, move, &numbers, &known);
    if (error)
        return error;
    all->index = known.index;
    memcpy(move->actual, known.actual, sizeof move->actual);
    return settle(move, into, all);
}

int lctr_netdev_move(struct netdev_move *move) {
    cleanup_fd from = -1;
    cleanup_fd into = -1;
    cleanup_fd own = -1;
    move->part = NETDEV_ENTER;
    if (move->into < 0) {
        own = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
        if (own < 0)
            return -errno;
        move->into = own;
    }
    int error = open_socket(move->from, &from);
    if (!error)
        error = open_socket(move->into, &into);
    if (error)
        return error;
    struct addresses *all = calloc(1, sizeof *all);
    if (!all)
        return -ENOMEM;
    error = carry(move, from, into, all);
    free(all);
    return error;
}
