--- What a stage begins with, or copies from: nothing, an image, an earlier stage, a root file
--- system.
local configs = require "luactr.image.build.config"

local sys <const> = require("luactr.core").sys

local M = {}

---@class luactr.image.build.base
---@field title string for people
---@field layers { [1]: luactr.image.descriptor, [2]: string }[] the lowest first
---@field config luactr.image.run_config
---@field history luactr.image.history[]
---@field created? string
---@field platform table os, architecture and variant, where they are known
---@field directories? string[] of a root file system, the topmost first: it has no layers yet
---@field store luactr.image.store
local Base = { __name = "luactr.image.build.base" }
Base.__index = Base

--- The directories that it is made of, the topmost first.
---@return string[]
function Base:trees()
  if self.directories then
    return self.directories
  end
  local list, count = {}, #self.layers
  for i, one in ipairs(self.layers) do
    list[count - i + 1] = self.store:layer(one[2])
  end
  return list
end

--- Its layers and history, for who adds to them.
---@return table layers
---@return table history
function Base:copies()
  return table.move(self.layers, 1, #self.layers, 1, {}), configs.copy(self.history)
end

local function new(store, title, fields)
  fields.store, fields.title = store, title
  fields.layers, fields.history = fields.layers or {}, fields.history or {}
  fields.config, fields.platform = fields.config or {}, fields.platform or {}
  return setmetatable(fields, Base)
end

local function of_image(store, image)
  local trees, err = image:trees()
  if not trees then
    return nil, err
  end
  local layers = {}
  for i, descriptor in ipairs(image.layers) do
    layers[i] = { descriptor, image.diff_ids[i] }
  end
  local config = image.config
  return new(store, image.name, { layers = layers, config = config.config,
    history = config.history, created = config.created,
    platform = { os = config.os, architecture = config.architecture, variant = config.variant } })
end

local function of_name(store, name)
  if name == "scratch" then
    return new(store, name, {})
  end
  local image, err = store:find(name)
  if not image then
    if err.code == "ENOENT" then
      err.remedy = string.format("luactr image pull %s; luactr image ls lists all", name)
    end
    return nil, err
  end
  return of_image(store, image)
end

-- ---- root file systems

--- A value that copies what it would bind.
local function copying(rootfs)
  return rootfs.list and not rootfs.copy and setmetatable({ copy = true }, { __index = rootfs })
    or rootfs
end

local function directories_of(kept, own)
  if kept.kind == "directory" then
    return { kept.path or own .. "/" .. kept.inside }
  elseif kept.lower and #kept.lower > 0 then
    local list = { kept.upper }
    return table.move(kept.lower, 1, #kept.lower, #list + 1, list)
  end
end

local function of_rootfs(store, rootfs, stage)
  if rootfs.image and not rootfs.problem then
    return of_image(store, rootfs.image)
  end
  local own = string.format("%s/rootfs-%s", stage.path,
    require("luactr.image.store.disk").token())
  sys.mkdir(own, 448) -- 0700
  local value = copying(rootfs)
  local kept = value:kept { namespaces = { user = "host" } }
  local directories = directories_of(kept, own)
  if not directories then
    return nil, require("luactr.error").new { code = "ENOTSUP", op = "build",
      errno = sys.errno.ENOTSUP, message = "a root file system that is made of mounts is no "
        .. "beginning for an image", remedy = "a directory, layers, or ctr.rootfs.host { ... }" }
  end
  local ready, err = value:prepare(own)
  if not ready then
    return nil, err
  end
  return new(store, "a root file system", { directories = directories })
end

-- ---- use

local KINDS <const> = {
  string = function(store, value) return of_name(store, value) end,
  ["luactr.image"] = of_image,
  ["luactr.image.built"] = function(store, built)
    return new(store, built.title, { layers = built.layers, config = built.config.config,
      history = built.config.history, created = built.config.created,
      platform = built.platform })
  end,
  ["luactr.rootfs"] = of_rootfs,
}

local function kind_of(value)
  local class = type(value) == "table" and getmetatable(value)
  return class and class.__name or type(value)
end

--- Whether a value is something that a stage can begin with.
---@param value any
---@return boolean
function M.fits(value)
  return KINDS[kind_of(value)] ~= nil
end

---@param store luactr.image.store
---@param value any
---@param stage luactr.image.stage
---@return luactr.image.build.base?
---@return luactr.error?
function M.open(store, value, stage)
  local open = KINDS[kind_of(value)]
  if not open then
    return nil, require("luactr.error").new { code = "EINVAL", message = "from: the name of an "
      .. "image, \"scratch\", an earlier stage or a root file system expected, got "
      .. require("luactr.check").show(value) }
  end
  return open(store, value, stage)
end

return M
