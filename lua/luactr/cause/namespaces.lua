--- Why a namespace cannot be joined, or its clocks not be set.
local M = {}

local function join_of(case)
  for _, join in ipairs(case.plan.joins or {}) do
    if case.step and join.slot == case.step.ns then
      return join
    end
  end
end

-- setns(2): rights in the user namespace that owns it, and in one's own.
local function owned_by_others(case)
  local join = join_of(case)
  local to = join and join.to
  if not to or join.kind == "user" then
    return nil
  end
  return { kind = join.kind, word = to.name and "container:" .. to.name or to.path or "..." }
end

local function missing(case)
  local path = case.err.path
  return path and not case.eyes.stat(path) and { path = path } or nil
end

local function own_user_namespace(case)
  local join = join_of(case)
  return join and join.kind == "user" and {} or nil
end

M.setns = {
  { code = { "ENOENT", "ENOTDIR" }, find = missing, cause = "{path} does not exist" },
  { code = "EINVAL", find = own_user_namespace,
    cause = "it is the user namespace that luactr is in already",
    remedy = "leave namespaces.user out" },
  { code = "EPERM", find = owned_by_others, guess = true,
    cause = "the {kind} namespace belongs to a user namespace in which luactr has no rights",
    remedy = "run luactr as root, or join that as well: user = \"{word}\"" },
  { code = "EPERM", guess = true,
    cause = "it takes CAP_SYS_ADMIN in the user namespace, which only its maker and root have" },
  { code = "EINVAL", guess = true,
    cause = "a pid namespace can be joined only from one that it is nested in" },
}

M.fork = {
  { code = "ENOMEM", guess = true, cause = "PID 1 of that pid namespace has ended",
    remedy = "start what is joined once more" },
}

local function too_far(case)
  return case.plan.spec.clock and {} or nil
end

-- The files of a process that others must not see into are root's.
local function hidden_from_others(case)
  return type(case.plan.spec.namespaces.user) == "table" and {} or nil
end

local function rows_of_time()
  local rows = {
    { code = "ERANGE", aux = "configure", find = too_far,
      cause = "the clock would show a time before 0, or one that the kernel cannot count to",
      remedy = "a smaller offset in `clock`" },
    { code = "EACCES", aux = "configure", find = hidden_from_others,
      cause = "only root can set clocks for the users of another container",
      remedy = "run luactr as root, or join the time namespace of a container that has them" },
  }
  local unshare = require("luactr.cause.process").unshare
  table.move(unshare, 1, #unshare, #rows + 1, rows)
  rows[#rows + 1] = { code = "EINVAL", guess = true,
    cause = "this kernel was built without time namespaces, or is older than 5.6",
    remedy = "leave clock and namespaces.time out" }
  return rows
end

M.time_namespace = rows_of_time()

return M
