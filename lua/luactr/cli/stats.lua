--- `luactr stats`: what containers use.
local containers = require "luactr.cli.containers"
local output = require "luactr.cli.output"

local M = {
  name = "stats",
  summary = "show what containers use, again and again",
  usage = "[NAME...]",
  mixed = true,
  pods = "running",
  help = [[
Show CPU time, memory, processes and disk traffic of the named containers, or of all detached ones,
every second until it is interrupted.]],
  options = {
    { "--no-stream", help = "once" },
    { "--json", help = "once, as a list of records" },
  },
}

local HEADS <const> =
  { "NAME", "STATE", "CPU", "CPU TIME", "MEMORY", "PEAK", "PIDS", "READ", "WRITTEN" }
local INTERVAL <const> = 1
local HOME_AND_CLEAR <const> = "\27[H\27[J"

local function sys()
  return require("luactr.core").sys
end

--- The containers that are meant: those of the command line, or all that run detached.
local function chosen(request)
  local all = require("luactr.container.found").all()
  local list = {}
  for _, name in ipairs(request.arguments) do
    local named, err = containers.named(M, name)
    if not named then
      return nil, err
    end
    table.move(named, 1, #named, #list + 1, list)
  end
  for _, found in ipairs(#request.arguments == 0 and all or {}) do
    list[#list + 1] = found.record.detached and found:is_running() and found or nil
  end
  return list
end

local function sample(found)
  local meters, err = found:stats()
  if meters then
    meters.id, meters.state, meters.at = found.id, found:state(), sys().clock_gettime()
  end
  return meters, err
end

--- CPUs in use since the sample before.
local function load_of(meters, before)
  if not before or not meters.cpu_seconds or meters.at <= before.at then
    return "-"
  end
  return string.format("%.0f%%",
    (meters.cpu_seconds - before.cpu_seconds) / (meters.at - before.at) * 100)
end

local function row_of(meters, before)
  return {
    meters.id, meters.state or "ended", load_of(meters, before),
    meters.cpu_seconds and string.format("%.2fs", meters.cpu_seconds) or "-",
    containers.bytes(meters.memory), containers.bytes(meters.memory_peak),
    meters.pids and tostring(meters.pids) or "-",
    containers.bytes(meters.io_read_bytes), containers.bytes(meters.io_write_bytes),
  }
end

--- One look at all; those that have ended meanwhile are left out.
local function look(list, before, strict)
  local seen, rows = {}, {}
  for _, found in ipairs(list) do
    local meters, err = sample(found)
    if meters then
      seen[found.id] = meters
      seen[#seen + 1] = meters
      rows[#rows + 1] = row_of(meters, before[found.id])
    elseif strict then
      return nil, err
    end
  end
  return seen, containers.columns(HEADS, rows)
end

local function stream(list, seen, text)
  while true do
    local status = output.print(HOME_AND_CLEAR .. text)
    if status ~= 0 or #seen == 0 then
      return status
    end
    sys().nanosleep(INTERVAL)
    seen, text = look(list, seen)
  end
end

---@param request luactr.cli.request
---@return integer status
function M.run(request)
  local list, err = chosen(request)
  local seen, text
  if list then
    seen, text = look(list, {}, #request.arguments > 0)
    err = text
  end
  if not seen then
    output.complain(err)
    return require("luactr.cli").FAILED
  elseif request.options.json then
    for _, meters in ipairs(seen) do
      seen[meters.id], meters.at = nil, nil
    end
    return output.print(#seen == 0 and "[]\n" or output.json(seen))
  elseif request.options.no_stream then
    return output.print(text)
  end
  return stream(list, seen, text)
end

return M
