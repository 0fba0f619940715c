--- What a container's table may say: `spec.fields`, the one declaration from which validation,
--- `explain`, the annotations and docs/recipes.md come; and `spec.check`. Pure.
--
-- A row: name, type (check.lua), default (already normalized) or `default_text` where it depends on
-- other fields, oci (its place in config.json), help (one line), required, and `unsupported` for a
-- field that is known but not built yet: it is refused by name, never ignored.
local check = require "luactr.check"
local values = require "luactr.spec.values"

local M = {}

local boolean <const> = check.boolean()

M.fields = {
  { name = "name", type = values.name, default_text = "made up", oci = "id",
    help = "the container's name" },
  { name = "rootfs", type = values.rootfs, required = true, oci = "root.path",
    help = "what / is made of" },
  { name = "readonly", type = values.readonly, default = false, oci = "root.readonly",
    help = "make / read-only; \"recursive\": with what the host has mounted below it" },
  { name = "propagation", type = values.propagation, default = "private",
    oci = "linux.rootfsPropagation", help = "of the mount at /, or with r of all mounts" },
  { name = "command", type = values.command, required = true, oci = "process.args",
    help = "program and arguments" },
  { name = "entrypoint", type = values.entrypoint, default_text = "the image's",
    help = "what comes before command; without a command it is all, whatever the image says" },
  { name = "argv0", type = values.argv0, default_text = "the program's name in command",
    help = "what the program is told as its own name" },
  { name = "env", type = values.env, default = {},
    default_text = "PATH, HOME, HOSTNAME, TERM with a tty", oci = "process.env",
    help = "variables; NAME = true inherits one, false leaves a default out" },
  { name = "cwd", type = values.path, default = "/", oci = "process.cwd",
    help = "working directory" },
  { name = "user", type = values.user, default = { uid = 0, gid = 0 }, oci = "process.user",
    help = "who runs the command, by number or by name in its /etc/passwd" },
  { name = "groups", type = values.groups, default = {},
    default_text = "those of a named user in its /etc/group", oci = "process.user.additionalGids",
    help = "supplementary groups; \"keep\" is luactr's own" },
  { name = "umask", type = check.mode(), default = 18, oci = "process.user.umask",
    help = "permission bits taken from new files" },
  { name = "hostname", type = values.hostname, default_text = "the name", oci = "hostname",
    help = "host name inside; false: as outside" },
  { name = "domainname", type = values.domainname, oci = "domainname",
    help = "NIS domain name inside" },
  { name = "namespaces", type = values.namespaces, default = values.namespace_defaults,
    default_text = "all new; user when not root; time the host's",
    oci = "linux.namespaces", help = "what the container does not share with the host" },
  { name = "clock", type = values.clock, oci = "linux.timeOffsets",
    help = "how far its clocks are ahead, in a time namespace: monotonic and boottime" },
  { name = "idmap", type = values.idmap, default_text = "one user and one group",
    oci = "linux.uidMappings", help = "which users and groups exist in a user namespace" },
  { name = "nesting", type = boolean, default = true,
    help = "false: no user namespace inside, whatever the filter lets pass" },
  { name = "mounts", type = values.mounts, default = {}, oci = "mounts",
    help = "mounts, files, links and directories" },
  { name = "default_mounts", type = boolean, default = true,
    help = "false: what `mounts` says, in its order, and the devices of /dev" },
  { name = "mount_label", type = values.label, oci = "linux.mountLabel",
    help = "SELinux label of files in its new file systems" },
  { name = "masked_paths", type = values.paths, default = values.masked_paths,
    oci = "linux.maskedPaths", help = "hidden from the container" },
  { name = "readonly_paths", type = values.paths, default = values.readonly_paths,
    oci = "linux.readonlyPaths", help = "read-only in the container" },
  { name = "devices", type = values.devices, default = {}, oci = "linux.devices",
    help = "device nodes beside null, zero, full, random, urandom, tty" },
  { name = "capabilities", type = values.capabilities,
    default = values.capability_sets(values.default_capabilities), default_text = "a short list",
    oci = "process.capabilities", help = "what root in the container may do" },
  { name = "securebits", type = values.securebits, help = "how root is special: capabilities(7)" },
  { name = "no_new_privileges", type = boolean, default = true, oci = "process.noNewPrivileges",
    help = "exec never gains privilege" },
  { name = "seccomp", type = values.seccomp, default = "default", oci = "linux.seccomp",
    help = "system call filter" },
  { name = "landlock", type = values.landlock,
    help = "paths, ports and processes that the command may reach" },
  { name = "apparmor", type = values.label, oci = "process.apparmorProfile",
    help = "AppArmor profile" },
  { name = "selinux", type = values.label, oci = "process.selinuxLabel",
    help = "SELinux label" },
  { name = "rlimits", type = values.rlimits, default = {}, oci = "process.rlimits",
    help = "per-process limits of setrlimit(2)" },
  { name = "sysctl", type = values.sysctl, default = {}, oci = "linux.sysctl",
    help = "kernel parameters of its namespaces" },
  { name = "oom_score_adj", type = check.integer { min = -1000, max = 1000 },
    oci = "process.oomScoreAdj", help = "who dies first when memory is short" },
  { name = "scheduler", type = values.scheduler, oci = "process.scheduler",
    help = "scheduling policy of sched(7), with what it needs" },
  { name = "nice", type = values.nice, oci = "process.scheduler.nice",
    help = "from -20, which others yield to, to 19" },
  { name = "io_priority", type = values.io_priority, oci = "process.ioPriority",
    help = "disk priority of ioprio_set(2)" },
  { name = "cpu_affinity", type = values.cpu_affinity,
    help = "CPUs of the command, which may change them; limits.cpus it may not" },
  { name = "exec_cpu_affinity", type = values.cpu_affinity, default_text = "cpu_affinity",
    oci = "process.execCPUAffinity", help = "CPUs of the commands that enter it" },
  { name = "memory_policy", type = values.memory_policy, oci = "linux.memoryPolicy",
    help = "memory nodes of set_mempolicy(2)" },
  { name = "core_scheduling", type = boolean, default = false,
    help = "no other container runs on the same core at the same time" },
  { name = "tsc", type = boolean, default = true,
    help = "false: to read the time stamp counter is SIGSEGV, and so is the vDSO's clock" },
  { name = "personality", type = values.personality, oci = "linux.personality",
    help = "execution domain" },
  { name = "keyring", type = values.keyring,
    default_text = "new; with a filter that ships, which keeps all keys out of reach, luactr's",
    help = "session keyring: \"new\" or \"inherit\"" },
  { name = "limits", type = require "luactr.spec.limits", default = { optional = false },
    oci = "linux.resources", help = "cgroup and supervisor limits" },
  { name = "cgroup", type = values.cgroup, default_text = "luactr/NAME",
    oci = "linux.cgroupsPath",
    help = "its place in all hierarchies; a relative one is below luactr's parent" },
  { name = "resctrl", type = values.resctrl, oci = "linux.intelRdt",
    help = "share of caches and memory bandwidth, where the CPU can share them" },
  { name = "scope", type = values.scope,
    help = "a scope of systemd's that has its cgroup in it; true for one of luactr's name" },
  { name = "network", type = values.network, default = "none", help = "\"none\" is lo alone" },
  { name = "net_devices", type = values.net_devices, oci = "linux.netDevices",
    help = "devices of the host that move in: device = its name inside, or true" },
  { name = "stdin", type = values.stdin, default = { kind = "inherit" },
    help = "where input comes from" },
  { name = "stdout", type = values.stdout, default = { kind = "inherit" },
    help = "where output goes" },
  { name = "stderr", type = values.stderr, default = { kind = "inherit" },
    help = "where errors go" },
  { name = "fds", type = values.fds, default = {},
    help = "[3] = descriptor: what the command has open beside its streams" },
  { name = "log", type = values.log, default = { size = 10 << 20, files = 3 },
    default_text = "3 files of 10M", help = "where a detached container's output is kept" },
  { name = "tty", type = values.tty, default = "auto", oci = "process.terminal",
    help = "a terminal of its own; auto when on one" },
  { name = "window", type = values.window, default_text = "luactr's terminal's",
    oci = "process.consoleSize", help = "its terminal's first size: { rows =, columns = }" },
  { name = "init", type = boolean, default = true,
    help = "PID 1 is luactr's init, which reaps and forwards signals" },
  { name = "stop_signal", type = values.signal, default = 15, default_text = "TERM",
    help = "what stop() sends first" },
  { name = "stop_timeout", type = check.time(), default = 10, help = "then KILL follows" },
  { name = "restart", type = values.restart, default = "no",
    help = "start a detached container again that has ended" },
  { name = "health", type = values.health,
    help = "how to find out whether it does what it is for" },
  { name = "on", type = values.on, help = "functions to call when something happens to it" },
  { name = "hooks", type = values.hooks, oci = "hooks",
    help = "programs and functions that are run at moments of its life" },
  { name = "labels", type = values.labels, default = {}, oci = "annotations",
    help = "names for programs that list containers; `ps --label` asks for them" },
  { name = "steps", type = check["function"](),
    help = "function(p): steps of your own, after the mounts" },
}

