/* The wire format between luactr and its init: step kinds, record layout, rendezvous, status.
 *
 * Owner of the format: this file alone. The encoder (core/plan.c) writes it, the init (init/)
 * reads it, Lua learns it from the same rows (lua/l_plan.c). Includes nothing of ours.
 *
 * A plan is one buffer: header, records, data. It is position independent: strings, byte blocks
 * and string vectors are offsets from the start of the buffer. The encoder checks every value
 * once; the init trusts the buffer, because it comes from a memfd that only luactr has written.
 */
#ifndef LUACTR_PLAN_H
#define LUACTR_PLAN_H

#include <stdint.h>

#define PLAN_MAGIC     0x6e616c70u /* "plan" */
#define PLAN_VERSION   1u
#define PLAN_MAX_ARGS  10
#define PLAN_MAX_SLOTS 256
#define PLAN_MAX_TREES 64 /* sources that open_tree steps keep for later binds */
#define PLAN_MAX_SIZE  (16u << 20)

#define PLAN_MAX_STEPS  65536u
#define PLAN_MAX_STRING 131071u /* execve(2): MAX_ARG_STRLEN without the NUL */
#define PLAN_MAX_PATH   4095u   /* PATH_MAX without the NUL */
#define PLAN_MAX_FD     1023u   /* highest number that the dup step may fill */

/* Where programs are looked for if nothing else is said, in containers and on the host. */
#define PLAN_DEFAULT_PATH "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

/* A list of steps ends with exec; one that does not ends the process with status 0.
 *
 * Each row is a step kind: enumerator, name in Lua and in `explain`, arguments.
 *
 * An argument is "name:type"; the type is one of
 *   s string        S string or nothing
 *   p path, not empty, at most PLAN_MAX_PATH bytes
 *   u 32-bit number or true or false               U the same or nothing (0)
 *   i 64-bit number: signed, or a mask; -1 is "no limit" for a limit and "all" for a mask
 *   d fd number, at most PLAN_MAX_FD
 *   b bytes         v list of strings              n list of 32-bit numbers
 *   f slot: the name of an fd that the parent passes (plan.slots in Lua), F the same or nothing
 * Paths called "target" and "path" are resolved by fd inside the new root; "source" and "stage"
 * are resolved in the host's view. "detached" is a copy of a mount that the parent made of the
 * source, and that is attached as it is. A console "beside" that of the container stays off
 * /dev/console. ORDER STEP: init/steps.c has one function for each row. */
