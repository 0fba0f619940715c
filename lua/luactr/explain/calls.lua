--- Steps as the system calls that carry them out: one row for each step kind of plan.h. Pure.
local M = {}

local function sys()
  return require("luactr.core").sys
end

-- ---- arguments as C would write them

--- A string in quotes, shortened when it is content and not a name.
local function quote(text, longest)
  if text == nil then
    return "NULL"
  end
  local cut = longest and #text > longest
  local shown = (cut and text:sub(1, longest) or text):gsub('[%c"\\\127-\255]', function(c)
    return c == "\n" and "\\n" or c == '"' and '\\"' or c == "\\" and "\\\\"
      or string.format("\\x%02x", c:byte())
  end)
  return '"' .. shown .. '"' .. (cut and "..." or "")
end

local function list(texts)
  local quoted = {}
  for i, text in ipairs(texts) do
    quoted[i] = quote(text)
  end
  return "{" .. table.concat(quoted, ", ") .. "}"
end

local function octal(mode)
  return mode == 0 and "0" or string.format("0%o", mode)
end

-- Names in the order of their bits; what has no name is printed as a number.
local FAMILIES <const> = {
  CLONE_ = { "NEWNS", "NEWCGROUP", "NEWUTS", "NEWIPC", "NEWUSER", "NEWPID", "NEWNET", "NEWTIME" },
  MS_ = {
    "RDONLY", "NOSUID", "NODEV", "NOEXEC", "SYNCHRONOUS", "REMOUNT", "MANDLOCK", "DIRSYNC",
    "NOSYMFOLLOW", "NOATIME", "NODIRATIME", "BIND", "MOVE", "REC", "SILENT", "UNBINDABLE",
    "PRIVATE", "SLAVE", "SHARED", "RELATIME", "STRICTATIME", "LAZYTIME",
  },
  LANDLOCK_ACCESS_FS_ = {
    "EXECUTE", "WRITE_FILE", "READ_FILE", "READ_DIR", "REMOVE_DIR", "REMOVE_FILE", "MAKE_CHAR",
    "MAKE_DIR", "MAKE_REG", "MAKE_SOCK", "MAKE_FIFO", "MAKE_BLOCK", "MAKE_SYM", "REFER",
    "TRUNCATE", "IOCTL_DEV",
  },
  LANDLOCK_ACCESS_NET_ = { "BIND_TCP", "CONNECT_TCP" },
  LANDLOCK_SCOPE_ = { "ABSTRACT_UNIX_SOCKET", "SIGNAL" },
  SECCOMP_FILTER_FLAG_ = {
    "TSYNC", "LOG", "SPEC_ALLOW", "NEW_LISTENER", "TSYNC_ESRCH", "WAIT_KILLABLE_RECV",
  },
  MOUNT_ATTR_ = {
    "RDONLY", "NOSUID", "NODEV", "NOEXEC", "NOATIME", "STRICTATIME", "NODIRATIME", "NOSYMFOLLOW",
  },
}

