--- What a container of a bundle uses, and when its memory ran out: `luactr oci events`.
local core = require "luactr.core"

local M = {}

---@class luactr.oci.event
---@field type "stats"|"oom"
---@field id string
---@field data? table of stats

local function stats(container, group)
  return { type = "stats", id = container.id,
    data = require("luactr.oci.stats").of(group, container.host.cgroup) }
end

-- v1 tells of nothing else; v2's file changes for other reasons, too.
local function has_run_out(group, oom)
  local kills = core.cgroup.oom_kills(group, oom.fd) or 0
  local more = kills > oom.kills
  oom.kills = kills
  return more or oom.events == "r"
end

local function watch(group)
  local fd, events = core.cgroup.oom_open(group)
  return { fd = fd or nil, events = events,
    kills = fd and core.cgroup.oom_kills(group, fd) or 0 }
end

--- Until it has stopped, or nobody reads any more.
local function report(container, group, request, pidfd)
  local oom = watch(group)
  local sources = { { fd = pidfd }, oom.fd and { fd = oom.fd, events = oom.events } or nil }
  local next_time = core.sys.clock_gettime() + request.interval
  while true do
    local left = next_time - core.sys.clock_gettime()
    require("luactr.poll").wait(sources, math.max(left, 0))
    if sources[2] and sources[2].ready and has_run_out(group, oom)
      and not request.print { type = "oom", id = container.id } then
      return
    elseif sources[1].ready then
      return
    elseif core.sys.clock_gettime() >= next_time then
      next_time = next_time + request.interval
      if not request.print(stats(container, group)) then
        return
      end
    end
  end
end

--- Tell what it uses, once with `stats`, otherwise each `interval` until it has stopped.
---@param container luactr.oci.container
---@param request { stats?: boolean, interval: number, print: fun(event: table): boolean }
---@return boolean? done
---@return luactr.error?
function M.follow(container, request)
  local group <close>, err = require("luactr.oci.cgroup").open(container, "look at")
  if not group then
    return nil, err
  elseif request.stats then
    request.print(stats(container, group))
    return true
  end
  local pidfd <close> = require("luactr.container.found").open_process(container.record)
  if pidfd then
    report(container, group, request, pidfd)
  end
  return true
end

return M