#define PLAN_STEPS(X)                                                                              \
    /* before anything else */                                                                     \
    X(RENDEZVOUS, "rendezvous", "number:u")                                                        \
    X(CGROUP_ATTACH, "cgroup_attach", "procs:f")                                                   \
    X(UNSHARE, "unshare", "flags:u")                                                               \
    X(SETNS, "setns", "ns:f flags:u")                                                              \
    X(TIME_NAMESPACE, "time_namespace", "offsets:S")                                               \
    /* into the pid namespace that was joined, or made after another was: the rest of the list */  \
    /* is carried out by a child there, and the process outside ends as it does; or it leaves, */  \
    /* and the child is one of the parent's */                                                     \
    X(FORK, "fork", "leave:U")                                                                     \
    X(PARENT_DEATH_SIGNAL, "parent_death_signal", "signal:u")                                      \
    X(OOM_SCORE_ADJ, "oom_score_adj", "value:i")                                                   \
    X(SETHOSTNAME, "sethostname", "name:s")                                                        \
    X(SETDOMAINNAME, "setdomainname", "name:s")                                                    \
    X(LOOPBACK_UP, "loopback_up", "")                                                              \
    X(SYSCTL, "sysctl", "key:s value:s")                                                           \
    /* the root file system: root_* opens it, pivot_root enters it */                              \
    X(OPEN_TREE, "open_tree", /* for the bind with that tree */                                    \
      "number:u source:S recursive:u policy:U optional:U fd:F")                                    \
    X(PROPAGATION, "propagation", "flags:u")                                                       \
    X(ROOT_BIND, "root_bind", "source:p recursive:u detached:F")                                   \
    X(ROOT_TMPFS, "root_tmpfs", "stage:p data:S")                                                  \
    X(MKDIR, "mkdir", "path:p mode:u exact:U owner:U uid:U gid:U")                                 \
    X(FILE, "file", "path:p content:b mode:u mount:U owner:U uid:U gid:U")                         \
    X(WRITE, "write", "path:p content:b")                                                          \
    X(SYMLINK, "symlink", "link:p path:p")                                                         \
    X(MKNOD, "mknod", "path:p mode:u device:u owner:U uid:U gid:U")                                \
    X(BIND_NODE, "bind_node", "source:p path:p kind:U device:U") /* kind 0: any device */          \
    X(MOUNT, "mount", "source:s target:p type:s flags:u data:S optional:U policy:U")               \
    X(FSMOUNT, "fsmount", "target:p type:s attributes:u options:v policy:U")                       \
    X(FUSE, "fuse", "target:p attributes:u") /* the parent has a program serve it */               \
    X(TMPCOPYUP, "tmpcopyup", "target:p attributes:u options:v policy:U")                          \
    X(BIND, "bind",                                                                                \
      "source:p target:p recursive:u set:u clear:u optional:U clear_all:U policy:U tree:U "        \
      "detached:F")                                                                                \
    X(SETATTR, "mount_setattr", "target:p set:u clear:u propagation:U recursive:U")                \
    X(MASK, "mask", "path:p")                                                                      \
    X(READONLY, "readonly", "path:p")                                                              \
    X(UNMOUNT, "unmount", "target:p flags:u")                                                      \
    X(CONSOLE, "console", "rows:u columns:u uid:U gid:U beside:U")                                 \
    X(PIVOT_ROOT, "pivot_root", "")                                                                \
    X(CHROOT, "chroot", "")                                                                        \
    /* PID 1 stays, the rest of the list is carried out by its child (vfork), which is born in a   \
     */                                                                                            \
    /* cgroup v2 directory if there is one */                                                      \
    X(INIT, "init", "cgroup:F")                                                                    \
    /* the same in a command that nobody waits for: by a child of our parent, and we end */        \
    X(LEAVE, "leave", "cgroup:F")                                                                  \
    /* the payload's own attributes */                                                             \
    X(SETSID, "setsid", "")                                                                        \
    X(CONTROLLING_TTY, "controlling_tty", "")                                                      \
    X(DUP, "dup", "fd:f number:d")                                                                 \
    X(RLIMIT, "setrlimit", "resource:u soft:i hard:i")                                             \
    X(UMASK, "umask", "mask:u")                                                                    \
    X(AFFINITY, "sched_setaffinity", "cpus:b exact:u")                                             \
    X(MEMPOLICY, "set_mempolicy", "mode:u nodes:b")                                                \
    X(NICE, "setpriority", "nice:i")                                                               \
    X(SCHEDULER, "sched_setattr",                                                                  \
      "policy:u flags:u nice:i priority:u runtime:i deadline:i period:i")                          \
    X(IO_PRIORITY, "ioprio_set", "class:u level:u")                                                \
    X(CORE_SCHEDULING, "core_scheduling", "")                                                      \
    X(TSC, "tsc", "mode:u")                                                                        \
    X(PERSONALITY, "personality", "persona:u")                                                     \
    X(KEYRING, "session_keyring", "")                                                              \
    X(EXEC_LABEL, "exec_label", "lsm:s label:s")                                                   \
    X(SETGROUPS, "setgroups", "groups:n")                                                          \
    X(SETGID, "setresgid", "gid:u")                                                                \
    X(SETUID, "setresuid", "uid:u")                                                                \
    X(BOUNDING, "capbset_drop", "keep:i")                                                          \
    X(CAPSET, "capset", "effective:i permitted:i inheritable:i")                                   \
    X(AMBIENT, "cap_ambient", "set:i")                                                             \
    X(SECUREBITS, "securebits", "bits:u")                                                          \
    X(NO_NEW_PRIVS, "no_new_privs", "")                                                            \
    X(LANDLOCK, "landlock_create_ruleset", "files:u net:u scope:u")                                \
    X(LANDLOCK_PATH, "landlock_path", "path:p access:u optional:U")                                \
    X(LANDLOCK_PORT, "landlock_port", "port:u access:u")                                           \
    X(LANDLOCK_RESTRICT, "landlock_restrict_self", "")                                             \
    X(CHDIR, "chdir", "path:p")                                                                    \
    X(GUARD_TERMINAL, "guard_terminal", "") /* a filter of its own, if a stream is one */          \
    X(SECCOMP, "seccomp", "filter:b flags:u")                                                      \
    /* the parent may go, whoever connects to the socket says when to go on */                     \
    X(GATE, "gate", "socket:f file:s path:S")                                                      \
    X(EXEC, "exec", "file:s argv:v env:v path:S")