-- What other tools call a field.
local ELSEWHERE <const> = {
  args = "command", cmd = "command", argv = "command",
  environment = "env", workdir = "cwd", working_dir = "cwd", volumes = "mounts", binds = "mounts",
  root = "rootfs", image = "rootfs", ulimits = "rlimits", caps = "capabilities",
  cap_add = "capabilities", cap_drop = "capabilities", sysctls = "sysctl", terminal = "tty",
  resources = "limits", annotations = "labels", net = "network", uid = "user", gid = "user",
}

M.elsewhere = ELSEWHERE
M.type = check.record(M.fields, { what = "table of fields", elsewhere = ELSEWHERE })

---@class luactr.where
---@field file string
---@field line? integer none of a file that is no recipe
---@field subject? string what is wrong if it is not a recipe: "config.json"
---@field path? fun(path: string): string a field's path as that file has it
---@field within? string which of the call's values it is: "[2]" of a pod

--- A checked recipe: every field of `spec.fields` that was given or has a default, normalized (see
--- luactr.spec.values for the forms).
---@class luactr.spec
---@field where? luactr.where
---@field given table<string, boolean> the fields that the recipe spoke of
---@field added table<string, boolean> those that its image did
---@field gate? boolean set by who runs it: somebody else starts its command
---@field adopted? boolean the same: its command is a child of who started luactr in the end
---@field no_cgroup? boolean the same: it stays in the cgroups of who started luactr
---@field id? string set by who runs it; part of the cgroup's path
---@field group? string of a pod's member: its name among the cgroups, as POD/MEMBER

