/* One line of /proc/PID/mountinfo (proc_pid_mountinfo(5)). Pure: takes text, touches nothing. */
#ifndef LUACTR_CORE_MOUNTINFO_H
#define LUACTR_CORE_MOUNTINFO_H

/* The strings point into the line that was parsed. */
struct mountinfo {
    unsigned int id;
    unsigned int parent;
    unsigned int major;
    unsigned int minor;
    const char *root;          /* directory of the file system that is mounted */
    const char *target;        /* where, in this process's root */
    const char *options;       /* of the mount: "rw,nosuid" */
    const char *propagation;   /* the optional fields: "shared:1 master:2", or "" */
    const char *type;          /* "cgroup2", "fuse.sshfs" */
    const char *source;        /* "" where the kernel has none */
    const char *super_options; /* of the file system: "rw,cpu,cpuacct" */
};

/* Cut one line (without its newline) into fields, octal escapes (\040) undone. Changes the line.
 * 0, or -EINVAL for a line of another shape. */
int lctr_mountinfo_parse(char *line, struct mountinfo *mount);

/* Whether a comma-separated list, as the options are, holds a word. */
int lctr_mountinfo_has_option(const char *options, const char *word);

#endif
