--- The types of a container's fields, and how each value is normalized. Pure.
local check = require "luactr.check"

local M = {}

local MAX_ID <const> = 0xfffffffe -- (uid_t)-1 means "leave it"
local MAX_ARGUMENT <const> = 131071 -- execve(2): MAX_ARG_STRLEN without the NUL

-- ---- plain ones

-- A path with a line break is somebody's mistake, or meant for whoever reads lists of paths.
M.path = check.string { what = "absolute path", pattern = "^/", max = 4095, line = true }

M.host_path = check.string { what = "path", max = 4095, line = true }

M.name = check.string {
  what = "name of letters, digits, dot, dash and underscore",
  pattern = "^%w[%w_.-]*$", max = 64,
}

local hostname <const> = check.string {
  what = "host name", max = 64, too_long = "hostname too long: at most %d bytes",
  pattern = "^[^%c%s]+$",
}

M.hostname = check.custom("host name", function(value, path, problems)
  return value ~= false and problems:check(hostname, value, path)
end)

M.domainname = check.string {
  what = "domain name", max = 64, too_long = "domain name too long: at most %d bytes",
  pattern = "^[^%c%s]+$",
}

M.command = check.list(check.string { empty = true, max = MAX_ARGUMENT }, {
  what = "list of strings", min = 1,
  hint = "{ \"program\", \"argument\" } (there is no shell in between)",
  convert = function(words)
    if words[1] == "" then
      return nil, "the program's name is empty"
    end
    return words
  end,
})

M.entrypoint = check.list(check.string { empty = true, max = MAX_ARGUMENT }, {
  what = "list of strings", hint = "{ \"program\", \"argument\" }; {} for none",
})

M.argv0 = check.string { empty = true, max = MAX_ARGUMENT }

local id = check.integer { what = "number", min = 0, max = MAX_ID }

M.labels = check.map(check.string(), check.string { empty = true })

M.rootfs = check.union({
  check.opaque("luactr.rootfs", "root file system"),
  check.string {
    what = "path of a directory",
    max = 4095, line = true,
    convert = function(path) return require("luactr.rootfs").dir(path) end,
  },
}, { what = "root file system, as ctr.rootfs.dir(path), or a directory's path" })

M.readonly = check.union({ check.boolean(), check.enum { "recursive" } },
  { what = "boolean or \"recursive\"" })

M.propagation = check.enum {
  "private", "rprivate", "slave", "rslave", "shared", "rshared", "unbindable", "runbindable",
}

-- ---- user and groups: see user.lua

local USER <const> = "luactr.spec.user"

M.user = check.lazy("user number, \"name\", \"user:group\" or { uid =, gid = }", USER, "user")
M.groups = check.lazy("list of group names and numbers, or \"keep\"", USER, "groups")

M.net_devices =
  check.lazy("table of device = name in the container", "luactr.spec.network", "devices")
M.resctrl = check.lazy("table of group, l3, bandwidth, schemata, monitoring",
  "luactr.spec.resctrl", "resctrl")
M.cgroup = check.lazy("path of a cgroup", "luactr.spec.cgroup", "place")
M.scope = check.lazy("true, or table of slice, name, properties, user", "luactr.spec.scope",
  "check")
M.health = check.lazy("table of command or check, interval, timeout ...", "luactr.spec.health",
  "health")
M.hooks = check.lazy("table of create_runtime, start_container, poststop ...", "luactr.spec.hooks",
  "hooks")
M.on = check.lazy("table of start, exit, oom, pressure = function", "luactr.spec.on", "on")
M.log = check.lazy("{ size =, files = }", "luactr.spec.log", "log")
M.restart = check.lazy("\"no\", \"on-failure\", \"on-failure:N\" or \"always\"",
  "luactr.spec.restart", "restart")
M.idmap = check.lazy("\"auto\", \"single\", \"range\" or { uid = ranges, gid = ranges }",
  "luactr.spec.idmap", "idmap")

-- ---- env: { PATH = "/bin", LANG = true }, { "PATH=/bin", "LANG" } -> name to text, true or false

local function env_entry(key, value)
  if math.type(key) == "integer" then
    if type(value) ~= "string" then
      return nil, "\"NAME=value\" or \"NAME\" expected, got " .. check.show(value)
    end
    local name, text = value:match("^([^=]*)=(.*)$")
    return name or value, text or true
  elseif type(value) == "number" then
    return key, tostring(value)
  elseif type(value) ~= "string" and type(value) ~= "boolean" then
    return nil, "string, true (inherit) or false (leave out) expected, got " .. check.show(value)
  end
  return key, value
end

