--- The strict seccomp profile: what a program needs that computes, reads and writes files and
--- starts processes and threads, as for a judge or a grader. Data only.
--
-- Two containers that share files or a kernel can pass bits to each other through whatever the
-- kernel keeps for both: keys, vsock, locks and leases on files, rings. None of these is here, nor
-- networks, other ABIs, tracing, priorities. What no rule allows fails with EPERM, a number above
-- the newest that luactr knows with ENOSYS.

local function words(text)
  local list = {}
  for word in text:gmatch("%S+") do list[#list + 1] = word end
  return list
end

local function allow(text)
  return { action = "allow", names = words(text) }
end

local INT <const> = 0xffffffff -- where the kernel takes an int it looks at the low half only

-- clone(2): all that make a namespace; see the default profile.
local NAMESPACES <const> = 0x7e020000

local AF_UNIX <const> = 1

-- linux/socket.h and asm-generic/ioctls.h; the default profile says why
local TIOCSTI <const>, TIOCLINUX <const>, TIOCSETD <const> = 0x5412, 0x541c, 0x5423

-- fcntl(2): F_DUPFD to F_SETFL, F_DUPFD_CLOEXEC, pipe sizes, seals. No locks, leases, signals.
local COMMANDS <const> = { 0, 1, 2, 3, 4, 1030, 1031, 1032, 1033, 1034 }

-- prctl(2): death signal, dumpable, keepcaps, name, seccomp's state, bounding set, timer slack,
-- no_new_privs, transparent huge pages, ambient set, names of mappings
local OPTIONS <const> = {
  1, 2, 3, 4, 7, 8, 15, 16, 21, 23, 24, 29, 30, 38, 39, 41, 42, 47, 0x53564d41,
}

return {
  default = "EPERM",
  unknown = "ENOSYS",
  foreign = "kill_process",
  rules = {
    -- files
    allow [[ access chdir chmod close close_range copy_file_range creat dup dup2 dup3 faccessat
      faccessat2 fadvise64 fallocate fchdir fchmod fchmodat fchmodat2 fdatasync fgetxattr
      flistxattr fstat fstatfs fsync ftruncate futimesat getcwd getdents getdents64 getxattr
      lgetxattr link linkat listxattr llistxattr lseek lstat mkdir mkdirat newfstatat open openat
      openat2 pread64 preadv preadv2 pwrite64 pwritev pwritev2 read readahead readlink readlinkat
      readv rename renameat renameat2 rmdir sendfile splice stat statfs statx symlink symlinkat
      tee truncate umask unlink unlinkat utime utimensat utimes write writev ]],
    { action = "allow", names = { "fcntl" },
      args = { { index = 1, op = "in", mask = INT, values = COMMANDS } } },
    -- waiting
    allow [[ epoll_create epoll_create1 epoll_ctl epoll_pwait epoll_pwait2 epoll_wait eventfd
      eventfd2 pipe pipe2 poll ppoll pselect6 select signalfd signalfd4 timerfd_create
      timerfd_gettime timerfd_settime ]],
    -- memory
    allow [[ brk madvise memfd_create mincore mlock mlock2 mmap mprotect mremap mseal msync munlock
      munmap ]],
    -- processes and threads
    allow [[ arch_prctl capget capset execve execveat exit exit_group fork futex futex_wait
      futex_waitv futex_wake futex_requeue get_robust_list getcpu getegid geteuid getgid getgroups
      getpgid getpgrp getpid getppid getpriority getresgid getresuid getrlimit getrusage getsid
      gettid getuid membarrier pause pidfd_open pidfd_send_signal rseq sched_get_priority_max
      sched_get_priority_min sched_getaffinity sched_getattr sched_getparam sched_getscheduler
      sched_yield set_robust_list set_tid_address setgid setgroups setpgid setregid setresgid
      setresuid setreuid setrlimit setsid setuid vfork wait4 waitid ]],
    { action = "allow", names = { "clone" },
      args = { { index = 0, op = "==", mask = NAMESPACES, value = 0 } } },
    { action = "ENOSYS", names = { "clone3" } },
    { action = "allow", names = { "prctl" },
      args = { { index = 0, op = "in", mask = INT, values = OPTIONS } } },
    -- limits are read and lowered for oneself
    { action = "allow", names = { "prlimit64" },
      args = { { index = 0, op = "==", mask = INT, value = 0 } } },
    -- signals
    allow [[ kill restart_syscall rt_sigaction rt_sigpending rt_sigprocmask rt_sigqueueinfo
      rt_sigreturn rt_sigsuspend rt_sigtimedwait rt_tgsigqueueinfo sigaltstack tgkill tkill alarm
      getitimer setitimer ]],
    -- clocks
    allow [[ clock_getres clock_gettime clock_nanosleep gettimeofday nanosleep time timer_create
      timer_delete timer_getoverrun timer_gettime timer_settime times ]],
    -- pairs of sockets between one's own processes
    allow [[ getpeername getsockname getsockopt recvfrom recvmsg sendmsg sendto setsockopt
      shutdown ]],
    { action = "allow", names = { "socketpair" },
      args = { { index = 0, op = "==", mask = INT, value = AF_UNIX } } },
    -- the machine
    allow [[ getrandom sysinfo uname ]],
    { action = "allow", names = { "ioctl" },
      args = { { index = 1, op = "not in", mask = INT,
          values = { TIOCSTI, TIOCLINUX, TIOCSETD } } } },
    -- personality(2): the question what it is now
    { action = "allow", names = { "personality" },
      args = { { index = 0, op = "==", mask = INT, value = INT } } },
  },
}