enum plan_kind {
#define X(id, name, args) STEP_##id,
    PLAN_STEPS(X)
#undef X
        STEP_COUNT
};

struct plan_header {
    uint32_t magic;
    uint32_t version;
    uint32_t size;  /* of the whole buffer, bytes */
    uint32_t steps; /* records that follow the header */
    uint32_t slots; /* fds that the parent passes */
    uint32_t flags; /* PLAN_FLAG_* */

    /* Written by the init while it works, read by the parent: how many steps were begun. Tells a
     * launch that was killed half way from one that ended well, without a message of its own. */
    uint32_t begun;

    /* For specs: the step number (from 1) that fails with this errno instead of being done. */
    uint32_t fail_step;
    int32_t fail_error;
    uint32_t reserved;
};

#define PLAN_FLAG_TIMES   1u /* the init notes in each record when it was begun */
#define PLAN_FLAG_USERNS  2u /* born in a new user namespace: its rights are ambient */
#define PLAN_FLAG_SKIPPED 4u /* the init sets it: some step has its `skipped` set */
#define PLAN_FLAG_SEEN    8u /* others are in its pid namespace: they must not look into it */

/* One argument. u: the number (i as two's complement, f as slot index, PLAN_NONE for nothing).
 * s, b, n, v: offset and length. For s and b the length is in bytes without the NUL that follows;
 * for n the number of uint32; for v the number of strings, and the offset leads to as many uint64
 * offsets of NUL-terminated strings, and a 0 behind them: what execve(2) wants once the init has
 * added the buffer's address. Data is 8-byte aligned where it is not a string. */
union plan_arg {
    uint64_t u;
    struct {
        uint32_t offset;
        uint32_t length;
    } data;
};

#define PLAN_NONE      UINT64_MAX
#define PLAN_NO_OFFSET 0u

struct plan_step {
    uint32_t kind;
    uint32_t skipped;  /* the init sets it: an optional source is missing, nothing was mounted */
    uint64_t began_ns; /* CLOCK_MONOTONIC, with PLAN_FLAG_TIMES */
    union plan_arg arg[PLAN_MAX_ARGS];
};

/* Numbered meetings on the sync socket (SOCK_SEQPACKET). The init sends its number and waits for
 * the same number; anything else, or a closed socket, ends it. */
