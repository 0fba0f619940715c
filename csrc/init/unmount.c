/* Take a mount away from a container that runs. */
#include "init.h"

#define MNT_ID (STATX_TYPE | STATX_MNT_ID)

/* The mount at the target: only a mount point is on another mount than its parent directory. */
static int is_mounted_on(struct init *in, const char *path, int parent) {
    struct statx above = {0}; /* static analysis does not see the kernel write */
    struct statx here = {0};
    int target = path_open(in, path, O_PATH | O_NOFOLLOW);
    if (target < 0)
        return target;
    int result = k_statx(target, "", AT_EMPTY_PATH, MNT_ID, &here);
    if (result >= 0)
        result = k_statx(parent, "", AT_EMPTY_PATH, MNT_ID, &above);
    k_close(target);
    return result < 0 ? result : here.stx_mnt_id != above.stx_mnt_id;
}

/* By its name in its parent directory, since a descriptor of the mount would keep it busy. A link
 * is not followed, and "/" has no parent. */
int step_unmount(struct init *in, const union plan_arg *a) {
    struct place place;
    const char *path = plan_text(in, &a[0]);
    int target = path_open(in, path, O_PATH | O_NOFOLLOW);
    if (target < 0) /* before path_place makes the way to it */
        return at(in, AUX_TARGET, target);
    k_close(target);
    int result = at(in, AUX_TARGET, path_place(in, path, &place));
    if (result < 0)
        return result;
    int mounted = is_mounted_on(in, path, place.dir);
    result = mounted > 0 ? k_fchdir(place.dir) : mounted < 0 ? mounted : -EINVAL;
    fds_close(&in->root); /* it may lie on the mount */
    k_close(place.dir);
    if (result >= 0)
        result = k_umount2(place.name, (int)plan_u32(&a[1]) | UMOUNT_NOFOLLOW);
    k_chdir("/");
    return result;
}
