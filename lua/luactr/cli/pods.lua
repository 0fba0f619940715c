--- What `run`, `wait` and `ps` do with a pod: results of several containers become one record and
--- one exit status, and their states one row.
local output = require "luactr.cli.output"

local M = {}

local function status_of_result(result)
  return require("luactr.cli.run").status_of_result(result)
end

---@class luactr.cli.pod_record
---@field pod string
---@field members luactr.result[] in order, each with its `name`
---@field usage? table meters of all together

--- The record of a pod that has ended, for --json.
---@param id string
---@param results table<integer|string, luactr.result> in order and by name
---@param usage? table
---@return luactr.cli.pod_record
function M.record(id, results, usage)
  local members = {}
  for name, result in pairs(results) do
    if type(name) == "string" then
      result.name = name
    end
  end
  for i, result in ipairs(results) do
    members[i] = result
  end
  return { pod = id, members = members, usage = usage }
end

--- The first member's status that is not 0, in the pod's order.
---@param results luactr.result[]
---@return integer
function M.status(results)
  for _, result in ipairs(results) do
    local status = status_of_result(result)
    if status ~= 0 then
      return status
    end
  end
  return 0
end

local function warn(list)
  for _, warning in ipairs(list or {}) do
    output.warn(warning)
  end
end

--- In the foreground.
---@param pod luactr.pod
---@param finish_one fun(result: luactr.result, who: string): integer tells what there is to be told
---@return luactr.cli.pod_record?
---@return integer|luactr.error status
function M.run(pod, finish_one)
  local results, err = pod:run { forward_signals = true }
  if not results then
    return nil, err
  end
  warn(pod.warnings)
  for i, member in ipairs(pod.spec.members) do
    finish_one(results[i], member.spec.name)
  end
  return M.record(pod.id, results, pod.usage), M.status(results)
end

---@param pod luactr.pod
---@return table? record
---@return integer|luactr.error status
function M.detach(pod)
  local found, err = pod:start { detach = true }
  if not found then
    return nil, err
  end
  warn(pod.warnings)
  local members = {}
  for i, member in ipairs(found.members) do
    warn(member:inspect().warnings)
    members[i] = { id = member.id, pid = member.record.pid }
  end
  return { id = found.id, members = members }, output.print(found.id .. "\n")
end

-- ---- `ps --pods`

local HEADS <const> = { "POD", "STATE", "SINCE", "RUN", "MEMBERS" }

local function seen_of(name, host)
  local pod = require("luactr.pod.found").find(name, host)
  if not pod then
    return nil -- it was removed meanwhile
  end
  local seen = { id = name, state = pod:state(), created = pod.members[1].record.created,
    running = 0, members = {} }
  for i, found in ipairs(pod.members) do
    seen.members[i] = found.record.pod.member
    seen.running = seen.running + (found:is_running() and 1 or 0)
  end
  return seen
end

local function row_of(seen, now)
  return {
    seen.id, seen.state or "ended", require("luactr.cli.containers").span(now - seen.created),
    string.format("%d of %d", seen.running, #seen.members), table.concat(seen.members, " "),
  }
end

--- The pods of these containers, oldest first.
---@param all luactr.found[]
---@param options table<string, any> of ps
---@return integer status
function M.list(all, options)
  local list, names, rows, known = {}, {}, {}, {}
  local now = require("luactr.core").sys.clock_gettime("realtime")
  for _, found in ipairs(all) do
    local name = found.record.pod and found.record.pod.name
    local seen = name and not known[name] and seen_of(name, found.host)
    known[name or ""] = true
    if seen and (seen.state ~= "exited" or options.all) then
      list[#list + 1] = seen
      names[#list], rows[#list] = name .. "\n", row_of(seen, now)
    end
  end
  if options.json then
    return output.print(#list == 0 and "[]\n" or output.json(list))
  end
  return output.print(options.quiet and table.concat(names)
    or require("luactr.cli.containers").columns(HEADS, rows))
end

return M
