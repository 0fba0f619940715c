--- The namespaces that a pod's members share. The init of every start makes them, waits until we
--- have opened them, and ends: from then on whoever has a descriptor or is in one keeps it.
local core = require "luactr.core"

local sys <const> = core.sys

local M = {}

local FLAGS <const> = {
  user = "CLONE_NEWUSER", network = "CLONE_NEWNET", ipc = "CLONE_NEWIPC", uts = "CLONE_NEWUTS",
}

local FILES <const> = { user = "user", network = "net", ipc = "ipc", uts = "uts", time = "time" }

--- Whether there is any that can be without a process in it.
local function has_any(pod)
  for kind in pairs(FILES) do
    if pod.share[kind] then
      return true
    end
  end
  return false
end

-- ---- pure: the plan

--- What is set in them: what a container's own plan would say of its own.
---@param pod luactr.pod
---@return { flags: integer, steps: table[] }
function M.plan(pod)
  local share, numbers, flags = pod.share, core.plan.rendezvous, 0
  for kind, name in pairs(FLAGS) do
    flags = share[kind] and flags | sys[name] or flags
  end
  local steps = {}
  local function add(kind, step)
    if share[kind] and step then
      step.from = "share"
      steps[#steps + 1] = step
    end
  end
  local domainname = pod.spec.domainname
  add("user", { op = "rendezvous", number = numbers.id_maps })
  add("time", { op = "time_namespace" })
  add("uts", { op = "sethostname", name = pod.hostname })
  add("uts", domainname and { op = "setdomainname", name = domainname })
  add("network", { op = "loopback_up" })
  steps[#steps + 1] = { op = "rendezvous", number = numbers.namespaces, from = "share" }
  return { flags = flags, steps = steps }
end

-- ---- making them

local function failure(pod, fields)
  fields.message = string.format("cannot start pod %q", pod.id)
  fields.where = pod.spec.where
  return require("luactr.error").new(fields)
end

local function open_all(pod, life, process)
  for kind, file in pairs(FILES) do
    local path = string.format("/proc/%d/ns/%s", process:pid(), file)
    local fd, message, errno
    if pod.share[kind] then
      fd, message, errno = sys.open(path, sys.O_RDONLY)
    end
    if pod.share[kind] and not fd then
      return nil, failure(pod, { op = "open", path = path, errno = errno,
        action = message:match("^(.*): ") })
    end
    life.namespaces[kind] = fd and life:own(fd)
  end
  return true
end

local function write_maps(pod, life, process)
  local number = core.plan.rendezvous.id_maps
  local done, fields = require("luactr.idmap.write").maps(process:pid(), life.id_maps)
  if not done then
    return nil, failure(pod, fields)
  end
  return process:answer(number)
end

local function step_failure(pod, plan, index, op, errno, aux)
  local step = plan.steps[index] or { op = op }
  return failure(pod, { op = op, errno = errno, aux = aux, step = index, steps = #plan.steps,
    action = require("luactr.explain").sentence(step) })
end

local function carry_out(pod, life, plan, process)
  while true do
    local event, a, b, c, d = process:launch()
    if event == "failed" then
      return nil, step_failure(pod, plan, a, b, c, d)
    elseif event ~= "rendezvous" then
      return nil, failure(pod, { op = "launch", errno = b, action = "make the pod's namespaces" })
    elseif a == core.plan.rendezvous.namespaces then
      return open_all(pod, life, process)
    end
    local done, err = write_maps(pod, life, process)
    if not done then
      return nil, err
    end
  end
end

--- Why the clone was refused, as for a container.
local function explain(err, plan, pod, host)
  local spec = { namespaces = { mount = "host", pid = "host", cgroup = "host" } }
  for _, kind in ipairs { "user", "network", "ipc", "uts", "time" } do
    spec.namespaces[kind] = pod.share[kind] and "new" or "host"
  end
  require("luactr.cause").explain(err,
    { steps = plan.steps, flags = plan.flags, spec = spec, slots = {}, phases = {} }, host)
  return err
end

--- Make them; their descriptors are in life.namespaces by kind.
---@param pod luactr.pod
---@param life luactr.pod.life
---@param host luactr.host
---@return boolean? done
---@return luactr.error?
function M.open(pod, life, host)
  if not has_any(pod) then
    return true
  end
  local plan = M.plan(pod)
  local process <close>, message, errno = core.spawn {
    plan = core.plan.encode(plan.steps, {}), flags = plan.flags, fds = {}, fail = life.options.fail,
  }
  local done, err
  if process then
    done, err = carry_out(pod, life, plan, process)
  else
    err = failure(pod, { op = "clone", errno = errno, action = message:match("^(.*): ") })
  end
  return done, err and explain(err, plan, pod, host)
end

return M