--- The error for a list of problems.
---@param problems luactr.problem[]
---@param where? luactr.where
function M.refusal(problems, where)
  for _, problem in ipairs(where and where.path and problems or {}) do
    problem.path = where.path(problem.path)
  end
  return require("luactr.error").new {
    code = "ESPEC", message = (where and where.subject or "the recipe") .. " is wrong",
    subject = where and where.subject, problems = problems, where = where,
  }
end

--- The table with what an image adds to it, and with its entrypoint before its command; or what is
--- wrong with the image that was to know the command.
local function with_image(raw)
  local rootfs = check.is_plain(raw) and rawget(raw, "rootfs")
  local is_image = check.class(rootfs) == "luactr.rootfs" and rawget(rootfs, "config")
  if is_image and rootfs.problem and rawget(raw, "command") == nil then
    return nil, rootfs.problem
  elseif is_image or rootfs and rawget(raw, "entrypoint") ~= nil then
    return require("luactr.spec.image").apply(raw, is_image and rootfs or {})
  end
  return raw
end

--- All problems of a container's table, or its normalized form: defaults filled in, sizes in
--- bytes, times in seconds. The result is read-only: defaults are shared between specs.
---@param raw any
---@param where? luactr.where the line of the ctr.container call
---@return luactr.spec?
---@return table? error code "ESPEC", with `problems`
function M.check(raw, where)
  local problems, given = check.problems(), raw
  local completed, err = with_image(raw)
  if err then
    err.where = err.where or where
    return nil, err
  end
  raw = completed
  local result = problems:check(M.type, raw, "")
  if result then
    require("luactr.spec.rules").apply(result, raw, problems)
  end
  if #problems > 0 then
    return nil, M.refusal(table.move(problems, 1, #problems, 1, {}), where)
  end
  result.where, result.given, result.added = where, {}, {}
  for name in next, given do
    result.given[name] = true
  end
  for name in next, raw do
    result.added[name] = not result.given[name] or nil
  end
  return result
end

--- One mount, as `mounts` takes it, for a container that runs.
---@param raw any
---@param where? luactr.where
---@return table? mount normalized
---@return table? error
function M.check_mount(raw, where)
  local problems = check.problems()
  local mounts = problems:check(values.mounts, { raw }, "mounts")
  if mounts then
    require("luactr.spec.mount_rules").apply(mounts, problems)
  end
  for _, problem in ipairs(problems) do
    problem.path = problem.path:gsub("^mounts%[1%]", "mount")
  end
  if #problems > 0 then
    return nil, M.refusal(table.move(problems, 1, #problems, 1, {}), where)
  end
  return mounts[1]
end

local by_name = {} -- rows, by the list that they are in

local function row_in(fields, name)
  local rows = by_name[fields]
  if not rows then
    rows = {}
    for _, row in ipairs(fields) do
      rows[row.name] = row
    end
    by_name[fields] = rows
  end
  return rows[name]
end

--- The row of a field by its path, "limits.memory" or "hostname".
---@param path string
---@return table? row
function M.field(path)
  local fields, row = M.fields, nil
  for name in path:gmatch("[^.]+") do
    row = fields and row_in(fields, name)
    fields = row and row.type.fields
  end
  return row or nil
end

return M
