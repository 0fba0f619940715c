--- Why a start failed. After the fact, the rows for the failed operation are asked in turn; the
--- first that finds its cause writes the error's cause and remedy. A row that only guesses says so.
local M = {}

---@class luactr.cause.row
---@field code string|string[] errno names that it speaks about; "*" is any
---@field aux? string part of the step, as plan.h names it
---@field find? fun(case: luactr.cause.case): table? looks; returns words for the texts, or nil
---@field cause string with {word} from what `find` returned
---@field remedy? string the same
---@field guess? boolean nobody has looked

---@class luactr.cause.case
---@field err luactr.error
---@field step? table the step that failed
---@field plan? luactr.plan
---@field host luactr.host
---@field eyes luactr.eyes
---@field view? luactr.view the container's tree as it was by then

-- Which file has the rows for an operation: a step kind, or a call of luactr's own.
local FILES <const> = {
  exec = "exec", chdir = "exec",
  mount = "mount", bind = "mount", root_bind = "mount", root_tmpfs = "mount", mkdir = "mount",
  bind_node = "mount", open_tree = "mount", unmount = "mount", tmpcopyup = "mount",
  fsmount = "mount", fuse = "mount",
  file = "mount", symlink = "mount", mknod = "mount", mount_setattr = "mount", readonly = "mount",
  mask = "mount", pivot_root = "mount", console = "mount", write = "mount",
  clone = "process", spawn = "process", launch = "process", init = "process",
  setrlimit = "process", seccomp = "process", capset = "process", capbset_drop = "process",
  cap_ambient = "process", setgroups = "process", setresuid = "process", setresgid = "process",
  sysctl = "process", oom_score_adj = "process", open = "process", pipe = "process",
  setns = "namespaces", time_namespace = "namespaces", fork = "namespaces",
  sched_setaffinity = "scheduling", set_mempolicy = "scheduling", setpriority = "scheduling",
  sched_setattr = "scheduling", ioprio_set = "scheduling", core_scheduling = "scheduling",
  tsc = "scheduling", session_keyring = "scheduling", securebits = "scheduling",
  exec_label = "label",
  landlock_path = "landlock", landlock_restrict_self = "landlock",
  id_map = "process", unshare = "process", sethostname = "process", setdomainname = "process",
}

local COMMON <const> = "process" -- its rows under "*" fit every operation

local function rows_of(op)
  local file = FILES[op]
  local rows = file and require("luactr.cause." .. file)[op] or {}
  local common = require("luactr.cause." .. COMMON)["*"]
  local all = table.move(rows, 1, #rows, 1, {})
  return table.move(common, 1, #common, #all + 1, all)
end

local function has_code(row, code)
  if type(row.code) == "string" then
    return row.code == code or row.code == "*"
  end
  for _, wanted in ipairs(row.code) do
    if wanted == code then
      return true
    end
  end
  return false
end

local function fill(template, words)
  return template and (template:gsub("{(%w+)}", function(name) return tostring(words[name]) end))
end

local function try(row, case)
  local err = case.err
  if not has_code(row, err.code) or (row.aux and row.aux ~= err.aux) then
    return false
  end
  local fine, words = true, {}
  if row.find then
    fine, words = pcall(row.find, case) -- a probe's own mistake must not hide the error
  end
  if not fine or not words then
    return false
  end
  err.cause, err.remedy = fill(row.cause, words), fill(row.remedy, words)
  err.checked = not row.guess
  return true
end

local function new_case(err, plan, host, eyes)
  local case = { err = err, plan = plan, host = host }
  case.eyes = eyes or require "luactr.cause.eyes"
  if plan and err.step then
    case.step = plan.steps[err.step]
    case.view = require("luactr.cause.view").new(plan, err.step - 1, case.eyes)
  end
  return case
end

--- The fields of a recipe that a text names, as whoever wrote a config.json calls them.
local function in_its_words(text)
  return text and (text:gsub("`([%w_.]+)`", function(field)
    local row = require("luactr.spec").field(field)
    return row and row.oci and "`" .. row.oci .. "`"
  end))
end

--- Write cause, remedy and checked into an error, unless it knows its cause already.
---@param err luactr.error with `op`
---@param plan? luactr.plan that it failed in
---@param host luactr.host
---@param eyes? luactr.eyes for specs
---@return luactr.error err
function M.explain(err, plan, host, eyes)
  if err.cause or err.problems then
    return err
  end
  local case = new_case(err, plan, host, eyes)
  for _, row in ipairs(rows_of(err.op)) do
    if try(row, case) then
      break
    end
  end
  if err.where and err.where.subject == "config.json" then
    err.cause, err.remedy = in_its_words(err.cause), in_its_words(err.remedy)
  end
  return err
end

return M
