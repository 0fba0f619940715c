--- Part of the namespaces contributor: namespaces of others, those that a host may refuse, and the
--- clocks. Pure.
local M = {}

-- In the order to join them: rights over the others come with the user namespace.
local ORDER <const> = {
  { "user", "CLONE_NEWUSER" }, { "network", "CLONE_NEWNET" }, { "ipc", "CLONE_NEWIPC" },
  { "uts", "CLONE_NEWUTS" }, { "cgroup", "CLONE_NEWCGROUP" }, { "time", "CLONE_NEWTIME" },
  { "pid", "CLONE_NEWPID" },
}

local TITLES <const> = {
  container = "container %s", path = "%s", fd = "fd %s", pod = "pod %s",
}

local function sys()
  return require("luactr.core").sys
end

---@class luactr.namespaces.join
---@field kind string as in a spec
---@field flag integer its CLONE_NEW*
---@field slot string the fd's name in the plan, and in messages
---@field to table as luactr.spec.namespaces normalizes it
---@field others? boolean it must not be luactr's own: kernel parameters are set in it

--- What a namespace to join is called.
---@param kind string
---@param to table as luactr.spec.namespaces normalizes it
---@return string
function M.slot(kind, to)
  local which = to.name or to.path or tostring(to.fd):gsub("^fd ", "")
  return string.format("%s namespace of " .. TITLES[to.join], kind, which)
end

local function has_parameters(spec, kind)
  for key in pairs(spec.sysctl or {}) do
    if require("luactr.spec.rules").sysctl_home(key) == kind then
      return true
    end
  end
end

--- The namespaces to join, in order.
---@param spec luactr.spec settled
---@return luactr.namespaces.join[]
function M.list(spec)
  local joins = {}
  for _, row in ipairs(ORDER) do
    local kind, to = row[1], spec.namespaces[row[1]]
    if type(to) == "table" then
      joins[#joins + 1] = { kind = kind, flag = sys()[row[2]], slot = M.slot(kind, to), to = to,
        others = has_parameters(spec, kind) }
    end
  end
  return joins
end

---@param joins luactr.namespaces.join[]
---@param steps table[] changed
function M.add_steps(joins, steps)
  for _, join in ipairs(joins) do
    steps[#steps + 1] = { op = "setns", ns = join.slot, flags = join.flag,
      from = "namespaces." .. join.kind }
  end
end

--- Enter a container that runs: "container" is its PID 1; "pid namespace" is that of its command,
--- where its PID 1 stays outside.
---@param target luactr.target
---@return table[] steps
function M.enter(target)
  local steps = {}
  if target.flags ~= 0 then
    steps[1] = { op = "setns", ns = "container", flags = target.flags, root = target.root,
      from = "command" }
  end
  if target.pid_beside then
    steps[#steps + 1] = { op = "setns", ns = "pid namespace", flags = sys().CLONE_NEWPID,
      from = "command" }
  end
  return steps
end

--- With nsdelegate the kernel lets nobody into a cgroup from beyond the root of his cgroup
--- namespace: whoever is born in one joins the namespace afterwards.
---@param target luactr.target
---@return table[] steps
function M.enter_cgroup_namespace(target)
  return target.cgroup_beside and { { op = "setns", ns = "cgroup namespace",
    flags = sys().CLONE_NEWCGROUP, from = "command" } } or {}
end

local CONSEQUENCES <const> = { uts = ", and so is the host name" }

--- "try" becomes "new" where the host makes such a namespace, and a warning where not.
---@param namespaces table<string, string|table> changed
---@param host luactr.host
---@return string[] warnings
function M.try(namespaces, host)
  local warnings = {}
  for _, row in ipairs(ORDER) do -- "user" is decided first
    local kind = row[1]
    if namespaces[kind] == "try" then
      local made, why = host.may_unshare(sys()[row[2]], kind ~= "user"
        and namespaces.user ~= "host")
      namespaces[kind] = made and "new" or "host"
      warnings[#warnings + 1] = not made and string.format(
        "namespaces.%s: the host's%s, since luactr may not make one here (%s)", kind,
        CONSEQUENCES[kind] or "", why) or nil
    end
  end
  return warnings
end

-- ---- clocks

local function line(clock, offset)
  return offset and string.format("%s %d %d\n", clock, offset.seconds, offset.nanoseconds) or ""
end

--- A time namespace of its own, with the clocks as the recipe has them.
---@param spec luactr.spec
---@return table[] steps
function M.time(spec)
  local clock = spec.clock
  local offsets = clock and line("monotonic", clock.monotonic) .. line("boottime", clock.boottime)
  return { { op = "time_namespace", offsets = offsets, from = clock and "clock" or "namespaces" } }
end

return M
