#include "core/cgroup_place.h"

#include "core/cgroup_process.h"
#include "core/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define MARK "luactr.made"

/* Ordinary users may set the second kind, on cgroup v2 since Linux 5.7. */
static const char *const marks[] = {"trusted." MARK, "user." MARK};

bool lctr_cgroup_is_chosen(const char *id) {
    return id[0] == '/' || (id[0] == '.' && id[1] == '/');
}

void lctr_cgroup_mark(const char *path) {
    for (size_t i = 0; i < 2; i++)
        if (syscall(SYS_setxattr, path, marks[i], "1", 1, 0) == 0)
            return;
}

bool lctr_cgroup_is_marked(const char *path) {
    char value[8];
    for (size_t i = 0; i < 2; i++)
        if (syscall(SYS_getxattr, path, marks[i], value, sizeof value) > 0)
            return true;
    return false;
}

/* Another luactr that is about to make something there makes it again. */
static void leave_marked(const char *path) {
    char above[CGROUP_PATH_MAX];
    size_t length = strlen(path);
    if (length >= sizeof above)
        return;
    strcpy(above, path);
    do {
        while (length > 0 && above[length - 1] != '/')
            length--;
        if (length < 2)
            return;
        above[--length] = '\0';
    } while (lctr_cgroup_is_marked(above) && rmdir(above) == 0);
}

static int empty(const char *path, bool kill) {
    cleanup_fd dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    if (dir < 0)
        return errno == ENOENT ? 0 : -errno;
    if (kill)
        return lctr_cgroup_clear(dir, path);
    int used = lctr_cgroup_is_used(dir);
    return used > 0 ? -EBUSY : used < 0 ? used : lctr_cgroup_remove_below(path);
}

int lctr_cgroup_give_back(const char *path, bool kill) {
    if (!lctr_cgroup_is_marked(path))
        return empty(path, kill);
    int error = lctr_cgroup_remove(path, kill);
    if (!error)
        leave_marked(path);
    return error;
}
