#include "core/systemd_library.h"

#include <dlfcn.h>
#include <errno.h>
#include <string.h>

#define FILE_NAME "libsystemd.so.0"

static const char *const names[] = {
#define NAME(result, name, arguments) #name,
    FUNCTIONS(NAME)
#undef NAME
};

_Static_assert(sizeof(struct systemd_library) == sizeof names / sizeof names[0] * sizeof(void *),
               "a pointer for each name");

int lctr_systemd_load(struct systemd_library *library) {
    void *handle = dlopen(FILE_NAME, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
    if (!handle)
        return -ELIBACC;
    char *fields = (char *)library;
    int error = 0;
    for (size_t i = 0; !error && i < sizeof names / sizeof names[0]; i++) {
        void *function = dlsym(handle, names[i]);
        memcpy(fields + i * sizeof function, &function, sizeof function);
        error = function ? 0 : -ELIBACC;
    }
    dlclose(handle);
    return error;
}
