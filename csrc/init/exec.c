/* The last step: become the payload. */
#include "init.h"

/* The encoder wrote offsets; add the address of the buffer, which is this launch's own. */
static char **relocate(struct init *in, const union plan_arg *a) {
    uint64_t *vector = (uint64_t *)((char *)in->plan + a->data.offset);
    for (uint32_t i = 0; i < a->data.length; i++)
        vector[i] += (uint64_t)in->plan;
    return (char **)vector;
}

#define MAY_EXECUTE 1 /* X_OK */

static bool has_slash(const char *file) {
    while (*file && *file != '/')
        file++;
    return *file;
}

/* What an exec would say before it reads the file. */
static int look(const char *path) {
    struct statx st = {0};
    int result = k_statx(AT_FDCWD, path, 0, STATX_TYPE, &st);
    if (result >= 0 && (st.stx_mode & S_IFMT) != S_IFREG)
        result = -EACCES;
    return result < 0 ? result : k_faccessat(AT_FDCWD, path, MAY_EXECUTE);
}

/* Without argv it is only looked at. */
static int try(const char *path, char **argv, char **env) {
    return argv ? k_execve(path, argv, env) : look(path);
}

/* As execvp(3): a file that may not be run is remembered, and tells more than "not found" when no
 * other directory has one. Unlike it, a file that is no program is an error, not a shell script. */
static int search(const char *file, const char *path, char **argv, char **env) {
    char buffer[PLAN_MAX_PATH + 1];
    int remembered = -ENOENT;
    while (*path) {
        size_t length = 0;
        for (; *path && *path != ':'; path++)
            if (length < sizeof buffer - 1)
                buffer[length++] = *path;
        path += *path == ':';
        buffer[length] = '\0';
        length = text_append(buffer, sizeof buffer, length, length ? "/" : "./");
        if (text_append(buffer, sizeof buffer, length, file) == sizeof buffer)
            continue;
        int result = try(buffer, argv, env);
        if (result == -EACCES)
            remembered = -EACCES;
        else if (result != -ENOENT && result != -ENOTDIR)
            return result;
    }
    return remembered;
}

static int find(const char *file, const char *path, char **argv, char **env) {
    if (!*file)
        return -ENOENT;
    return has_slash(file) ? try(file, argv, env)
                           : search(file, path ? path : PLAN_DEFAULT_PATH, argv, env);
}

int exec_look(const char *file, const char *path) {
    return find(file, path, NULL, NULL);
}

int step_exec(struct init *in, const union plan_arg *a) {
    const char *file = plan_text(in, &a[0]);
    const char *path = plan_text(in, &a[3]);
    if (!a[1].data.length) /* a program without argv[0] was the hole of CVE-2021-4034 */
        return -EINVAL;
    char **argv = relocate(in, &a[1]);
    char **env = relocate(in, &a[2]);
    int result = at(in, AUX_ATTRIBUTE, process_settle(in));
    if (result < 0)
        return result;
    return find(file, path, argv, env);
}
