#include "core/archive_library.h"

#include <dlfcn.h>
#include <errno.h>
#include <string.h>

#define FILE_NAME "libarchive.so.13"

static const char *const names[] = {
#define NAME(name) #name,
    FUNCTIONS(NAME)
#undef NAME
};

_Static_assert(sizeof(struct library) == sizeof names / sizeof names[0] * sizeof(void *),
               "a pointer for each name");

/* Once loaded it stays: others may use it, and its own libraries are not made to go. */
int lctr_archive_load(struct library *library, void **handle) {
    *handle = dlopen(FILE_NAME, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
    if (!*handle)
        return -ELIBACC;
    char *fields = (char *)library;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        void *function = dlsym(*handle, names[i]);
        if (!function)
            return -ELIBACC;
        memcpy(fields + i * sizeof function, &function, sizeof function);
    }
    return 0;
}
