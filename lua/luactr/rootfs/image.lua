--- A root of an image's layers: an overlay of those in the store, unpacked once for all containers.
local overlay = require "luactr.rootfs.overlay"

local M = setmetatable({}, { __index = overlay })

---@class luactr.rootfs.image_options
---@field upper? string|luactr.tmpfs keep what is written in a directory, or so much in memory
---@field work? string an empty directory beside upper
---@field driver? "kernel"|"fuse-overlayfs" as of rootfs.overlay
---@field volumes? boolean false: what the image calls a volume is a directory like others

local OPTIONS <const> = { upper = true, work = true, driver = true, volumes = true }

local function check(options)
  for name in pairs(options) do
    if not OPTIONS[name] then
      return "unknown option " .. tostring(name) .. ": upper, work, driver, volumes"
    end
  end
  if options.volumes ~= nil and type(options.volumes) ~= "boolean" then
    return "volumes: true or false expected"
  end
end

-- ---- what the config leaves to who runs it

--- A user by number has the group of its line in /etc/passwd, or root's.
local function with_group(self, config)
  local uid = config.User and config.User:match("^%d+$")
  if not uid then
    return config
  end
  local place = overlay.find(self, "/etc/passwd")
  local gid = place and require("luactr.account").group_of(place, tonumber(uid)) or 0
  return setmetatable({ User = uid .. ":" .. gid }, { __index = config })
end

-- ---- the value

local function find(name)
  if type(name) == "table" then
    return name
  end
  local store <close>, err = require("luactr.image.store").open()
  if not store then
    return nil, err
  end
  return store:find(name)
end

local function layers_of(image)
  local trees, err = image:trees()
  if trees and #trees == 0 then
    return nil, require("luactr.error").new { code = "ENOENT", op = "open", checked = true,
      message = string.format("image %q has no layers", image.name),
      cause = "it is made of nothing, so there is nothing to run" }
  end
  return trees, err
end

--- The fields of a value. What is wrong with the image is kept until the value is used.
---@param name string|luactr.image
---@param options? luactr.rootfs.image_options
---@return table? fields
---@return string? mistake
function M.new(name, options)
  options = options or {}
  local mistake = check(options)
  if mistake then
    return nil, mistake
  end
  local image, err = find(name)
  local trees
  if image then
    trees, err = layers_of(image)
  end
  local fields
  fields, mistake = overlay.new { lower = trees or "/", upper = options.upper, work = options.work,
    driver = options.driver }
  if not fields then
    return nil, mistake
  end
  fields.is_found = true -- what is written can become an image, too
  fields.problem, fields.image, fields.volumes = err, image, options.volumes ~= false
  fields.config = trees and with_group(fields, image.config.config or {}) or {}
  return fields
end

--- As others find it when the container has ended: the layers below are the store's.
function M.kept(self, spec)
  local kept = overlay.kept(self, spec)
  kept.image = { name = self.image.name, digest = self.image.digest,
    store = self.image.store.path }
  return kept
end

-- ---- ready on the host

--- The kernel may have been told of a program that runs those of other machines: binfmt_misc.
local function of_another_machine(image)
  local document = require "luactr.image.document"
  local host = document.platform_of(require("luactr.core").sys.uname().machine)
  local theirs = image.config.architecture
  return theirs ~= host.architecture and string.format("image %q is for %s, and this machine is %s",
    image.name, theirs, host.architecture) or nil
end

--- Whoever removes images keeps the layers from now on.
function M.prepare(self, directory)
  local store <close>, err =
    require("luactr.image.store").open { root = self.image.store.path }
  local use
  if store then
    use, err = store:use(self.image, directory:match("[^/]+$"))
  end
  if not use then
    return nil, err
  end
  local below
  below, err = overlay.prepare(self, directory)
  if not below then
    use:close()
    return nil, err
  end
  local warnings = table.move(below.warnings or {}, 1, #(below.warnings or {}), 1, {})
  warnings[#warnings + 1] = of_another_machine(self.image)
  return require("luactr.rootfs.resource").join({ use, below }, warnings)
end

return M