local function check_env(value, path, problems)
  if not check.is_plain(value) then
    return problems:add(path, "table expected, got %s", check.show(value))
  end
  local result = {}
  for _, key in ipairs(check.sorted_keys(value, path, problems) or {}) do
    local at = check.join(path, key)
    local name, text = env_entry(key, rawget(value, key))
    if not name then
      problems:add(at, "%s", text)
    elseif type(name) ~= "string" or name == "" or name:find("[=%c]") then
      problems:add(at, "not a variable's name: %s", check.show(name))
    elseif type(text) == "string" and text:find("\0", 1, true) then
      problems:add(at, "contains a NUL byte")
    elseif type(text) == "string" and #name + 1 + #text > MAX_ARGUMENT then
      problems:add(at, "longer than %d bytes with its name", MAX_ARGUMENT)
    else
      result[name] = text
    end
  end
  return result
end

M.env = check.custom("table of NAME = value, or list of \"NAME=value\"", check_env)

-- ---- namespaces: see namespaces.lua

M.namespace_defaults = {
  mount = "new", pid = "new", uts = "new", ipc = "new", network = "new", cgroup = "new",
  user = "auto", time = "host",
}

local NAMESPACES <const> = "luactr.spec.namespaces"

M.namespaces = check.lazy("table of kind = \"new\", \"host\", \"try\" or one to join; list of the "
  .. "new ones; \"all\"", NAMESPACES, "namespaces")
M.clock = check.lazy("{ monotonic =, boottime = }", NAMESPACES, "clock")

M.network = check.custom("\"none\" or \"host\"", function(value, path, problems)
  if value ~= "none" and value ~= "host" then
    return problems:add(path, "not supported yet: only \"none\" and \"host\"")
  end
  return value
end)

-- ---- mounts and devices

local mount_source = check.union({
  M.host_path,
  check.integer { what = "file descriptor", min = 0, max = 0x7fffffff },
  check.opaque("luactr.fd", "fd"), check.opaque("FILE*", "open file"),
}, { what = "path, fd or open file" })

M.mounts = check.list(check.record {
  { name = "type", type = check.string { pattern = "^[%w_.-]+$", max = 64 }, default = "bind",
    help = "a file system, or bind, file, symlink, dir" },
  { name = "source", type = mount_source, help = "what is mounted; a symlink's text" },
  { name = "target", type = M.path, required = true, help = "where, inside the root" },
  { name = "options", type = check.list(check.string { max = 4096 }), default = {},
    help = "names of mount(8) and OCI" },
  { name = "content", type = check.string { binary = true, empty = true }, help = "of a file" },
  { name = "mode", type = check.mode(), help = "of a file or dir" },
  { name = "uid", type = id, help = "owner of a file or dir, as the container counts users" },
  { name = "gid", type = id, help = "its group" },
  { name = "idmap", type = check.lazy("true or { uid = ranges, gid = ranges }",
    "luactr.spec.idmap", "of_mount"), help = "of a bind: the files have the container's users" },
  { name = "quota", type = check.lazy("size, { size =, inodes = } or \"none\"",
    "luactr.spec.quota", "of_mount"), help = "what a bound directory may hold" },
  { name = "exact", type = check.boolean(), default = false,
    help = "only what the options say: no nosuid or nodev of itself, no ro in the whole tree" },
  { name = "create", type = check.enum { "dir", "file", "never" },
    default_text = "as the source is", help = "what is made at the target" },
  { name = "optional", type = check.boolean(), default = false,
    help = "without the source nothing is mounted, and the result warns" },
}, { max = 4096 })

M.paths = check.list(M.path, { max = 4096 })

-- What /proc and /sys tell or do that a container has no business with; the lists that podman uses.
M.masked_paths = {
  "/proc/acpi", "/proc/asound", "/proc/interrupts", "/proc/kcore", "/proc/keys",
  "/proc/latency_stats", "/proc/sched_debug", "/proc/scsi", "/proc/timer_list",
  "/proc/timer_stats",
  "/sys/devices/virtual/powercap", "/sys/firmware",
}

M.readonly_paths = { "/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger" }

local number = check.integer { min = 0, max = 0xfffff }

M.devices = check.list(check.union({
  check.string {
    pattern = "^/dev/", max = 4095, line = true,
    convert = function(path) return { path = path } end,
  },
  check.record {
    { name = "path", type = M.path, required = true },
    { name = "type", type = check.enum { "c", "b", "p" }, required = true },
    { name = "major", type = number, default = 0 },
    { name = "minor", type = number, default = 0 },
    { name = "mode", type = check.mode(), default = 438 }, -- 0666
    { name = "uid", type = id, default = 0 },
    { name = "gid", type = id, default = 0 },
  },
}, { what = "\"/dev/...\" of the host or { path =, type =, major =, minor = }" }), { max = 4096 })

-- ---- attributes of the process that few recipes change: see process.lua

