--- One life of a container or a command: what it holds, from its start to its end.
local core = require "luactr.core"

local sys <const> = core.sys

local M = {}

---@class luactr.run one life of a container, from start to the end of its resources
---@field keeper luactr.keeper
---@field resources { close: fun(self) }[]
---@field held table<string, luactr.fd> by slot: the descriptors that the recipe names
---@field passed { close: fun(self) }[] what the container got; closed once it has it
---@field process luactr.process
---@field scope? luactr.scope.handle
---@field cgroup? luactr.cgroup
---@field id_maps? luactr.idmap.maps with the ids of this life
---@field memory? luactr.rootfs.memory what its root writes to
---@field server? luactr.rootfs.fuse the program that serves its root
---@field target? luactr.target the container that a command enters
---@field captures table<string, luactr.capture> by stream
---@field logs table<string, luactr.fd> a monitor's ends of the streams that it logs or feeds
---@field relay? luactr.relay
---@field notify? luactr.notify
---@field callbacks? luactr.callbacks
---@field health? luactr.health
---@field signals? luactr.signals
---@field apart boolean its first process is outside of its pid namespace
---@field loose boolean neither a pid namespace nor a cgroup holds its processes together
---@field left? luactr.left the command, if it is this process's own child
---@field created? boolean all is done but the exec, which somebody else says when to do
---@field owner integer pid of the process that started it: a fork of it has copies of all handles
---@field warnings string[] what of the recipe is carried out in part only
---@field started number monotonic
---@field started_at number seconds since the epoch
local Run = {}
Run.__index = Run

--- Close it with all else, or when the start fails.
function Run:own(resource)
  self.resources[#self.resources + 1] = resource
  return resource
end

--- Close all, last acquired first. Idempotent.
function Run:close()
  for i = #self.resources, 1, -1 do
    self.resources[i]:close()
    self.resources[i] = nil
  end
end

--- Let go of all, which somebody else closes.
function Run:disown()
  for i = #self.resources, 1, -1 do
    local resource = self.resources[i]
    if resource.disown then
      resource:disown()
    end
  end
  self:close()
end

--- Leaving luactr.launch by an error, returned or raised, closes what there is already.
function Run:__close()
  if not self.started then
    self:close()
  end
end

--- A descriptor for the container: luactr's own is closed once that has it.
function Run:pass(fd)
  self.passed[#self.passed + 1] = self:own(fd)
  return fd
end

---@param warnings string[]
function Run:warn(warnings)
  table.move(warnings, 1, #warnings, #self.warnings + 1, self.warnings)
end

---@param options luactr.start_options
---@return luactr.run
function M.new(options)
  return setmetatable({
    resources = {}, passed = {}, captures = {}, logs = {}, warnings = {}, options = options,
    owner = sys.getpid(),
  }, Run)
end

return M
