--- The library: `local ctr = require "luactr"`. What is behind these names loads when it is used.
---@class luactr
---@field version string
---@field image luactr.image.module ctr.image "alpine" is a value for `rootfs`
---@field sys luactr.sys the kernel's primitives, one function each
---@field container fun(spec: luactr.container_spec): luactr.container
---@field run fun(spec: luactr.container_spec): luactr.result?, luactr.error? both in one
---@field pod fun(spec: luactr.pod_spec): luactr.pod containers that share namespaces and limits
---@field find fun(name: string): luactr.found?, luactr.error? a container of any process
---@field list fun(): luactr.found[] all containers
---@field events fun(options?: luactr.events_options): (fun(): luactr.event?)?, luactr.error?
---@field all fun(...): luactr.group several that end together, see luactr.loop.group
---@field any fun(...): luactr.group
---@field pipe fun(): luactr.pipe from stdout of one container to stdin of another
---@field pipeline fun(...: luactr.container): luactr.group
---@field spawn fun(fn: function, ...): luactr.task
---@field every fun(interval: string|number, fn: fun(timer: luactr.task)): luactr.task
---@field after fun(delay: string|number, fn: function): luactr.task
---@field sleep fun(time: string|number)
---@field loop luactr.loop run()
---@field resolv_conf fun(fields: luactr.resolv_conf): table files that tell who the host is
---@field hosts fun(addresses: table<string, string>): table
---@field timezone fun(zone: string): table
---@field machine_id fun(id?: string): table
---@field image luactr.image.module images of the store
---@field oci luactr.oci bundles
---@field rootfs luactr.rootfs.constructors dir(path), host { programs }, empty()
local M = {}

-- ---- containers

--- The line that a level of the caller's stack is at; nothing for a function in C.
local function line_at(level)
  local caller = debug.getinfo(level + 1, "Sl")
  if not caller or caller.currentline < 1 then
    return nil
  end
  return { file = caller.source:match("^@(.*)") or caller.short_src, line = caller.currentline }
end

--- Wrap a function(raw, where) so that it learns the recipe's line. `return ctr.container { ... }`
--- is a tail call: when it happens the recipe's frame is gone. But it was there when the name was
--- looked up, which is what `named` remembers.
local function located(make, named)
  return function(raw)
    local is_tail = debug.getinfo(1, "t").istailcall
    return make(raw, not is_tail and line_at(2) or named)
  end
end

local function container(raw, where)
  return require("luactr.container").new(raw, where)
end

--- Make a container and run it to its end.
local function run(raw, where)
  local box <close> = container(raw, where)
  return box:run()
end

local function pod(raw, where)
  return require("luactr.pod").new(raw, where)
end

-- ---- mounts: constructors of the tables that `mounts` takes

