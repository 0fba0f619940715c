--- A plan as text or data for readers: every system call before it happens, and the line of the
--- recipe that asked for it. Pure: whoever prints passes `locate`, see luactr.source.
local calls = require "luactr.explain.calls"

local M = {}

---@alias luactr.locate fun(path: string): string? "web.lua:17"

local function origin(step, locate)
  if step.where then
    return string.format("%s:%d", step.where.file, step.where.line)
  elseif step.from == "default" then
    return step.from
  end
  return locate and locate(step.from) or step.from
end

-- ---- where a cgroup's files are

local function has(list, wanted)
  for _, name in ipairs(list or {}) do
    if name == wanted then
      return true
    end
  end
  return false
end

--- The container's directory in the hierarchy for which `fits` says so.
local function directory(cgroup, fits)
  for _, place in ipairs(cgroup.places or {}) do
    if fits(place) then
      return place.mount .. place.parent .. "/" .. cgroup.path .. "/"
    end
  end
  return cgroup.path .. "/"
end

local function file_of(cgroup, write)
  return directory(cgroup, function(place)
    return place.version == write.version and has(place.controllers, write.controller)
  end) .. write.file
end

--- A step as a system call; only the plan knows the directory behind a cgroup's slot.
local function call(step, plan)
  if step.op ~= "cgroup_attach" then
    return calls.call(step)
  end
  local name = step.procs:gsub("^cgroup:", "")
  local tasks = directory(plan.cgroup, function(place)
    return place.version == 1 and place.name == name
  end) .. "tasks"
  return string.format("write(\"%s\", \"0\")", tasks)
end

local function is_born_inside(plan)
  for _, place in ipairs(plan.cgroup and plan.cgroup.places or {}) do
    if place.version == 2 then
      return true
    end
  end
  return false
end

-- ---- rows: everything that happens, in order, each { heading } or { number?, origin, text }

