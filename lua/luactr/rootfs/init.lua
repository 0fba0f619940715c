--- Where a container's / comes from. Each constructor returns a value whose `steps` are pure: what
--- has to be looked up on the host is looked up when the value is made.
---@class luactr.rootfs.constructors
local M = {}

---@class luactr.rootfs a value for the field `rootfs`
---@field where luactr.where?
---@field bare? boolean there is no root to build: it is luactr's own
local methods = {}
local Rootfs <const> = { __name = "luactr.rootfs", __index = methods }

-- The line that an error names: that of the constructor's caller.
local function caller()
  local info = debug.getinfo(3, "Sl")
  return info and { file = info.short_src, line = info.currentline }
end

local function new(kind, fields, where)
  fields.kind, fields.where = kind, where
  return setmetatable(fields, Rootfs)
end

local function failure(self, problem)
  problem.errno = problem.errno or require("luactr.core").sys.errno[problem.code]
  problem.where, problem.checked = self.where, true
  return require("luactr.error").new(problem)
end

--- The steps that make /.
---@param host table see luactr.host
---@param spec luactr.spec settled
---@return table[]? steps nil, error when the value could not be made
function methods:steps(host, spec)
  if self.problem then
    return nil, failure(self, self.problem)
  end
  return self.kind.steps(self, host, spec)
end

local NOTHING <const> = { close = function() end }

--- Make ready on the host what the steps rely on, before they are asked for.
---@param directory_of_container string on the host: what is put there goes with the container
---@return { close: fun() }? resource nil, error
function methods:prepare(directory_of_container)
  if self.problem then
    return nil, failure(self, self.problem)
  end
  local ok, problem = true, nil
  if self.kind.prepare then
    ok, problem = self.kind.prepare(self, directory_of_container)
  end
  if not ok then
    return nil, failure(self, problem)
  end
  return NOTHING
end

--- Where the container's file of that path is on the host, before there is a container: { file } of
--- the host, or { root, path } inside a directory; nil when the root file system has none.
---@param path string
---@return { file?: string, root?: string, path?: string }?
function methods:find(path)
  return self.kind.find and not self.problem and self.kind.find(self, path) or nil
end

---@class luactr.rootfs.kept what a root is, seen from the host
---@field kind "directory"|"overlay"|"memory"|"none"
---@field path? string of a directory
---@field inside? string or its name in the container's own directory
---@field copied? boolean the directory holds copies of the host's files
---@field lower? string[] of an overlay, the topmost first
---@field upper? string
---@field work? string
---@field userxattr? boolean how the overlay marks its files

--- What the root is, and what of it outlives the container.
---@param spec luactr.spec settled
---@return luactr.rootfs.kept
function methods:kept(spec)
  return self.kind.kept and self.kind.kept(self, spec) or { kind = "memory" }
end

local function absolute(path)
  if path:sub(1, 1) == "/" then
    return path
  end
  return require("luactr.core").sys.getcwd() .. "/" .. path
end

local directory <const> = {
  kept = function(self)
    return { kind = "directory", path = self.path }
  end,
  find = function(self, path)
    return { root = self.path, path = path }
  end,
  -- A tree may bring a node of the host's disk along, and the devices of /dev are on a mount of
  -- their own.
  steps = function(self)
    return {
      { op = "root_bind", source = self.path, recursive = 1, from = "rootfs" },
      { op = "mount_setattr", target = "/", set = require("luactr.core").sys.MOUNT_ATTR_NODEV,
        clear = 0, recursive = 1, from = "rootfs" },
    }
  end,
}

-- Options of a directory, and the module whose `of_mount` checks each.
local OPTIONS <const> = { idmap = "luactr.spec.idmap", quota = "luactr.spec.quota" }

-- The options of a directory normalized, or the caller's mistake.
local function checked(options)
  if options ~= nil and type(options) ~= "table" then
    return nil, "a table of options expected"
  end
  local problems, result = require("luactr.check").problems(), {}
  for name, value in pairs(options or {}) do
    if not OPTIONS[name] then
      return nil, "unknown option " .. tostring(name) .. ": idmap, quota"
    end
    result[name] = require(OPTIONS[name]).of_mount(value, name, problems)
  end
  return result, problems[1] and problems[1].path .. ": " .. problems[1].message
end

--- A directory of the host. In a container with users of its own, the files of the host's users are
--- those of the same users inside, where the file system can do that: idmap = false turns it off,
--- true makes a file system that cannot an error. A quota limits what the directory may hold, and
--- stays with it.
---@param path string
---@param options? { idmap?: boolean|table, quota?: string|integer|table }
---@return luactr.rootfs
function M.dir(path, options)
  if type(path) ~= "string" or path == "" or path:find("[\n\r]") then
    error("rootfs.dir: a directory's path expected", 2)
  end
  local settled, mistake = checked(options)
  if mistake then
    error("rootfs.dir: " .. mistake, 2)
  end
  return new(directory, { path = absolute(path), idmap = settled.idmap, quota = settled.quota },
    caller())