--- Bits as names joined by "|".
---@param family string "MS_"
---@param bits integer
---@return string
function M.flags(family, bits)
  local names, left, constants = {}, bits or 0, sys()
  for _, name in ipairs(FAMILIES[family]) do
    local bit = constants[family .. name]
    if bit and bit ~= 0 and left & bit == bit then
      names[#names + 1] = family .. name
      left = left & ~bit
    end
  end
  if left ~= 0 or #names == 0 then
    names[#names + 1] = left == 0 and "0" or string.format("0x%x", left)
  end
  return table.concat(names, "|")
end

local function capabilities(mask)
  local names = sys().cap_names(mask & ((1 << 41) - 1))
  if #names == 0 then
    return "0"
  elseif #names == 41 then
    return "all"
  end
  return (table.concat(names, "|"):upper())
end

local function limit(value)
  return value == -1 and "RLIM_INFINITY" or tostring(value)
end

local function name_of(map, number, prefix)
  for name, value in pairs(map) do
    if value == number then
      return prefix .. name
    end
  end
  return tostring(number)
end

local function flag(value)
  return value and value ~= 0
end

local function attributes(s)
  local text = M.flags("MOUNT_ATTR_", s.set)
  return flag(s.clear) and text .. ", clear " .. M.flags("MOUNT_ATTR_", s.clear) or text
end

-- ---- the calls

local calls = {}

function calls.rendezvous(s)
  local numbers = require("luactr.core").plan.rendezvous
  return "wait for the parent: " .. name_of(numbers, s.number, "")
end

function calls.cgroup_attach(s)
  return string.format("write(%s, \"0\")", s.procs)
end

function calls.unshare(s) return "unshare(" .. M.flags("CLONE_", s.flags) .. ")" end

function calls.setns(s) return string.format("setns(%s, %s)", s.ns, M.flags("CLONE_", s.flags)) end

function calls.parent_death_signal(s)
  return "prctl(PR_SET_PDEATHSIG, " .. name_of(sys().signals, s.signal, "SIG") .. ")"
end

function calls.oom_score_adj(s)
  return string.format("write(\"/proc/self/oom_score_adj\", \"%d\")", s.value)
end

function calls.sethostname(s)
  return string.format("sethostname(%s, %d)", quote(s.name), #s.name)
end

function calls.setdomainname(s)
  return string.format("setdomainname(%s, %d)", quote(s.name), #s.name)
end

function calls.loopback_up() return "ioctl(socket, SIOCSIFFLAGS, {\"lo\", IFF_UP})" end

function calls.sysctl(s)
  return string.format("write(\"/proc/sys/%s\", %s)", (s.key:gsub("%.", "/")), quote(s.value))
end

function calls.propagation(s)
  return string.format("mount(NULL, \"/\", NULL, %s, NULL)", M.flags("MS_", s.flags))
end

function calls.root_bind(s)
  if s.detached then
    return string.format("root = move_mount(%s, \"/\")", s.detached)
  end
  return string.format("root = open_tree(%s, OPEN_TREE_CLONE%s), move_mount(root, %s)",
    quote(s.source), flag(s.recursive) and "|AT_RECURSIVE" or "", quote(s.source))
end

function calls.root_tmpfs(s)
  return string.format("root = mount(\"tmpfs\", %s, \"tmpfs\", 0, %s)", quote(s.stage),
    quote(s.data))
end

local function owner(s)
  return flag(s.owner) and string.format(", fchown(%d, %d)", s.uid or 0, s.gid or 0) or ""
end

function calls.mkdir(s)
  return string.format("mkdir(%s, %s)%s", quote(s.path), octal(s.mode), owner(s))
    .. (flag(s.exact) and string.format(", fchmod(%s)", octal(s.mode)) or "")
end

function calls.file(s)
  return string.format("write(open(%s, O_CREAT|O_WRONLY, %s), %s)%s", quote(s.path), octal(s.mode),
    quote(s.content, 40), owner(s))
end

function calls.write(s)
  return string.format("write(%s, %s)", quote(s.path), quote(s.content, 40))
end

function calls.symlink(s) return string.format("symlink(%s, %s)", quote(s.link), quote(s.path)) end

function calls.mknod(s)
  local major, minor = sys().splitdev(s.device)
  return string.format("mknod(%s, %s, makedev(%d, %d))%s", quote(s.path), octal(s.mode), major,
    minor, owner(s))
end

function calls.mount(s)
  return string.format("mount(%s, %s, %s, %s, %s)", quote(s.source), quote(s.target), quote(s.type),
    M.flags("MS_", s.flags), quote(s.data))
end

function calls.fsmount(s)
  return string.format("tree = fsmount(fsopen(%s), %s, %s), move_mount(tree, %s)", quote(s.type),
    quote(table.concat(s.options, ",")), M.flags("MOUNT_ATTR_", s.attributes), quote(s.target))
end

function calls.fuse(s)
  return string.format("tree = fsmount(fsopen(\"fuse\"), fd=open(\"/dev/fuse\"), %s), "
    .. "move_mount(tree, %s)", M.flags("MOUNT_ATTR_", s.attributes), quote(s.target))
end

function calls.tmpcopyup(s)
  local attribute_text = M.flags("MOUNT_ATTR_", s.attributes)
  return string.format("tree = fsmount(fsopen(\"tmpfs\"), %s, %s), copy %s into it, "
    .. "move_mount(tree, %s)", quote(table.concat(s.options, ",")), attribute_text, quote(s.target),
    quote(s.target))
end

local function opened_tree(source, recursive, policy)
  local nofollow = (policy or 0) & require("luactr.core").plan.bind_policy.source_nofollow ~= 0
  return string.format("open_tree(%s, OPEN_TREE_CLONE%s%s)", source,
    recursive and "|AT_RECURSIVE" or "", nofollow and "|AT_SYMLINK_NOFOLLOW" or "")
end

-- A detached copy of a mount gets its attributes before anybody can see it.
local function attach_copy(tree, target, changes)
  return string.format("tree = %s, %smove_mount(tree, %s)", tree, changes or "", target)
end

function calls.open_tree(s)
  local source = s.fd and "readlink(" .. s.fd .. ")" or quote(s.source)
  return string.format("tree%d = %s", s.number, opened_tree(source, flag(s.recursive), s.policy))
end

function calls.bind(s)
  local changes = ""
  if flag(s.set) or flag(s.clear_all) then
    changes = string.format("mount_setattr(tree%s, %s), ", flag(s.recursive) and ", AT_RECURSIVE"
      or "", attributes { set = s.set, clear = s.clear_all })
  end
  if flag(s.clear) then
    changes = changes .. "mount_setattr(tree, " .. attributes { set = 0, clear = s.clear } .. "), "
  end
  local tree = s.detached or flag(s.tree) and "tree" .. s.tree
    or opened_tree(quote(s.source), flag(s.recursive), s.policy)
  return attach_copy(tree, quote(s.target), changes)
end

function calls.bind_node(s)
  return attach_copy(opened_tree(quote(s.source), false), quote(s.path),
    "mount_setattr(tree, MOUNT_ATTR_NOSUID|MOUNT_ATTR_NOEXEC), ")
end

function calls.mount_setattr(s)
  return string.format("mount_setattr(%s%s, %s%s)", quote(s.target),
    flag(s.recursive) and ", AT_RECURSIVE" or "", attributes(s),
    flag(s.propagation) and ", " .. M.flags("MS_", s.propagation) or "")
end

function calls.mask(s)
  return attach_copy(opened_tree("\"/dev/null\""), quote(s.path))
    .. "; over a directory an empty tmpfs"
end

function calls.readonly(s)
  return attach_copy(opened_tree(quote(s.path), true), quote(s.path),
    "mount_setattr(tree, AT_RECURSIVE, MOUNT_ATTR_RDONLY), ")
end

function calls.unmount(s)
  return string.format("umount2(%s, %s)", quote(s.target), s.flags == 0 and "UMOUNT_NOFOLLOW"
    or "UMOUNT_NOFOLLOW|MNT_DETACH")
end

function calls.console(s)
  return string.format("open(\"/dev/ptmx\"), ioctl(TIOCSWINSZ, {%d, %d})", s.rows, s.columns)
end

function calls.pivot_root() return "pivot_root(\".\", \".\"), umount2(\".\", MNT_DETACH)" end

function calls.chroot() return "mount(\".\", \"/\", NULL, MS_MOVE, NULL), chroot(\".\")" end

function calls.fork() return "setsid(), fork(): the child goes on in the pid namespace" end
function calls.init(s)
  local how = s.cgroup and "clone3(CLONE_VFORK|CLONE_INTO_CGROUP)" or "vfork()"
  return "setsid(), " .. how .. ": the child goes on, PID 1 waits and reaps"
end

function calls.leave(s)
  return "clone3(CLONE_PARENT|CLONE_VFORK" .. (s.cgroup and "|CLONE_INTO_CGROUP" or "")
    .. "): luactr's child goes on"
end

function calls.setsid() return "setsid()" end

function calls.controlling_tty() return "ioctl(0, TIOCSCTTY)" end

function calls.guard_terminal()
  return "seccomp(SECCOMP_SET_MODE_FILTER, 0, {TIOCSTI, TIOCLINUX, TIOCSETD: EPERM}), if a stream "
    .. "is a terminal"
end

function calls.gate(s)
  return string.format("faccessat(%q, X_OK), accept(\"start\"), read()", s.file)
end

function calls.dup(s) return string.format("dup2(%s, %d)", s.fd, s.number) end

function calls.setrlimit(s)
  return string.format("setrlimit(%s, {%s, %s})", name_of(sys().rlimits, s.resource, "RLIMIT_"),
    limit(s.soft), limit(s.hard))
end

function calls.umask(s) return "umask(" .. octal(s.mask) .. ")" end

function calls.personality(s) return string.format("personality(0x%x)", s.persona) end

function calls.setgroups(s)
  local groups = type(s.groups) == "table" and s.groups or {}
  return string.format("setgroups(%d, {%s})", #groups, table.concat(groups, ", "))
end

function calls.setresgid(s) return string.format("setresgid(%d, %d, %d)", s.gid, s.gid, s.gid) end

function calls.setresuid(s) return string.format("setresuid(%d, %d, %d)", s.uid, s.uid, s.uid) end

function calls.capbset_drop(s)
  return string.format("prctl(PR_CAPBSET_DROP, all but %s)", capabilities(s.keep))
end

function calls.capset(s)
  if s.effective == s.permitted and s.inheritable == 0 then
    return string.format("capset(effective = permitted = %s)", capabilities(s.effective))
  end
  return string.format("capset(effective = %s, permitted = %s, inheritable = %s)",
    capabilities(s.effective), capabilities(s.permitted), capabilities(s.inheritable))
end

function calls.cap_ambient(s)
  return "prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, " .. capabilities(s.set) .. ")"
end

function calls.securebits(s) return string.format("prctl(PR_SET_SECUREBITS, 0x%x)", s.bits) end

function calls.no_new_privs() return "prctl(PR_SET_NO_NEW_PRIVS, 1)" end

-- The kernel's names without their family, which the call names already.
local function rights(family, mask)
  return (M.flags(family, mask):gsub(family, ""))
end

function calls.landlock_create_ruleset(s)
  local parts = {}
  for _, row in ipairs { { "fs", s.files, "LANDLOCK_ACCESS_FS_" },
    { "net", s.net, "LANDLOCK_ACCESS_NET_" }, { "scope", s.scope, "LANDLOCK_SCOPE_" } } do
    parts[#parts + 1] = flag(row[2]) and row[1] .. " = " .. rights(row[3], row[2]) or nil
  end
  return "ruleset = landlock_create_ruleset({" .. table.concat(parts, ", ") .. "})"
end

function calls.landlock_path(s)
  return string.format("landlock_add_rule(ruleset, %s, %s)", quote(s.path),
    rights("LANDLOCK_ACCESS_FS_", s.access))
end

function calls.landlock_port(s)
  return string.format("landlock_add_rule(ruleset, port %d, %s)", s.port,
    rights("LANDLOCK_ACCESS_NET_", s.access))
end

function calls.landlock_restrict_self() return "landlock_restrict_self(ruleset)" end

function calls.chdir(s) return "chdir(" .. quote(s.path) .. ")" end

function calls.seccomp(s) -- struct sock_filter has 8 bytes
  return string.format("seccomp(SECCOMP_SET_MODE_FILTER, %s, {%d instructions})",
    M.flags("SECCOMP_FILTER_FLAG_", s.flags), #s.filter // 8)
end

function calls.exec(s)
  local call = s.file:find("/", 1, true) and "execve" or "execvpe"
  return string.format("%s(%s, %s, %s)", call, quote(s.file), list(s.argv), list(s.env))
end

-- Attributes that few recipes set have a file of their own.
for op, call in pairs(require "luactr.explain.attributes") do
  calls[op] = call
end

--- A step as a system call. A kind without a row, which only a newer core can bring, is named.
---@param step table
---@return string
function M.call(step)
  local call = calls[step.op]
  return call and call(step) or step.op .. "(...)"
end

M.calls = calls

return M
