--- Processes: clone, exec, wait, signals, sessions.

local core <const> = require("luactr.core").sys

--- How a process ended (`code` or `signal`), stopped or went on.
---@class luactr.exit
---@field pid integer
---@field code? integer exit status
---@field signal? integer the signal that killed it
---@field core_dumped boolean
---@field stopped? integer the signal that stopped it
---@field continued? integer
---@field user_seconds number CPU time, with that of the children that it waited for
---@field system_seconds number
---@field max_rss integer the most memory that it had, bytes

--- A child made by `clone`. `close` kills it if it lives, waits for it and frees its pidfd; it is
--- idempotent and also runs for `<close>` variables and in collection.
---@class luactr.child
---@field pid fun(self: luactr.child): integer
---@field pidfd fun(self: luactr.child): integer borrowed; readable when the child is dead
---@field signal fun(self: luactr.child, signal: string|integer): true?, string?, integer?
---@field wait fun(self: luactr.child, timeout?: number): luactr.exit?, string?, integer? seconds; nil, "timeout" after them
---@field close fun(self: luactr.child)

---@class luactr.sys
local M = {}

--- Fork into new namespaces (CLONE_NEW* as "newpid", "newns", ...; nil or {} is a plain fork) and
--- run `main(...)` in the child. An integer that it returns is the exit status; an error, or
--- `nil, message` as primitives return it, goes to stderr and makes the status 1. The child is a
--- copy of the whole interpreter: descriptors and handles are there, `os.exit` ends it without
--- closing the Lua state, and coroutines of the parent do not go on in it. EPERM without
--- CAP_SYS_ADMIN, unless "newuser" is among the flags; ENOSPC: too many namespaces. clone(2)
---@type fun(flags: luactr.flags?, main: function, ...): luactr.child?, string?, integer?
M.clone = core.clone

--- End this process with a status, after flushing output: finalizers and `<close>` variables do
--- not run, as a child that shares them with its parent needs it. _exit(2)
---@type fun(status?: integer|boolean)
M.exit = core.exit

--- Become the program at a path (no search in PATH) or descriptor. `argv[1]` is its name for
--- itself; the environment is a list of "NAME=value", and this process's if not given. Returns
--- only if it fails: ENOENT (also: its interpreter or loader is missing), EACCES, ENOEXEC.
--- execveat(2)
---@type fun(program: string|luactr.anyfd, argv: string[], env?: string[]): nil, string, integer
M.exec = core.exec

--- Wait for a child: a pid, a pidfd or child handle, or any. Options are "exited" (the default),
--- "stopped", "continued", "nowait" (leave it to be waited for), "nohang" (EAGAIN if there is
--- nothing yet). ECHILD: there is no such child. waitid(2)
---@type fun(who?: luactr.process_id|luactr.fd, options?: luactr.flags): luactr.exit?, string?, integer?
M.waitid = core.waitid

--- Send a signal ("TERM", "SIGTERM", 15; 0 only asks) to a process; -pid is a process group.
--- ESRCH. kill(2)
---@type fun(process: luactr.process_id, signal: string|integer): true?, string?, integer?
M.kill = core.kill

--- A descriptor that means this process and none that gets its number later. ESRCH. pidfd_open(2)
---@type fun(process: luactr.process_id): luactr.fd?, string?, integer?
M.pidfd_open = core.pidfd_open

--- Send a signal to the process of a pidfd. ESRCH: it is gone. pidfd_send_signal(2)
---@type fun(pidfd: luactr.anyfd|luactr.child, signal: string|integer): true?, string?, integer?
M.pidfd_send_signal = core.pidfd_send_signal

--- A copy of another process's descriptor. EBADF: it has no such; EPERM. pidfd_getfd(2)
---@type fun(pidfd: luactr.anyfd|luactr.child, number: integer): luactr.fd?, string?, integer?
M.pidfd_getfd = core.pidfd_getfd

--- The process's id, in its own pid namespace. getpid(2)
---@type fun(): integer
M.getpid = core.getpid

--- The parent's id; 0 if it lives outside of the pid namespace. getppid(2)
---@type fun(): integer
M.getppid = core.getppid

--- The thread's id. gettid(2)
---@type fun(): integer
M.gettid = core.gettid

--- The caller's process group. getpgrp(2)
---@type fun(): integer
M.getpgrp = core.getpgrp

--- The process group of a process. ESRCH. getpgid(2)
---@type fun(process?: luactr.process_id): integer?, string?, integer?
M.getpgid = core.getpgid

--- Put a process into a process group; 0 or nothing for either means the process. setpgid(2)
---@type fun(process?: luactr.process_id, group?: luactr.process_id): true?, string?, integer?
M.setpgid = core.setpgid

--- The session of a process. ESRCH. getsid(2)
---@type fun(process?: luactr.process_id): integer?, string?, integer?
M.getsid = core.getsid

--- Start a session without a terminal; returns its id. EPERM for a process group's leader.
--- setsid(2)
---@type fun(): integer?, string?, integer?
M.setsid = core.setsid

--- The signal that this process gets when its parent thread dies; 0 for none. PR_SET_PDEATHSIG of
--- prctl(2)
---@type fun(signal: string|integer): true?, string?, integer?
M.parent_death_signal = core.parent_death_signal

--- The number of that signal. prctl(2)
---@type fun(): integer?, string?, integer?
M.get_parent_death_signal = core.get_parent_death_signal

--- Whether orphans among the descendants become this process's children. PR_SET_CHILD_SUBREAPER
--- of prctl(2)
---@type fun(on: boolean): true?, string?, integer?
M.child_subreaper = core.child_subreaper

--- Whether they do. prctl(2)
---@type fun(): boolean?, string?, integer?
M.get_child_subreaper = core.get_child_subreaper

--- Name this process in ps and /proc/PID/comm; 15 bytes of it count. PR_SET_NAME of prctl(2)
---@type fun(name: string): true?, string?, integer?
M.process_name = core.process_name

--- That name. prctl(2)
---@type fun(): string?, string?, integer?
M.get_process_name = core.get_process_name

return M
