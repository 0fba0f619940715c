/* The init's program as a descriptor that can be executed and by nobody changed. */
#ifndef LUACTR_CORE_IMAGE_H
#define LUACTR_CORE_IMAGE_H

/* Borrowed: one per process, made at the first call. Returns the fd or -errno. */
int lctr_image_open(void);

/* Where an installed copy is looked for when the kernel executes no memfd. */
const char *lctr_image_path(void);

#endif