end

local empty <const> = {
  steps = function(_, host)
    return { { op = "root_tmpfs", stage = host.stage, data = "mode=0755", from = "rootfs" } }
  end,
}

--- Nothing: a tmpfs of the container's own.
---@return luactr.rootfs
function M.empty()
  return new(empty, {}, caller())
end

local UPPER <const>, WORK <const> = "/upper", "/work"

-- Without an upper directory the tmpfs below takes what is written, and goes with the container.
local function throw_away(layers, host, steps)
  -- mounted over "/", the stage is above where every path begins: only ".." leads there
  local stage = host.stage == "/" and "/.." or host.stage
  steps[2] = { op = "mkdir", path = UPPER, mode = 493, from = "rootfs" } -- 0755
  steps[3] = { op = "mkdir", path = WORK, mode = 448, from = "rootfs" } -- 0700
  return setmetatable({ upper = stage .. UPPER, work = stage .. WORK }, { __index = layers })
end

local overlay <const> = {
  kept = function(self, spec)
    local layers, lower = self.layers, table.move(self.directories, 1, #self.directories, 1, {})
    if layers.upper then
      table.remove(lower, 1)
    end
    return { kind = layers.upper and "overlay" or "memory", lower = lower,
      upper = layers.upper and absolute(layers.upper), work = layers.work and absolute(layers.work),
      userxattr = spec.namespaces.user == "new" or nil }
  end,
  find = function(self, path)
    local sys = require("luactr.core").sys
    for _, layer in ipairs(self.directories) do
      if sys.stat(layer .. path, sys.AT_SYMLINK_NOFOLLOW) then
        return { root = layer, path = path }
      end
    end
  end,
  steps = function(self, host, spec)
    local data = "mode=0755" .. (self.size and ",size=" .. self.size or "")
    local steps = { { op = "root_tmpfs", stage = host.stage, data = data, from = "rootfs" } }
    local layers = self.layers.upper and self.layers or throw_away(self.layers, host, steps)
    local overlays = require "luactr.spec.overlay"
    local options = overlays.options(layers, absolute)
    if spec.namespaces.user ~= "host" then
      options[#options + 1] = "userxattr" -- the trusted ones are for the host's root
    end
    local sys = require("luactr.core").sys
    steps[#steps + 1] = overlays.is_single(options)
      and { op = "fsmount", target = "/", type = "overlay", attributes = sys.MOUNT_ATTR_NODEV,
        options = options, from = "rootfs" }
      or { op = "mount", source = "overlay", target = "/", type = "overlay", flags = sys.MS_NODEV,
        data = table.concat(options, ","), from = "rootfs" }
    return steps
  end,
}

local OVERLAY_FIELDS <const> = { size = true }

--- Directories of the host as layers that look like one. What the container writes goes to `upper`;
--- without it to memory, of `size` at most, and is gone at the end.
---@param layers luactr.overlay with `size` for the memory
---@return luactr.rootfs
function M.overlay(layers)
  local overlays = require "luactr.spec.overlay"
  local mistake = overlays.mistake(layers, OVERLAY_FIELDS)
  local size
  if not mistake and layers.size then
    size, mistake = require("luactr.units").size(layers.size)
  end
  if not mistake and layers.size and layers.upper then
    mistake = "size: is for an overlay without upper"
  end
  if mistake then
    error("rootfs.overlay: " .. mistake, 2)
  end
  return new(overlay, { layers = layers, size = size,
    directories = overlays.directories(layers, absolute) }, caller())
end

local none <const> = {
  kept = function()
    return { kind = "none" }
  end,
  steps = function() return {} end,
  find = function(_, path)
    return { file = path }
  end,
}

--- No root file system of its own: the command sees luactr's. Nothing is mounted, and every
--- namespace that the recipe does not ask for is the host's. With `landlock` and `seccomp` that
--- confines a program where namespaces are forbidden.
---@return luactr.rootfs
function M.none()
  return new(none, { bare = true }, caller())
end

--- Programs of the host with the libraries they need, and nothing else.
---@param options luactr.rootfs.host_options
---@return luactr.rootfs
function M.host(options)
  local host = require "luactr.rootfs.host"
  local fields, mistake = host.new(options)
  if not fields then
    error("rootfs.host: " .. mistake, 2)
  end
  return new(host, fields, caller())
end

return M