M.default_capabilities = {
  "CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_FOWNER", "CAP_FSETID", "CAP_KILL", "CAP_NET_BIND_SERVICE",
  "CAP_SETFCAP", "CAP_SETGID", "CAP_SETPCAP", "CAP_SETUID", "CAP_SYS_CHROOT",
}

--- The usual sets for one list: what root in the container holds and can regain, nothing ambient.
-- Five lists of names; "all" in place of a list until plan.compile knows the host's last one.
function M.capability_sets(list)
  return { bounding = list, effective = list, permitted = list, inheritable = {}, ambient = {} }
end

local PROCESS <const> = "luactr.spec.process"

M.capabilities = check.lazy("list of names, { add =, drop = }, \"none\" or \"all\"",
  PROCESS, "capabilities")
M.rlimits = check.lazy("table of name = value or { soft =, hard = }", PROCESS, "rlimits")
M.sysctl = check.lazy("table of name = value", PROCESS, "sysctl")
M.personality = check.lazy("linux, linux32, no_aslr, read_implies_exec, uname26, or a list of them",
  PROCESS, "personality")
M.securebits = check.lazy("list of names of capabilities(7)", PROCESS, "securebits")
M.label = check.string { what = "label", max = 4000, pattern = "^%g[^%c]*$" } -- a line of procfs
M.keyring = check.enum { "new", "inherit" }
M.nice = check.integer { min = -20, max = 19 }

local SCHEDULING <const> = "luactr.spec.scheduling"

M.scheduler = check.lazy("policy, or { policy =, nice =, priority = ... }", SCHEDULING, "scheduler")
M.io_priority = check.lazy("class, or { class =, priority = }", SCHEDULING, "io_priority")
M.cpu_affinity = check.lazy("list as \"0-3,5\", or { initial =, final = }", SCHEDULING,
  "cpu_affinity")
M.memory_policy = check.lazy("mode, or { mode =, nodes =, flags = }", SCHEDULING, "memory_policy")
M.landlock = check.lazy("table of read, write, execute, ioctl, tcp and scope",
  "luactr.spec.landlock", "check")
M.signal = check.lazy("signal's name or number", PROCESS, "signal")

local PROFILES <const> = { default = true, strict = true, unconfined = true }

-- A profile as a table needs the names of all system calls; a word does not.
M.seccomp = check.custom("\"default\", \"strict\", \"unconfined\" or a profile",
  function(value, path, problems)
    if type(value) == "string" and PROFILES[value] then
      return value
    end
    return require("luactr.spec.seccomp").check(value, path, problems)
  end)

-- ---- tty; stdin, stdout, stderr -> { kind = } with file and append, fd or text; kinds: inherit,
-- null, capture, file, fd, text (stdin), stdout (stderr: the same as stdout)

M.tty = check.union({ check.boolean(), check.enum { "auto" } }, { what = "boolean or \"auto\"" })

local lines <const> = check.integer { min = 1, max = 0xffff }

M.window = check.record {
  { name = "rows", type = lines, required = true },
  { name = "columns", type = lines, required = true },
}

local fd = check.union({
  check.integer { what = "file descriptor", min = 0, max = 0x7fffffff },
  check.opaque("luactr.fd", "fd"),
}, { convert = function(value) return { kind = "fd", fd = value } end })

-- fds: { [3] = fd } -> number to fd; the highest number is what the init takes (PLAN_MAX_FD)
M.fds = check.map(check.integer { what = "number from 3 to 1023", min = 3, max = 1023 }, fd,
  { what = "table of [number] = file descriptor" })

local function to_file(value)
  return { kind = "file", file = value.file, append = value.append }
end

local function words(list)
  return check.enum(list, { convert = function(word) return { kind = word } end })
end

local pipe = check.opaque("luactr.pipe", "pipe")
pipe.convert = function(value) return { kind = "pipe", pipe = value } end

local output_file = check.record({
  { name = "file", type = M.host_path, required = true },
  { name = "append", type = check.boolean(), default = false },
}, { convert = to_file })

M.stdin = check.union({
  words { "inherit", "null" },
  fd, pipe,
  check.record({ { name = "file", type = M.host_path, required = true } }, { convert = to_file }),
  check.string {
    binary = true, empty = true, max = 1 << 30,
    convert = function(text) return { kind = "text", text = text } end,
  },
}, { what = "\"inherit\", \"null\", { file = path }, an fd, a pipe or the text to feed" })

M.stdout = check.union({ words { "inherit", "null", "capture" }, fd, pipe, output_file },
  { what = "\"inherit\", \"null\", \"capture\", { file = path, append = bool }, a pipe or an fd" })

M.stderr = check.union({ words { "inherit", "null", "capture", "stdout" }, fd, pipe, output_file },
  { what = "as stdout, or \"stdout\" to join it" })

return M
