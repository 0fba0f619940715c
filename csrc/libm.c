/* What Lua computes with by libm, which is loaded when a recipe does.
 *
 * For libm a start would pay nine page faults and ten system calls, a tenth of what `luactr exec`
 * takes of its own below some hypervisors, and hardly any recipe wants a sine. */
#include <dlfcn.h>
#include <gnu/lib-names.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void load(const char *name, void *function) {
    void *library = dlopen(LIBM_SO, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
    void *found = library ? dlsym(library, name) : NULL;
    if (!found) {
        fprintf(stderr, "luactr: %s\n", dlerror());
        abort();
    }
    memcpy(function, &found, sizeof found);
}

#define OF_ONE(name)                                                                               \
    double name(double x) {                                                                        \
        static double (*function)(double);                                                         \
        if (!function)                                                                             \
            load(#name, (void *)&function);                                                        \
        return function(x);                                                                        \
    }

#define OF_TWO(name)                                                                               \
    double name(double x, double y) {                                                              \
        static double (*function)(double, double);                                                 \
        if (!function)                                                                             \
            load(#name, (void *)&function);                                                        \
        return function(x, y);                                                                     \
    }

OF_ONE(acos)
OF_ONE(asin)
OF_ONE(cos)
OF_ONE(cosh)
OF_ONE(exp)
OF_ONE(log)
OF_ONE(log10)
OF_ONE(log2)
OF_ONE(sin)
OF_ONE(sinh)
OF_ONE(sqrt)
OF_ONE(tan)
OF_ONE(tanh)
OF_TWO(atan2)
OF_TWO(fmod)
OF_TWO(pow)
