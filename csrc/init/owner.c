/* Who owns what a step makes. By descriptor: a name may mean another file by now. */
#include "init.h"

/* An O_PATH fd will do. */
int owner_set(int fd, const union plan_arg *a) {
    return plan_u32(&a[0]) ? k_fchownat(fd, "", plan_u32(&a[1]), plan_u32(&a[2]), AT_EMPTY_PATH)
                           : 0;
}

/* A change of owner takes set-id bits away, so the mode comes last. `dir` is an O_PATH fd. */
int owner_set_directory(int dir, uint32_t mode, bool exact, const union plan_arg *a) {
    if (!exact && !plan_u32(&a[0]))
        return 0;
    int fd = k_openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
    if (fd < 0)
        return fd;
    int result = owner_set(fd, a);
    if (result >= 0 && exact)
        result = k_fchmod(fd, mode);
    k_close(fd);
    return result;
}