--- Read a constructor's options: what is not in `known` is the caller's mistake.
local function options_of(call, options, known)
  if options ~= nil and type(options) ~= "table" then
    error(string.format("%s: table of options expected, got %s", call, type(options)), 3)
  end
  for name in pairs(options or {}) do
    if not known[name] then
      local names = {}
      for candidate in pairs(known) do
        names[#names + 1] = candidate
      end
      local hint = require("luactr.nearest").hint(tostring(name), names)
      error(string.format("%s: unknown option %s%s", call, tostring(name), hint), 3)
    end
  end
  return options or {}
end

-- Options of the constructors that are options of mount(8) under the same name.
local FLAGS <const> = { "ro", "nosuid", "nodev", "noexec", "nosymfollow" }

local function mount_options(options, first)
  local list = { first }
  for _, flag in ipairs(FLAGS) do
    list[#list + 1] = options[flag] and flag or nil
  end
  list[#list + 1] = options.propagation
  for _, text in ipairs(options.options or {}) do
    list[#list + 1] = text
  end
  return list
end

---@class luactr.mount_options
---@field create? "dir"|"file"|"never" what is made at the target; as the source is, if left out
---@field propagation? string "private", "slave", "shared", "unbindable", or with r before it
---@field nosymfollow? boolean no symbolic link below is followed
---@field ro? boolean
---@field nosuid? boolean
---@field nodev? boolean
---@field noexec? boolean
---@field optional? boolean no error if the source is missing
---@field idmap? true|table bind: the files have the container's users
---@field recursive? boolean bind: with what is mounted below (the default)
---@field mode? string tmpfs: of its top directory, "1777"
---@field uid? integer tmpfs: owner of its top directory
---@field gid? integer tmpfs: its group
---@field nr_inodes? integer tmpfs: how many files there may be
---@field copy? boolean tmpfs: begin with what it covers
---@field options? string[] more, in the words of mount(8)

local MOUNT_OPTIONS <const> = {
  ro = true, nosuid = true, nodev = true, noexec = true, nosymfollow = true, options = true,
  optional = true, propagation = true, create = true,
}

local BIND_OPTIONS <const> =
  setmetatable({ recursive = true, idmap = true }, { __index = MOUNT_OPTIONS })

-- Options of the constructor that are options of tmpfs, in this order.
local TMPFS_DATA <const> = { "mode", "uid", "gid", "nr_inodes" }

local TMPFS_OPTIONS <const> = {
  ro = true, nosuid = true, nodev = true, noexec = true, nosymfollow = true, options = true,
  propagation = true, create = true, mode = true, uid = true, gid = true, nr_inodes = true,
  copy = true,
}

--- Show a file or directory of the host inside, with what is mounted below it. A source that is
--- open already stays open until the container has started.
---@param source string|integer|luactr.fd|file*
---@param target? string the same path if left out
---@param options? luactr.mount_options
function M.bind(source, target, options)
  options = options_of("bind", options, BIND_OPTIONS)
  local kind = options.recursive == false and "bind" or "rbind"
  return { type = "bind", source = source, target = target or source, create = options.create,
    options = mount_options(options, kind), optional = options.optional, idmap = options.idmap }
end

--- An empty file system in memory.
---@param target string
---@param size? string|integer "64M" or bytes
---@param options? luactr.mount_options
function M.tmpfs(target, size, options)
  options = options_of("tmpfs", options, TMPFS_OPTIONS)
  local list = mount_options(options)
  if size then
    local bytes, problem = require("luactr.units").size(size)
    list[#list + 1] = "size=" .. (bytes or error("tmpfs: " .. problem, 2))
  end
  for _, name in ipairs(TMPFS_DATA) do
    list[#list + 1] = options[name] and name .. "=" .. tostring(options[name])
  end
  list[#list + 1] = options.copy and "tmpcopyup"
  return { type = "tmpfs", source = "tmpfs", target = target, options = list,
    create = options.create }
end

---@class luactr.owner_options
---@field mode? string "0644"
---@field uid? integer as the container counts users
---@field gid? integer

local OWNER_OPTIONS <const> = { mode = true, uid = true, gid = true }

--- A file with the given content.
---@param target string
---@param content string
---@param options? luactr.owner_options
function M.file(target, content, options)
  options = options_of("file", options, OWNER_OPTIONS)
  return { type = "file", target = target, content = content, mode = options.mode,
    uid = options.uid, gid = options.gid }
end

--- A symbolic link: `target` is where it is, `text` what it says.
---@param text string
---@param target string
function M.symlink(text, target)
  return { type = "symlink", source = text, target = target }
end

--- A directory. One that is there already gets the mode and the owner that are given.
---@param target string
---@param options? luactr.owner_options
function M.dir(target, options)
  options = options_of("dir", options, OWNER_OPTIONS)
  return { type = "dir", target = target, mode = options.mode, uid = options.uid,
    gid = options.gid }
end

local function absolute(path)
  return path:sub(1, 1) == "/" and path or require("luactr.core").sys.getcwd() .. "/" .. path
end

--- Directories of the host as layers that look like one; read-only without `upper` and `work`.
---@param target string
---@param layers luactr.overlay
function M.overlay(target, layers)
  local overlay = require "luactr.spec.overlay"
  local mistake = overlay.mistake(layers)
  if mistake then
    error("overlay: " .. mistake, 2)
  end
  return { type = "overlay", source = "overlay", target = target,
    options = overlay.options(layers, absolute) }
end

--- A mount of any file system, in the words of mount(2).
---@param kind string "proc", "ext4"
---@param source string
---@param target string
---@param options? string[] names of mount(8)
function M.mount(kind, source, target, options)
  return { type = kind, source = source, target = target, options = options }
end

-- ---- the rest, on first use

local function identity(name)
  return function() return require("luactr.mount.identity")[name] end
end

local function task(name)
  return function() return require("luactr.loop.task")[name] end
end

local function group(name)
  return function() return require("luactr.loop.group")[name] end
end

local LAZY <const> = {
  all = group "all", any = group "any",
  pipe = function() return require("luactr.container.pipe").new end,
  pipeline = function() return require("luactr.container.pipe").pipeline end,
  spawn = task "spawn", every = task "every", after = task "after", sleep = task "sleep",
  loop = function() return require "luactr.loop" end,
  resolv_conf = identity "resolv_conf", hosts = identity "hosts",
  timezone = identity "timezone", machine_id = identity "machine_id",
  image = function() return require "luactr.image" end,
  rootfs = function() return require "luactr.rootfs" end,
  oci = function() return require "luactr.oci" end,
  sys = function() return require "luactr.sys" end,
  find = function() return require("luactr.container.found").find end,
  list = function() return require("luactr.container.found").all end,
  events = function() return require("luactr.container.events").read end,
  version = function() return require("luactr.core").version end,
}

--- ctr.image "alpine" is a value for `rootfs`, ctr.image.NAME a function about images.
local Image <const> = {
  __index = function(_, name) return require("luactr.image")[name] end,
  __call = function(_, name, options)
    local value = require("luactr.rootfs").image(name, options, 2)
    return value
  end,
}

LAZY.image = function() return setmetatable({}, Image) end

local LOCATED <const> = { container = container, run = run, pod = pod }

return setmetatable(M, {
  __index = function(_, name)
    if LOCATED[name] then
      return located(LOCATED[name], line_at(2))
    end
    local value = LAZY[name] and LAZY[name]()
    rawset(M, name, value)
    return value
  end,
})
