/* A program that luactr carries inside, as a descriptor that can be executed and by nobody changed.
 */
#ifndef LUACTR_CORE_IMAGE_H
#define LUACTR_CORE_IMAGE_H

#include <sys/stat.h>

struct lctr_image {
    const char *name;
    const char *start;
    const char *end;
    const char *installed; /* where a copy is looked for when the kernel executes no memfd */
    int fd;                /* -1 until the first call; one per process */
    struct stat identity;
};

/* Borrowed: made at the first call. Returns the fd or -errno. */
int lctr_image_open(struct lctr_image *image);

/* The same of the init. */
int lctr_image_open_init(void);

/* Where an installed copy of the init is looked for. */
const char *lctr_image_path(void);

#endif
