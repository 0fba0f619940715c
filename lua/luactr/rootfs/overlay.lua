--- A root of layers. A layer is a directory of the host, or what another value for `rootfs` is made
--- of: the layers of an overlay, the files of an archive, a mount that luactr opens.
local overlays = require "luactr.spec.overlay"

local M = {}

---@class luactr.rootfs.layers: luactr.overlay
---@field lower string|luactr.rootfs|(string|luactr.rootfs)[] the topmost first
---@field upper? string|luactr.tmpfs a directory, or a tmpfs of that size
---@field work? string an empty directory beside upper; UPPER.work is made without it
---@field size? string|integer without upper: how much may be written to memory
---@field driver? "kernel"|"fuse-overlayfs" who makes one of the layers: a program of the host
---  where the kernel does not let a user without rights

---@class luactr.rootfs.layer
---@field path string of the host: a directory, or the file that is mounted
---@field open? fun(tree: luactr.idmap.tree): luactr.fd?, table? mounts a file, attached nowhere

local UPPER <const>, WORK <const> = "/upper", "/work"
local PUBLIC <const>, PRIVATE <const> = 493, 448 -- 0755, 0700

local function absolute(path)
  return path:sub(1, 1) == "/" and path or require("luactr.core").sys.getcwd() .. "/" .. path
end

-- ---- what the recipe says

local RULES <const> = { fields = { size = true, driver = true }, no_work = true,
  is_layer = function(value)
    return type(value) == "table" and type(value.layers) == "function"
  end,
  is_upper = function(value)
    return type(value) == "table" and value.type == "tmpfs"
  end }

--- The memory that takes what is written: ctr.tmpfs "512M" says the size where a mount has its
--- target.
local function size_of(layers)
  local upper = layers.upper
  local given = layers.size
  if type(upper) == "table" then
    given = upper.target
    if upper.options[1] then
      return nil, "upper: a tmpfs takes a size only: ctr.tmpfs \"512M\""
    end
  elseif upper and given then
    return nil, "size: is for an overlay without upper"
  end
  if not given then
    return nil
  end
  local size, mistake = require("luactr.units").size(given)
  return size, mistake and (type(upper) == "table" and "upper: " or "size: ") .. mistake
end

local DRIVERS <const> = { kernel = false, ["fuse-overlayfs"] = true }

local function driver_mistake(layers)
  local driver = type(layers) == "table" and layers.driver
  if driver and DRIVERS[driver] == nil then
    return "driver: \"kernel\" or \"fuse-overlayfs\" expected"
  end
end

--- The fields of a value, or what is wrong.
---@param layers luactr.rootfs.layers
---@return table? fields
---@return string? mistake
function M.new(layers)
  local mistake = overlays.mistake(layers, RULES) or driver_mistake(layers)
  local size
  if not mistake then
    size, mistake = size_of(layers)
  end
  if mistake then
    return nil, mistake
  end
  local upper = type(layers.upper) == "string" and absolute(layers.upper) or nil
  local stack = overlays.list(layers.lower)
  for i, layer in ipairs(stack) do
    stack[i] = type(layer) == "string" and absolute(layer) or layer
    if type(layer) == "table" and not layer:layers() then
      return nil, "lower: a root that is made of mounts, or none, cannot be a layer"
    end
  end
  return { stack = stack, upper = upper, size = size, options = layers.options,
    work = upper and (layers.work and absolute(layers.work) or upper .. ".work"),
    makes_work = upper and not layers.work,
    by_program = layers.driver and DRIVERS[layers.driver] or nil }
end

-- ---- the layers

