--- Steps in words, for errors: "mount overlay on / (lowerdir=...)". Pure.
local calls = require "luactr.explain.calls"

local M = {}

-- "{x}" is the step's argument x. A kind without a row is told as a system call.
local TEMPLATES <const> = {
  rendezvous = "wait for luactr outside",
  cgroup_attach = "enter {procs}",
  parent_death_signal = "ask to die with luactr",
  oom_score_adj = "set oom_score_adj to {value}",
  sethostname = "set the host name to {name}",
  setdomainname = "set the domain name to {name}",
  loopback_up = "bring up the interface lo",
  sysctl = "set sysctl {key} to {value}",
  propagation = "make all mounts private",
  root_bind = "take {source} as the root",
  root_tmpfs = "mount a tmpfs as the root",
  open_tree = "open {source} for a later bind",
  mkdir = "make the directory {path}",
  file = "make the file {path}",
  write = "write to {path}",
  symlink = "make the link {path} to {link}",
  mknod = "make the device {path}",
  bind_node = "bind the host's device {source} on {path}",
  fsmount = "mount {type} on {target}",
  fuse = "mount a file system of fuse-overlayfs on {target}",
  tmpcopyup = "cover {target} with a tmpfs and copy what is there",
  bind = "bind {source} on {target}",
  mount_setattr = "change the mount at {target}",
  mask = "mask {path}",
  readonly = "make {path} read-only",
  unmount = "unmount {target}",
  console = "open a terminal",
  pivot_root = "enter the root by pivot_root",
  chroot = "enter the root by chroot",
  init = "start the payload's process below PID 1",
  leave = "leave the process to luactr's caller",
  setsid = "start a session",
  gate = "find {file}, then wait until it is started",
  guard_terminal = "keep the command from typing into luactr's terminal, if it has that",
  controlling_tty = "take the terminal as controlling terminal",
  dup = "connect {fd}",
  sched_setaffinity = "choose CPUs",
  setns = "join the {ns}",
  fork = "go on in the pid namespace",
  time_namespace = "make a time namespace",
  set_mempolicy = "choose memory nodes",
  setpriority = "set nice to {nice}",
  sched_setattr = "set the scheduling policy",
  ioprio_set = "set the disk priority",
  core_scheduling = "take a core scheduling cookie",
  tsc = "forbid to read the time stamp counter",
  personality = "set the personality",
  session_keyring = "start a session keyring",
  exec_label = "ask {lsm} for {label}",
  securebits = "set securebits",
  setresgid = "become group {gid}",
  setresuid = "become user {uid}",
  capbset_drop = "drop capabilities from the bounding set",
  capset = "set capabilities",
  cap_ambient = "set ambient capabilities",
  no_new_privs = "set no_new_privs",
  landlock_create_ruleset = "begin the Landlock rules",
  landlock_path = "allow {path} by Landlock",
  landlock_port = "allow port {port} by Landlock",
  landlock_restrict_self = "enter the Landlock rules",
  chdir = "change to the directory {path}",
  seccomp = "install the seccomp filter",
  exec = "exec {file}",
}

local function mount(step)
  local words = string.format("mount %s on %s", step.type, step.target)
  return step.data and step.data ~= "" and words .. " (" .. step.data .. ")" or words
end

--- One step as a phrase that follows "step 9 of 31: ".
---@param step table
---@return string
function M.sentence(step)
  if step.op == "mount" then
    return mount(step)
  end
  local template = TEMPLATES[step.op]
  if not template then
    return calls.call(step)
  end
  return (template:gsub("{(%w+)}", function(name) return tostring(step[name]) end))
end

return M
