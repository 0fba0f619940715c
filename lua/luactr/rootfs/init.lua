--- Where a container's / comes from. Each constructor returns a value whose `steps` are pure: what
--- has to be looked up on the host is looked up when the value is made.
---@class luactr.rootfs.constructors
local M = {}

---@class luactr.rootfs a value for the field `rootfs`
---@field where luactr.where?
---@field bare? boolean there is no root to build: it is luactr's own
local methods = {}
local Rootfs <const> = { __name = "luactr.rootfs", __index = methods }

-- The line at a level of the stack that an error names; none where a tail call has left none.
local function line_at(level)
  local info = debug.getinfo(level + 1, "Sl")
  return info and info.currentline > 0 and { file = info.short_src, line = info.currentline } or nil
end

-- That of the constructor's caller.
local function caller()
  local where = line_at(3)
  return where
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
---@return { close: fun(), warnings?: string[] }? resource nil, error
function methods:prepare(directory_of_container)
  if self.problem then
    return nil, failure(self, self.problem)
  end
  local resource, problem = NOTHING, nil
  if self.kind.prepare then
    resource, problem = self.kind.prepare(self, directory_of_container)
  end
  if not resource then
    return nil, failure(self, problem)
  end
  return resource ~= true and resource or NOTHING
end

--- What the root is made of as layers of an overlay, the topmost first; nil when it is made of
--- mounts.
---@return luactr.rootfs.layer[]?
function methods:layers()
  return self.kind.layers and self.kind.layers(self)
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
---@field image? { name: string, digest: string, store: string } whose layers are below
---@field memory? { dev: integer, ino: integer } the tmpfs with its upper directory

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
  layers = function(self)
    return { { path = self.path } }
  end,
  find = function(self, path)
    return { root = self.path, path = path }
  end,
  -- A tree may bring a node of the host's disk along, and the devices of /dev are on a mount of
  -- their own.
  steps = function(self)
    local bind = { op = "root_bind", source = self.path, recursive = 1, from = "rootfs" }
    if self.devices then
      return { bind }
    end
    return {
      bind,
      { op = "mount_setattr", target = "/", set = require("luactr.core").sys.MOUNT_ATTR_NODEV,
        clear = 0, recursive = 1, from = "rootfs" },
    }
  end,
}

local function boolean(value, name, problems)
  return problems:check({ kind = "boolean" }, value, name)
end

local function by_module(module)
  return function(value, name, problems)
    return require(module).of_mount(value, name, problems)
  end
end

-- Options of a directory, and what checks each.
local OPTIONS <const> = {
  idmap = by_module "luactr.spec.idmap", quota = by_module "luactr.spec.quota", devices = boolean,
}

-- The options of a directory normalized, or the caller's mistake.
local function checked(options)
  if options ~= nil and type(options) ~= "table" then
    return nil, "a table of options expected"
  end
  local problems, result = require("luactr.check").problems(), {}
  for name, value in pairs(options or {}) do
    if not OPTIONS[name] then
      return nil, "unknown option " .. tostring(name) .. ": idmap, quota, devices"
    end
    result[name] = OPTIONS[name](value, name, problems)
  end
  return result, problems[1] and problems[1].path .. ": " .. problems[1].message
end

--- A directory of the host. In a container with users of its own, the files of the host's users are
--- those of the same users inside, where the file system can do that: idmap = false turns it off,
--- true makes a file system that cannot an error. A quota limits what the directory may hold, and
--- stays with it. With `devices` the device nodes in it are what they are on the host.
---@param path string
---@param options? { idmap?: boolean|table, quota?: string|integer|table, devices?: boolean }
---@return luactr.rootfs
function M.dir(path, options)
  if type(path) ~= "string" or path == "" or path:find("[\n\r]") then
    error("rootfs.dir: a directory's path expected", 2)
  end
  local settled, mistake = checked(options)
  if mistake then
    error("rootfs.dir: " .. mistake, 2)
  end
  return new(directory, { path = absolute(path), idmap = settled.idmap, quota = settled.quota,
    devices = settled.devices }, caller())
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

--- A value of a kind that has a module of its own; `level` of the caller's line. A constructor ends
--- with this call, which takes its place on the stack.
local function later(kind, fields, mistake, what, level)
  level = level or 2
  if not fields then
    error(string.format("%s: %s", what, mistake), level)
  end
  local where = line_at(level)
  return new(kind, fields, where)
end

--- Layers that look like one: directories of the host, and what other values are made of. What the
--- container writes goes to `upper`; without it to memory, of `size` at most, and is gone at the
--- end.
---@param layers luactr.rootfs.layers
---@return luactr.rootfs
function M.overlay(layers)
  local overlay = require "luactr.rootfs.overlay"
  local fields, mistake = overlay.new(layers)
  return later(overlay, fields, mistake, "rootfs.overlay")
end

local function path_of(path, what)
  if type(path) ~= "string" or path == "" or path:find("[\n\r\0]") then
    error(string.format("rootfs.%s: a file's path expected", what), 3)
  end
  return absolute(path)
end

--- The files of a tar archive, compressed or not: unpacked before each start, gone with the
--- container.
---@param path string
---@param options? { limits?: luactr.files.limits }
---@return luactr.rootfs
function M.tar(path, options)
  local tar = require "luactr.rootfs.tar"
  local fields, mistake = tar.new(path_of(path, "tar"), options)
  return later(tar, fields, mistake, "rootfs.tar")
end

--- A Debian, made by mmdebstrap or debootstrap when it is first used, and kept. What a container
--- writes is thrown away; as a layer of an overlay with `upper` it is kept, too.
---@param options luactr.rootfs.debootstrap_options
---@return luactr.rootfs
function M.debootstrap(options)
  local debootstrap = require "luactr.rootfs.debootstrap"
  local fields, mistake = debootstrap.new(options)
  return later(debootstrap, fields, mistake, "rootfs.debootstrap")
end

--- A squashfs in a file, which is only read. As the one layer of an overlay it can be written to.
---@param path string
---@return luactr.rootfs
function M.squashfs(path)
  local file = require "luactr.rootfs.file"
  return later(file, file.new("squashfs", path_of(path, "squashfs")))
end

--- An erofs in a file, in the same way.
---@param path string
---@return luactr.rootfs
function M.erofs(path)
  local file = require "luactr.rootfs.file"
  return later(file, file.new("erofs", path_of(path, "erofs")))
end

--- An image of the store: ctr.image "alpine". What its config says of the command, the environment
--- and the like counts where the recipe says nothing.
---@param name string|luactr.image
---@param options? luactr.rootfs.image_options
---@param level? integer of the caller
---@return luactr.rootfs
function M.image(name, options, level)
  if type(name) ~= "string" and getmetatable(name) == nil then
    error("image: an image's name expected", (level or 1) + 1)
  end
  local image = require "luactr.rootfs.image"
  local fields, mistake = image.new(name, options)
  return later(image, fields, mistake, "image", (level or 1) + 1)
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