--- Those below upper, the topmost first.
---@return luactr.rootfs.layer[]
local function lower_of(self)
  local list = {}
  for _, layer in ipairs(self.stack) do
    if type(layer) == "string" then
      list[#list + 1] = { path = layer }
    else
      local more = layer:layers()
      table.move(more, 1, #more, #list + 1, list)
    end
  end
  return list
end

--- As layers of another: what was written is the topmost.
function M.layers(self)
  local list = lower_of(self)
  if self.upper then
    table.insert(list, 1, { path = self.upper })
  end
  return list
end

--- Directories that can be mounted again; nil where one is a file.
local function directories_of(self)
  local list = {}
  for i, layer in ipairs(lower_of(self)) do
    if layer.open then
      return nil
    end
    list[i] = layer.path
  end
  return list
end

function M.kept(self, spec)
  local lower = directories_of(self)
  local is_found = self.upper and lower and not self.by_program -- whose marks are its own
  return { kind = is_found and "overlay" or "memory", lower = lower,
    upper = self.upper, work = self.work,
    userxattr = spec.namespaces.user == "new" or nil }
end

function M.find(self, path)
  local sys = require("luactr.core").sys
  for _, layer in ipairs(M.layers(self)) do
    if not layer.open and sys.stat(layer.path .. path, sys.AT_SYMLINK_NOFOLLOW) then
      return { root = layer.path, path = path }
    end
  end
end

-- ---- ready on the host

--- A work directory of our own beside upper, and what the layers need.
function M.prepare(self, directory)
  local sys = require("luactr.core").sys
  local resources, warnings = {}, {}
  local problem = self.by_program and require("luactr.rootfs.fuse").missing()
  if problem then
    return nil, problem
  end
  for i, layer in ipairs(self.stack) do
    if type(layer) == "table" then
      local resource, err = layer:prepare(directory .. "/layer" .. i)
      if not resource then
        return nil, err
      end
      resources[#resources + 1] = resource
      table.move(resource.warnings or {}, 1, #(resource.warnings or {}), #warnings + 1, warnings)
    end
  end
  if self.makes_work then
    sys.mkdir(self.upper, PUBLIC)
    sys.mkdir(self.work, PRIVATE)
  end
  return require("luactr.rootfs.resource").join(resources, warnings)
end

-- ---- steps

--- Whether layers get the container's users: an overlay takes such layers since Linux 5.19.
local function maps_layers(host)
  local kernel = host.kernel or { 5, 19 }
  return host.foreign and host.privileged
    and (kernel[1] > 5 or kernel[1] == 5 and kernel[2] >= 19) or nil
end

--- A layer that comes to the init as a descriptor: the mount of a file, and where the container has
--- users of its own, a directory whose files are to be theirs.
local function attached(layer, number, host)
  local slot, target = "tree:lower" .. number, "/lower" .. number
  return { op = "bind", source = layer.path, target = target, recursive = 0, set = 0, clear = 0,
    detached = slot, from = "rootfs",
    opened = { slot = slot, source = layer.path, recursive = false, open = layer.open,
      map = maps_layers(host), lenient = true } }
end

--- Whether a layer is mounted by luactr rather than named to the kernel.
local function is_opened(layer, host)
  return layer.open or maps_layers(host)
end

local function mount_step(layers, spec)
  local options = overlays.options(layers, absolute)
  if spec.namespaces.user ~= "host" then
    options[#options + 1] = "userxattr" -- the trusted ones are for the host's root
  end
  local sys = require("luactr.core").sys
  if overlays.is_single(options) then
    return { op = "fsmount", target = "/", type = "overlay", attributes = sys.MOUNT_ATTR_NODEV,
      options = options, from = "rootfs" }
  end
  return { op = "mount", source = "overlay", target = "/", type = "overlay", flags = sys.MS_NODEV,
    data = table.concat(options, ","), from = "rootfs" }
end

-- Mounted over "/", what is below is above where every path begins: only ".." leads there.
local ON_TOP <const> = "/.."

--- The place below all: steps, and how its directories are called outside.
local function tmpfs(self, host)
  local data = "mode=0755" .. (self.size and ",size=" .. self.size or "")
  local steps = { { op = "root_tmpfs", stage = host.stage, data = data, from = "rootfs" } }
  if not self.upper then
    steps[2] = { op = "mkdir", path = UPPER, mode = PUBLIC, from = "rootfs" }
    steps[3] = { op = "mkdir", path = WORK, mode = PRIVATE, from = "rootfs" }
  end
  return steps, host.stage == "/" and ON_TOP or host.stage
end

--- The same, where others find it: see luactr.rootfs.memory. Each life of a container that is
--- started again begins with another one.
local function memory(self)
  local slot <const> = "tree:upper"
  return { { op = "root_bind", source = "tmpfs", recursive = 0, detached = slot, from = "rootfs",
    opened = { slot = slot, source = "tmpfs", recursive = false, size = self.size,
      open = function(tree, run) return require("luactr.rootfs.memory").open(tree, run) end } } },
    ON_TOP
end

--- Without an upper directory the tmpfs below takes what is written, and goes with the container.
function M.steps(self, host, spec)
  if self.by_program then
    return require("luactr.rootfs.fuse").steps(self, lower_of(self), host, spec)
  end
  local is_found = self.is_found and not self.upper and host.privileged and spec.restart == "no"
  local steps, stage = (is_found and memory or tmpfs)(self, host)
  local layers = { lower = {}, upper = self.upper or stage .. UPPER,
    work = self.work or stage .. WORK, options = self.options }
  for i, layer in ipairs(lower_of(self)) do
    local step = is_opened(layer, host) and attached(layer, i, host)
    steps[#steps + 1] = step or nil
    layers.lower[i] = step and stage .. step.target or layer.path
  end
  steps[#steps + 1] = mount_step(layers, spec)
  return steps
end

return M
