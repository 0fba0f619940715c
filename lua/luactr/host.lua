--- Facts about the host that a plan depends on. The only effectful input of plan.compile: each is
--- read when first asked for, once.
local M = {}

local function sys()
  return require("luactr.core").sys
end

local function read_line(path)
  local file <close> = io.open(path)
  return file and file:read("l")
end

local function runtime_dir(facts)
  if facts.uid == 0 then
    return "/run/luactr"
  end
  -- In /tmp it is the directory itself whose owner luactr.state checks: what is in somebody else's
  -- can be moved away and replaced.
  local base = os.getenv("XDG_RUNTIME_DIR") or "" -- empty is as good as unset
  return base ~= "" and base .. "/luactr" or "/tmp/luactr-" .. facts.uid
end

-- Whether mounts below a path appear in other namespaces, too; nil if nobody knows.
local function is_shared(path)
  local file <close> = sys().open(path, sys().O_PATH)
  local info <close> = file and io.open("/proc/self/fdinfo/" .. file:fileno())
  local id = info and info:read("a"):match("mnt_id:%s*(%d+)")
  local mounts <close> = id and io.open("/proc/self/mountinfo")
  for line in mounts and mounts:lines() or function() end do
    if line:match("^%d+") == id then
      return line:match("^(.-) %- "):find(" shared:", 1, true) ~= nil
    end
  end
  return nil
end

--- Whether luactr may make a namespace, in a user namespace of its own or not: true, or false and
--- why. Tried, since sysctls, quotas, filters and security modules can all say no.
local function may_unshare(flag, in_user_namespace)
  local s = sys()
  local child <close>, _, errno = s.clone(in_user_namespace and { "newuser" } or {}, function()
    local made, _, code = s.unshare(flag)
    return made and 0 or code
  end)
  local ended = child and child:wait()
  errno = errno or (ended and ended.code ~= 0 and ended.code or nil)
  return errno == nil, errno and s.errname(errno) or nil
end

local readers = {
  uid = function() return sys().geteuid() end,
  gid = function() return sys().getegid() end,
  -- Root that lacks the right to mount (a container's root) needs a user namespace as others do.
  privileged = function(facts)
    local sets = facts.uid == 0 and sys().cap_masks()
    return sets and sets.effective & sys().cap_mask { "CAP_SYS_ADMIN" } ~= 0 or false
  end,
  kernel = function()
    local release = read_line("/proc/sys/kernel/osrelease") or ""
    local major, minor = release:match("^(%d+)%.(%d+)")
    return { tonumber(major) or 0, tonumber(minor) or 0 }
  end,
  last_cap = function() return sys().last_cap() end,
  capabilities = function()
    local sets = sys().cap_masks()
    return sets and sets.permitted or 0
  end,
  landlock = function()
    local abi, _, errno = sys().landlock_abi()
    return { abi = abi, code = errno and sys().errname(errno) }
  end,
  wait_kill = function()
    return require("luactr.core").seccomp.has_flags(8 | 32) -- with a listener only
  end,
  state_dir = runtime_dir,
  oci_recipes = function() return require("luactr.core").oci_recipes end,
  stage = function(facts) return facts.state_dir .. "/stage" end,
  cgroup = function() return require("luactr.cgroup").detect() end,
  resctrl = function()
    for line in io.lines("/proc/self/mounts") do
      local target = line:match("^%S+ (%S+) resctrl ")
      if target then
        return target
      end
    end
  end,
  stranger = function()
    local id, outside = (read_line("/proc/self/uid_map") or "0 0 1"):match("(%d+)%s+(%d+)")
    return id ~= "0" or outside ~= "0"
  end,
  systemd = function() return require("luactr.cgroup.systemd").facts end,
  -- pivot_root refuses the initial ramfs (pivot_root(2), EINVAL).
  initramfs = function()
    local mounts <close> = io.open("/proc/self/mounts")
    for line in mounts and mounts:lines() or function() end do
      local target, kind = line:match("^%S+ (%S+) (%S+)")
      if target == "/" then
        return kind == "rootfs"
      end
    end
    return false
  end,
  cwd = function() return sys().getcwd() end,
  is_shared = function() return is_shared end,
  may_unshare = function() return may_unshare end,
  environment = function()
    return setmetatable({}, { __index = function(_, name) return os.getenv(name) end })
  end,
  terminal = function()
    return sys().isatty(0) and sys().isatty(1)
  end,
  lsm = function() return require "luactr.lsm" end,
  ids = function() return require("luactr.idmap.facts").new() end,
  -- Whoever starts a container can look; others plan without.
  maps_of = function() return function() return nil end end,
  -- Users and groups by name, from the files of the root file system.
  accounts = function(facts)
    return function(spec)
      return require("luactr.account").resolve(spec, facts)
    end
  end,
  window = function()
    local rows, columns = sys().window_size(0)
    return rows and { rows = rows, columns = columns }
  end,
}

---@class luactr.host
---@field uid integer
---@field gid integer
---@field privileged boolean may mount and make namespaces without a user namespace
---@field kernel integer[] { major, minor }
---@field last_cap integer
---@field capabilities integer mask of those that luactr may hand on
---@field landlock { abi?: integer, code?: string } its version, or the errno's name
---@field wait_kill? boolean a filter's listener can keep its caller from signals
---@field state_dir string
---@field oci_recipes string the directory of the administrator's recipes: luactr.oci.recipes
---@field stage string where a root is put together
---@field cgroup table layout of luactr.cgroup.detect
---@field stranger boolean in a user namespace that the host's root is no part of
---@field systemd fun(user: boolean): luactr.systemd.facts?, luactr.error?
---@field resctrl? string where the file system is mounted
---@field cwd string
---@field is_shared fun(path: string): boolean? whether the mount there propagates
---@field may_unshare fun(flag: integer, in_user_namespace: boolean): boolean, string?
---@field initramfs boolean / cannot be pivoted from
---@field environment table<string, string>
---@field lsm table<string, fun(label: string): boolean?, string?> "apparmor" and "selinux"
---@field ids luactr.idmap.facts
---@field maps_of fun(to: table): luactr.idmap.maps? of a user namespace to join, if known
---@field accounts fun(spec: luactr.spec): table?, table user and groups by number, or nil, problems
---@field terminal boolean stdin and stdout are a terminal
---@field window? { rows: integer, columns: integer }

--- The facts. A new table reads afresh.
---@return luactr.host
function M.facts()
  return setmetatable({}, {
    __index = function(facts, name)
      local value = readers[name] and readers[name](facts)
      rawset(facts, name, value)
      return value
    end,
  })
end

return M
