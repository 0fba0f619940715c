/* Addresses of sockets that are files. */
#ifndef LUACTR_CORE_LOCAL_H
#define LUACTR_CORE_LOCAL_H

#include <sys/un.h>

/* Of a name in a directory, by its descriptor: a path may be longer than an address, and have
 * another name by now. -ENAMETOOLONG for a name that is longer. */
int lctr_local_address(struct sockaddr_un *address, int directory, const char *file);

#endif