--- How the parent writes the maps. A range that is taken at the start has no number yet.
local function id_maps(maps)
  local function write(file, text)
    return string.format("write(\"/proc/PID/%s\", \"%s\")", file, (text:gsub("\n", "\\n")))
  end
  local lines = { maps.setgroups and write("setgroups", maps.setgroups) }
  for _, kind in ipairs { "uid", "gid" } do
    local text = maps.range and string.format("0 FREE %d\n", maps.range)
      or require("luactr.spec.idmap").text(maps[kind])
    lines[#lines + 1] = maps.helpers
      and string.format("%s PID %s", maps.helpers[kind], (text:gsub("\n", " "):gsub(" $", "")))
      or write(kind .. "_map", text)
  end
  return lines
end

local function add_clone(rows, plan)
  rows[#rows + 1] = { heading = plan.flags ~= 0 and "New namespaces" or "A new process" }
  local flags = calls.flags("CLONE_", plan.flags)
  if is_born_inside(plan) and not plan.apart then
    flags = (plan.flags ~= 0 and flags .. "|" or "") .. "CLONE_INTO_CGROUP"
  end
  rows[#rows + 1] = { origin = "", text = "clone3(" .. flags .. "), execveat(luactr's init)" }
  local written = plan.id_maps and not plan.id_maps.joined
  for _, text in ipairs(written and id_maps(plan.id_maps) or {}) do
    rows[#rows + 1] = { origin = "", text = text }
  end
end

-- Mounts that luactr opens itself, in the order of its plan.
local function add_trees(rows, plan, locate)
  if plan.trees then
    rows[#rows + 1] = { heading = "Open what the container's root may not" }
  end
  for _, tree in ipairs(plan.trees or {}) do
    local recursive = tree.recursive and "|AT_RECURSIVE" or ""
    rows[#rows + 1] = {
      origin = origin({ from = tree.slot:match("^tree:(.*)") }, locate),
      text = string.format("%s = open_tree(\"%s\", OPEN_TREE_CLONE%s)%s", tree.slot, tree.source,
        recursive, tree.map and ", mount_setattr(MOUNT_ATTR_IDMAP)" or ""),
    }
  end
end

local function add_cgroup(rows, plan, locate)
  local writes = plan.cgroup and plan.cgroup.writes or {}
  if #writes == 0 then
    return
  end
  rows[#rows + 1] = { heading = "Make the cgroup " .. plan.cgroup.path }
  for _, write in ipairs(writes) do
    rows[#rows + 1] = {
      origin = origin(write, locate),
      text = string.format("write(\"%s\", \"%s\")", file_of(plan.cgroup, write),
        (write.text:gsub("\n", "\\n"))),
    }
  end
end

local function add_quotas(rows, plan, locate)
  rows[#rows + 1] = plan.quotas and { heading = "Limit disk space" } or nil
  for _, quota in ipairs(plan.quotas or {}) do
    rows[#rows + 1] = { origin = origin(quota, locate), text = string.format(
      "quotactl(Q_SETQUOTA, project of \"%s\", {%d bytes, %d inodes})", quota.path, quota.size,
      quota.inodes) }
  end
end

--- What a call's arguments do not show: a filter in words.
local function details(step)
  return step.profile and require("luactr.security.describe").lines(step.profile) or {}
end

local function add_steps(rows, plan, locate)
  for i, phase in ipairs(plan.phases) do
    rows[#rows + 1] = { heading = phase.title }
    local following = plan.phases[i + 1]
    for number = phase.first, following and following.first - 1 or #plan.steps do
      local step = plan.steps[number]
      rows[#rows + 1] = { number = number, origin = origin(step, locate), text = call(step, plan) }
      for _, line in ipairs(details(step)) do
        rows[#rows + 1] = { origin = "", text = "  " .. line }
      end
    end
  end
end

local function widest(rows)
  local width = 0
  for _, row in ipairs(rows) do
    width = math.max(width, #(row.origin or ""))
  end
  return width
end

--- The plan as text, grouped by phase.
---@param plan luactr.plan
---@param locate? luactr.locate
---@return string
function M.text(plan, locate)
  local rows, lines = {}, {}
  add_quotas(rows, plan, locate)
  add_cgroup(rows, plan, locate)
  add_trees(rows, plan, locate)
  add_clone(rows, plan)
  add_steps(rows, plan, locate)
  local format = "  %3s  %-" .. widest(rows) .. "s  %s"
  for _, row in ipairs(rows) do
    if row.heading then
      lines[#lines + 1] = (#lines > 0 and "\n" or "") .. row.heading
    else
      lines[#lines + 1] = format:format(row.number or "", row.origin, row.text)
    end
  end
  for _, warning in ipairs(plan.warnings) do
    lines[#lines + 1] = "\nwarning: " .. tostring(warning)
  end
  return table.concat(lines, "\n") .. "\n"
end

-- ---- data

local NOT_ARGUMENTS <const> = { op = true, from = true, where = true, profile = true }

--- What JSON cannot carry is told as a size.
local function plain(value)
  if type(value) == "string" and not utf8.len(value) then
    return #value .. " bytes"
  end
  return value
end

local function arguments(step)
  local result = {}
  for name, value in pairs(step) do
    if not NOT_ARGUMENTS[name] then
      result[name] = plain(value)
    end
  end
  return result
end

local function names(flags)
  local list = {}
  for name in calls.flags("CLONE_", flags):gmatch("CLONE_%w+") do
    list[#list + 1] = name
  end
  return list
end

local function cgroup_record(cgroup, locate)
  local writes = {}
  for i, write in ipairs(cgroup.writes) do
    writes[i] = {
      controller = write.controller, version = write.version, file = file_of(cgroup, write),
      text = write.text, from = write.from, where = origin(write, locate),
    }
  end
  return { path = cgroup.path, writes = writes }
end

--- The same as a table of strings, numbers and tables, for --json.
---@param plan luactr.plan
---@param locate? luactr.locate
---@return table
function M.json(plan, locate)
  local result = {
    id = plan.id, clone = names(plan.flags), id_maps = plan.id_maps, tty = plan.tty,
    phases = plan.phases, warnings = plan.warnings, steps = {},
  }
  for number, step in ipairs(plan.steps) do
    result.steps[number] = {
      number = number, op = step.op, arguments = arguments(step),
      call = call(step, plan), from = step.from, where = origin(step, locate),
      details = step.profile and details(step),
    }
  end
  if plan.cgroup then
    result.cgroup = cgroup_record(plan.cgroup, locate)
  end
  return result
end

--- One step as a phrase, for errors: "mount proc on /proc".
---@param step table
---@return string
function M.sentence(step)
  return require("luactr.explain.sentences").sentence(step)
end

return M
