/* What the kernel's security modules know the payload by. */
#include "init.h"

#define LABEL_MAX 4096

/* AppArmor tells the mode behind the profile's name, SELinux a NUL; both may end the line. */
static bool tells(const char *told, const char *label) {
    if (!text_starts(told, label))
        return false;
    told += text_length(label);
    return !*told || *told == '\n' || *told == ' ';
}

/* What was written holds from the next exec on; what is read back is what will hold. */
int step_exec_label(struct init *in, const union plan_arg *a) {
    const char *lsm = plan_text(in, &a[0]), *label = plan_text(in, &a[1]);
    bool apparmor = text_starts(lsm, "apparmor");
    char path[64], value[LABEL_MAX], told[LABEL_MAX];
    size_t end = text_append(path, sizeof path, 0, "thread-self/attr/");
    end = text_append(path, sizeof path, end, apparmor ? "apparmor/" : "");
    if (text_append(path, sizeof path, end, "exec") == sizeof path)
        return -ENAMETOOLONG;
    end = text_append(value, sizeof value, 0, apparmor ? "exec " : "");
    if (text_append(value, sizeof value, end, label) == sizeof value)
        return -ENAMETOOLONG;
    int result = procfs_write(in, path, value);
    if (result >= 0)
        result = procfs_read(in, path, told, sizeof told);
    if (result < 0)
        return result;
    return tells(told, label) ? 0 : at(in, AUX_VERIFY, -EACCES);
}