#define PLAN_RENDEZVOUS(X)                                                                         \
    X(ID_MAPS, "id_maps", 1)   /* the parent writes uid_map, gid_map, setgroups */                 \
    X(NETWORK, "network", 2)   /* the parent moves devices in */                                   \
    X(CONSOLE, "console", 3)   /* the init sends the pty master (SCM_RIGHTS); nobody answers */    \
    X(START, "start", 4)       /* all is done but the exec: the parent's last chance */            \
    X(EXIT, "exit", 5)         /* the init sends struct plan_exit; nobody answers */               \
    X(LISTENER, "listener", 6) /* the init sends the filter's listener; nobody answers */          \
    X(NAMESPACES, "namespaces", 7) /* the parent opens them: they are a pod's */                   \
    X(FUSE, "fuse", 8)   /* the init sends /dev/fuse, which the parent gives to a program */       \
    X(HOOKS, "hooks", 9) /* the root has its mounts, the process is not in it yet */               \
    X(LEFT, "left", 10)  /* the init sends a pidfd of the parent's new child; nobody answers */    \
    X(SUCCESSOR, "successor", 11) /* the init tells which child of the parent goes on */           \
    X(RESCTRL, "resctrl", 12)     /* the parent writes it into a group, before it has a child */

enum plan_rendezvous {
#define X(id, name, number) MEET_##id = number,
    PLAN_RENDEZVOUS(X)
#undef X
};

struct plan_message {
    uint32_t number; /* enum plan_rendezvous */
    uint32_t pid;    /* of a successor, as the parent counts; 0 elsewhere */
};

/* What is said over a connection to the socket of a gate: the init, that it is there for whoever
 * connects; he, that it may go on, which the init does for the first who says so. What follows is
 * as on the status pipe. */
enum plan_gate { GATE_HERE = 'h', GATE_GO = 'g' };

/* How the payload ended, as PID 1 saw it: message number MEET_EXIT and this. */
struct plan_exit {
    struct plan_message head;
    int32_t status; /* as wait(2) gives it */
    uint32_t alone; /* PID 1 has reaped all others: the container's meters are final */
    uint64_t user_us;
    uint64_t system_us;
    uint64_t max_rss_kib;
};

/* The one status record, on a CLOEXEC pipe. End-of-file without a record is success if every step
 * was begun (plan_header.begun). */
struct plan_status {
    uint32_t step; /* index of the step that failed */
    uint32_t kind; /* its enum plan_kind */
    int32_t error; /* errno */
    uint32_t aux;  /* which part of the step: a step-specific enum plan_aux */
};

/* `policy` of a bind: symbolic links at the end of its paths, and what is made at the target. */
#define PLAN_BIND_POLICY(X)                                                                        \
    X(SOURCE_NOFOLLOW, "source_nofollow", 1) /* the link itself is bound */                        \
    X(TARGET_NOFOLLOW, "target_nofollow", 2) /* the link itself is covered */                      \
    X(COPY_SYMLINK, "copy_symlink", 4)       /* a source that is a link is made again */           \
    X(CREATE_DIR, "create_dir", 8)           /* the target, and without the source too */          \
    X(CREATE_FILE, "create_file", 16)                                                              \
    X(CREATE_NEVER, "create_never", 32) /* the target exists, or the step fails */

enum plan_bind_policy {
#define X(id, name, bit) BIND_##id = bit,
    PLAN_BIND_POLICY(X)
#undef X
};

/* Where inside a step it failed; Lua turns it into words. */
#define PLAN_AUX(X)                                                                                \
    X(NONE, "")                                                                                    \
    X(SOURCE, "source")                                                                            \
    X(TARGET, "target")                                                                            \
    X(CREATE, "create")                                                                            \
    X(TYPE, "type")                                                                                \
    X(CONFIGURE, "configure")                                                                      \
    X(COPY, "copy")                                                                                \
    X(ATTACH, "attach")                                                                            \
    X(ATTRIBUTE, "attribute")                                                                      \
    X(PEER, "peer")                                                                                \
    X(VERIFY, "verify")                                                                            \
    X(KILLED, "killed") /* the parent's own finding: the init died without a record */

enum plan_aux {
#define X(id, name) AUX_##id,
    PLAN_AUX(X)
#undef X
};

#endif
