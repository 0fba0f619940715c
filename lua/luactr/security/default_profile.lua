--- The default seccomp profile: what a program that does no administration needs. Data only.
--
-- It is compiled when luactr is built and embedded; csrc/seccomp.lua does that. What no rule allows
-- fails with EPERM, a number above the newest that luactr knows with ENOSYS, as on an older kernel,
-- so that programs fall back. Other ABIs of the machine (i386) are killed: their numbers mean other
-- calls, and no program that luactr starts by intention uses them. x32 numbers get ENOSYS. A recipe
-- that wants one says architectures = { "x86" }; the last rule is for those.

local function words(text)
  local list = {}
  for word in text:gmatch("%S+") do list[#list + 1] = word end
  return list
end

local function allow(text)
  return { action = "allow", names = words(text) }
end

-- Arguments are 64 bits wide; where the kernel takes an int it looks at the low half only, and so
-- must a rule, or 0x100005412 would pass for something other than TIOCSTI.
local INT <const> = 0xffffffff

-- clone(2): all that make a namespace. clone3 has its flags in memory, where no filter sees them:
-- it is refused as unknown, and the C library falls back to clone.
local NAMESPACES <const> = 0x7e020000

-- linux/socket.h. All others are drivers' own (AF_ALG, AF_VSOCK, AF_PACKET...): little used, much
-- attacked.
local AF_UNIX <const>, AF_INET <const>, AF_INET6 <const>, AF_NETLINK <const> = 1, 2, 10, 16

-- asm-generic/ioctls.h: two put text into a terminal's input, where the shell outside reads it; the
-- third makes something else of the line.
local TIOCSTI <const>, TIOCLINUX <const>, TIOCSETD <const> = 0x5412, 0x541c, 0x5423

-- personality(2): PER_LINUX, PER_LINUX32, either with UNAME26, and the question what it is now.
local PERSONALITIES <const> = { 0, 8, 0x20000, 0x20008, 0xffffffff }

return {
  default = "EPERM",
  unknown = "ENOSYS",
  foreign = "kill",
  rules = {
    -- files
    allow [[ access chdir chmod chown close close_range copy_file_range creat dup dup2 dup3
      faccessat faccessat2 fadvise64 fallocate fchdir fchmod fchmodat fchmodat2 fchown fchownat
      fcntl fdatasync fgetxattr file_getattr file_setattr flistxattr flock fremovexattr fsetxattr
      fstat fstatfs fsync ftruncate futimesat getcwd getdents getdents64 getxattr getxattrat lchown
      lgetxattr link linkat listxattr listxattrat llistxattr lremovexattr lseek lsetxattr lstat
      mkdir mkdirat mknod mknodat name_to_handle_at newfstatat open openat openat2 pread64 preadv
      preadv2 pwrite64 pwritev pwritev2 read readahead readlink readlinkat readv removexattr
      removexattrat rename renameat renameat2 rmdir sendfile setxattr setxattrat splice stat statfs
      statx symlink symlinkat sync sync_file_range syncfs tee truncate umask unlink unlinkat utime
      utimensat utimes vmsplice write writev cachestat ]],
    -- waiting
    allow [[ epoll_create epoll_create1 epoll_ctl epoll_ctl_old epoll_pwait epoll_pwait2 epoll_wait
      epoll_wait_old eventfd eventfd2 fanotify_mark inotify_add_watch inotify_init inotify_init1
      inotify_rm_watch io_cancel io_destroy io_getevents io_pgetevents io_setup io_submit poll
      ppoll pselect6 select signalfd signalfd4 ]],
    -- memory
    allow [[ brk madvise map_shadow_stack memfd_create memfd_secret mincore mlock mlock2 mlockall
      mmap mprotect mremap mseal msync munlock munlockall munmap pkey_alloc pkey_free pkey_mprotect
      process_madvise process_mrelease remap_file_pages ]],
    -- processes and threads
    allow [[ arch_prctl capget capset execve execveat exit exit_group fork get_robust_list
      get_thread_area getegid geteuid getgid getgroups getpgid getpgrp getpid getppid getpriority
      getresgid getresuid getrlimit getrusage getsid gettid getuid ioprio_get ioprio_set membarrier
      modify_ldt pause pidfd_getfd pidfd_open pidfd_send_signal prctl prlimit64 ptrace
      process_vm_readv process_vm_writev kcmp rseq sched_get_priority_max sched_get_priority_min
      sched_getaffinity sched_getattr sched_getparam sched_getscheduler sched_rr_get_interval
      sched_setaffinity sched_setattr sched_setparam sched_setscheduler sched_yield set_robust_list
      set_thread_area set_tid_address setfsgid setfsuid setgid setgroups setpgid setpriority
      setregid setresgid setresuid setreuid setrlimit setsid setuid vfork wait4 waitid chroot
      getcpu ]],
    -- what sandboxes of one's own are made of
    allow [[ seccomp landlock_add_rule landlock_create_ruleset landlock_restrict_self
      lsm_get_self_attr lsm_list_modules ]],
    -- signals
    allow [[ kill restart_syscall rt_sigaction rt_sigpending rt_sigprocmask rt_sigqueueinfo
      rt_sigreturn rt_sigsuspend rt_sigtimedwait rt_tgsigqueueinfo sigaltstack tgkill tkill ]],
    -- clocks; setting one takes a capability that the default list lacks
    allow [[ adjtimex alarm clock_adjtime clock_getres clock_gettime clock_nanosleep getitimer
      gettimeofday nanosleep setitimer time timer_create timer_delete timer_getoverrun
      timer_gettime timer_settime timerfd_create timerfd_gettime timerfd_settime times ]],
    -- talking to each other
    allow [[ futex futex_requeue futex_wait futex_waitv futex_wake mq_getsetattr mq_notify mq_open
      mq_timedreceive mq_timedsend mq_unlink msgctl msgget msgrcv msgsnd pipe pipe2 semctl semget
      semop semtimedop shmat shmctl shmdt shmget ]],
    -- sockets
    allow [[ accept accept4 bind connect getpeername getsockname getsockopt listen recvfrom
      recvmmsg recvmsg sendmmsg sendmsg sendto setsockopt shutdown ]],
    {
      action = "allow", names = { "socket", "socketpair" },
      args = { { index = 0, op = "in", mask = INT,
        values = { AF_UNIX, AF_INET, AF_INET6, AF_NETLINK } } },
    },
    -- the machine
    allow [[ getrandom sysinfo uname ]],
    {
      action = "allow", names = { "clone" },
      args = { { index = 0, op = "==", mask = NAMESPACES, value = 0 } },
    },
    { action = "ENOSYS", names = { "clone3" } },
    {
      action = "allow", names = { "ioctl" },
      args = { { index = 1, op = "not in", mask = INT,
          values = { TIOCSTI, TIOCLINUX, TIOCSETD } } },
    },
    {
      action = "allow", names = { "personality" },
      args = { { index = 0, op = "in", mask = INT, values = PERSONALITIES } },
    },
    -- Refused by name, so that a reader finds each, with the reason. The default says the same.
    -- namespaces and mounts: a way into kernel code that only root could reach before
    { action = "EPERM", names = words [[ fsconfig fsmount fsopen fspick mount mount_setattr
      move_mount open_tree open_tree_attr pivot_root setns umount2 unshare listmount statmount ]]
      },
    -- kernel code or memory; rings and programs that run in the kernel past this filter
    { action = "EPERM", names = words [[ bpf create_module delete_module finit_module init_module
      io_uring_enter io_uring_register io_uring_setup iopl ioperm kexec_file_load kexec_load
      perf_event_open userfaultfd lookup_dcookie ]] },
    -- keys belong to users, not to containers
    { action = "EPERM", names = words [[ add_key keyctl request_key ]] },
    -- the host: its files by handle, its name, its time, its disks, its log
    { action = "EPERM", names = words [[ acct clock_settime fanotify_init lsm_set_self_attr
      nfsservctl open_by_handle_at quotactl quotactl_fd reboot setdomainname sethostname
      settimeofday swapoff swapon syslog vhangup ]] },
    -- memory of other nodes
    { action = "EPERM", names = words [[ get_mempolicy mbind migrate_pages move_pages set_mempolicy
      set_mempolicy_home_node ]] },
    -- Names that narrow ABIs have for the above. socketcall is not among them: its arguments are in
    -- memory, where no filter sees the family; libraries use the calls that it stands for.
    allow [[ _llseek _newselect arm_fadvise64_64 arm_sync_file_range cacheflush chown32
      clock_adjtime64 clock_getres_time64 clock_gettime64 clock_nanosleep_time64 fadvise64_64
      fchown32 fcntl64 fstat64 fstatat64 fstatfs64 ftruncate64 futex_time64 getegid32 geteuid32
      getgid32 getgroups32 getresgid32 getresuid32 getuid32 io_pgetevents_time64 ipc lchown32
      lstat64 mmap2 mq_timedreceive_time64 mq_timedsend_time64 ppoll_time64 pselect6_time64
      readdir recv recvmmsg_time64 rt_sigtimedwait_time64 sched_rr_get_interval_time64
      semtimedop_time64 send sendfile64 set_tls setfsgid32 setfsuid32 setgid32 setgroups32
      setregid32 setresgid32 setresuid32 setreuid32 setuid32 sigaction signal sigpending
      sigprocmask sigreturn sigsuspend stat64 statfs64 sync_file_range2 timer_gettime64
      timer_settime64 timerfd_gettime64 timerfd_settime64 truncate64 ugetrlimit
      utimensat_time64 waitpid nice ]],
    -- dead
    { action = "ENOSYS", names = words [[ _sysctl afs_syscall get_kernel_syms getpmsg putpmsg
      query_module security sysfs tuxcall uselib ustat vserver ]] },
  },
}
