/* What a monitor and those who attach to its container say to each other, over a SOCK_SEQPACKET
 * socket in the container's directory. A message is a letter and what belongs to it. */
#ifndef LUACTR_CORE_ATTACH_H
#define LUACTR_CORE_ATTACH_H

#include <stddef.h>
#include <stdint.h>

#define ATTACH_SOCKET    "attach"     /* its name, once the container has started */
#define ATTACH_UNBORN    "attach.new" /* until then */
#define ATTACH_INPUT_MAX 4096         /* of one message */

/* ORDER ATTACH: luactr.container.attach, luactr.container.attach.session */
enum attach_kind {
    ATTACH_HELLO = 'h',  /* from the monitor, first: a byte of attach_traits */
    ATTACH_FULL = 'f',   /* in place of it: as many are attached as can be */
    ATTACH_STDOUT = 'o', /* bytes that the container wrote */
    ATTACH_STDERR = 'e',
    ATTACH_LOST = 'l',  /* int64_t: so many bytes were not sent, since nobody took them */
    ATTACH_INPUT = 'i', /* from who has attached: bytes for the container */
    ATTACH_END = 'z',   /* the end of its input, if that is no terminal */
    ATTACH_SIZE = 'w',  /* struct attach_size, of the window */
};

enum attach_traits { ATTACH_TERMINAL = 1, ATTACH_TAKES_INPUT = 2 };

struct attach_size {
    uint16_t rows;
    uint16_t columns;
};

/* Make a socket and listen in a directory, under its first name, or connect to one there: the
 * descriptor or -errno. It does not block. */
int lctr_attach_listen(int directory);
int lctr_attach_connect(int directory);

#endif
