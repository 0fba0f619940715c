--- What a command in a container that runs needs before its process.
local core = require "luactr.core"
local failure = require "luactr.launch.failure"

local sys <const> = core.sys

local M = {}

--- The container that it enters.
---@param box luactr.command
---@param run luactr.run
---@param host luactr.host
---@return luactr.target?
---@return luactr.error?
function M.target(box, run, host)
  local place, fields = box:place()
  if place then
    run.target, fields = require("luactr.container.target").open(place, box.base, host)
  end
  if not run.target then
    fields.op = fields.op or "enter"
    return nil, failure.of(box, fields)
  end
  box.spec.rootfs.path = run.target.root
  return run:own(run.target)
end

--- Who answers a filter's calls is a function of the program that started the container.
---@param box luactr.command
---@return true?
---@return luactr.error?
function M.refuse_handled(box)
  local profile = box.spec.seccomp
  if type(profile) == "table" and profile.handled then
    return nil, failure.of(box, { op = "enter", errno = sys.errno.EOPNOTSUPP, checked = true,
      cause = "functions of the program that started it answer its system calls",
      remedy = "run the command from there, or give it a filter of its own: seccomp = ..." })
  end
  return true
end

--- Anew for each start: the container may have another life by then.
---@param box luactr.command
---@param run luactr.run
---@param host luactr.host
---@return true?
---@return luactr.error?
function M.plan(box, run, host)
  local plan, err =
    require("luactr.plan").enter(box.spec, host, run.target, run.options.leave)
  if not plan then
    return nil, require("luactr.source").annotate(err)
  end
  require("luactr.launch.slots").encode(box, plan)
  return true
end

return M
