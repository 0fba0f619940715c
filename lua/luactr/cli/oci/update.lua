--- `luactr oci update`
local M = {
  name = "oci update",
  summary = "change the limits of a container",
  usage = "CONTAINER",
  help = [[
Change the limits of a container: those of a JSON file with what config.json calls linux.resources,
or those of the options. What is not named stays as it is.]],
  least = 1,
}

-- Option, where it is in linux.resources, whether it is a size ("64M").
local LIMITS <const> = {
  { "--blkio-weight", "blockIO.weight", help = "weight of input and output, 10 to 1000" },
  { "--cpu-period", "cpu.period", help = "period of the quota, microseconds" },
  { "--cpu-quota", "cpu.quota", help = "time in a period, microseconds" },
  { "--cpu-burst", "cpu.burst", help = "time saved up, microseconds" },
  { "--cpu-share --cpu-shares", "cpu.shares", help = "weight against other containers" },
  { "--cpu-rt-period", "cpu.realtimePeriod", help = "period of real time, microseconds" },
  { "--cpu-rt-runtime", "cpu.realtimeRuntime", help = "real time in a period, microseconds" },
  { "--cpu-idle", "cpu.idle", help = "1: only when nobody else wants the CPU" },
  { "--cpuset-cpus", "cpu.cpus", word = "LIST", help = "CPUs, as 0-3,5" },
  { "--cpuset-mems", "cpu.mems", word = "LIST", help = "memory nodes, as 0-1" },
  { "--memory", "memory.limit", size = true, help = "bytes, or 64M; -1: no limit" },
  { "--memory-reservation", "memory.reservation", size = true,
    help = "bytes that it gives back last" },
  { "--memory-swap", "memory.swap", size = true, help = "memory and swap together; -1: no limit" },
  { "--kernel-memory", "memory.kernel", size = true,
    help = "the kernel's own; since Linux 5.16 a part of memory" },
  { "--kernel-memory-tcp", "memory.kernelTCP", size = true, help = "buffers of TCP" },
  { "--pids-limit", "pids.limit", help = "processes; -1: no limit" },
  { "--l3-cache-schema", "intelRdt.l3CacheSchema", word = "TEXT", help = "Intel RDT's L3 cache" },
  { "--mem-bw-schema", "intelRdt.memBwSchema", word = "TEXT", help = "Intel RDT's bandwidth" },
}

M.options = {
  { "-r --resources", argument = "FILE", help = "a JSON file with limits; - is stdin" },
}

for _, row in ipairs(LIMITS) do
  M.options[#M.options + 1] = { row[1], help = row.help,
    argument = row.word or row.size and "SIZE" or "N", number = not (row.word or row.size) or nil }
end

local function mistake(message)
  return nil, require("luactr.error").new { code = "EUSAGE", op = "update", message = message }
end

local function size_of(text)
  if text == "-1" then
    return -1
  end
  return require("luactr.units").size(text)
end

--- Put a value at a place like "cpu.quota".
local function put(resources, place, value)
  local group, name = place:match("^(%w+)%.(%w+)$")
  resources[group] = resources[group] or {}
  resources[group][name] = value
end

--- linux.resources as far as the options name them.
---@param options table<string, any>
---@return table? resources nil: none is named, or an error beside it
---@return luactr.error?
function M.resources(options)
  local resources = {}
  for _, row in ipairs(LIMITS) do
    local value = options[require("luactr.oci.options").key(row)]
    if value and row.size then
      local problem
      value, problem = size_of(value)
      if not value then
        return mistake(row[1] .. ": " .. problem)
      end
    end
    if value then
      put(resources, row[2], value)
    end
  end
  return next(resources) and resources
end

function M.run(request)
  local options = request.options
  local given, err = M.resources(options)
  if err then
    return nil, err
  elseif given and options.resources then
    return mistake "either --resources or limits one by one"
  elseif not given and not options.resources then
    return mistake "which limits? --resources FILE, or one by one"
  end
  if options.resources then
    given, err = require("luactr.oci.update").read(options.resources)
    if not given then
      return nil, err
    end
  end
  return request:with(function(container)
    return require("luactr.oci.update").apply(container, given)
  end)
end

return M
