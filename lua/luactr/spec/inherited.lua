--- The fields of a container's command that a command which enters has, too, unless it says
--- otherwise. A file of its own, since every start writes down which of them were said.
return {
  "env", "cwd", "user", "groups", "umask", "capabilities", "securebits", "no_new_privileges",
  "seccomp", "landlock", "apparmor", "selinux", "rlimits", "oom_score_adj", "scheduler", "nice",
  "io_priority", "cpu_affinity", "memory_policy", "core_scheduling", "tsc", "personality",
  "keyring",
}
