--- The image store: blobs and unpacked layers by their digests, and names for manifests.
--
-- On disk (DIRECTORY is /var/lib/luactr/images for root, $XDG_DATA_HOME/luactr/images for others;
-- LUACTR_IMAGES overrides both; all of it for its owner alone):
--
--   names.json              "NAME:TAG" -> { digest, size, mediaType, time }
--   lock, names.lock        see luactr.image.store.lock
--   reserve                 room for names.json on a full disk
--   blobs/sha256/HEX        manifests, configs, and layers as they came
--   layers/HEX/             layers unpacked, by diff id: tree/ and layer.json
--   tmp/PID-START-TOKEN/    what is just being made
--   cache/KEY               which layer a step of a build has made
--   uses/CONTAINER.TOKEN    the layers that a container relies on
--   cache/HEX               which layer a step of a build has made, see luactr.image.build.cache
--
-- Everything gets its place by rename, whole. Whatever kills luactr, what is left is in tmp/ or
-- referred to by no name, and gc() removes it.
local blob = require "luactr.image.blob"
local catalog = require "luactr.image.store.catalog"
local directory = require "luactr.image.store.directory"
local disk = require "luactr.image.store.disk"
local layers = require "luactr.image.store.layers"
local lock = require "luactr.image.store.lock"
local names = require "luactr.image.store.names"
local reference = require "luactr.image.reference"
local stage = require "luactr.image.store.stage"

local sys <const> = require("luactr.core").sys

local M = {}

local PATIENCE <const> = 60 -- seconds that a garbage collection of somebody else may take
local SMALL <const> = 16 << 20 -- bytes that read() takes into memory

---@class luactr.image.store open until close()
---@field path string
---@field write boolean
local Store = { __name = "luactr.image.store" }
Store.__index = Store

-- ---- opening

M.path = directory.path

---@class luactr.image.store_options
---@field root? string its directory, see luactr.image.store.path
---@field write? boolean it is made where there is none, and no garbage is collected until close()

--- Open the image store. One that is only read may be missing: then it has no images.
---@param options? luactr.image.store_options
---@return luactr.image.store?
---@return luactr.error?
function M.open(options)
  options = options or {}
  local path, write = options.root or M.path(), options.write or false
  local done, err
  if write then
    done, err = directory.make(path)
  else
    done, err = directory.check_owner(path)
    done = done or err.code == "ENOENT"
  end
  local held
  if done then
    held, err = lock.open(path .. "/lock", write)
  end
  if not held then
    return nil, err
  end
  local store = setmetatable({ path = path, write = write, lock = held, holds = 0 }, Store)
  if write then
    names.reserve(path)
    done, err = store:hold()
    if not done then
      held:close()
      return nil, err
    end
  end
  return store
end

--- Keep garbage collection away until release(), which is called as often.
---@return boolean? done
---@return luactr.error?
function Store:hold()
  if self.holds == 0 then
    local done, err = self.lock:take("shared", PATIENCE)
    if not done then
      return nil, err
    end
  end
  self.holds = self.holds + 1
  return true
end

function Store:release()
  self.holds = self.holds - 1
  if self.holds == 0 then
    self.lock:drop()
  end
end

--- Do something while no garbage is collected.
local function holding(store, act, ...)
  local done, err = store:hold()
  if not done then
    return nil, err
  end
  local results = table.pack(pcall(act, ...))
  store:release()
  if not results[1] then
    error(results[2], 0)
  end
  return table.unpack(results, 2, results.n)
end

local function check_writable(store)
  if not store.write then
    error("the image store is not open for writing", 3)
  end
end

--- Idempotent.
function Store:close()
  if self.own_stage then
    self.own_stage:close()
    self.own_stage = nil
  end
  self.lock:close()
end

Store.__close = Store.close
Store.__gc = Store.close

-- ---- putting in

--- A directory to make things in, of our own until its close().
---@return luactr.image.stage?
---@return luactr.error?
function Store:stage()
  check_writable(self)
  return stage.new(self.path)
end

--- Put a small blob in.
---@param text string
---@param media_type string
---@return luactr.image.descriptor?
---@return luactr.error?
function Store:put(text, media_type)
  check_writable(self)
  local err
  if not self.own_stage then
    self.own_stage, err = stage.new(self.path)
    if not self.own_stage then
      return nil, err
    end
  end
  return blob.put(self.path, self.own_stage, text, media_type)
end

--- Take a file of a stage, whose digest has been checked, as a blob.
---@param from luactr.image.stage
---@param name string of the file
---@param descriptor luactr.image.descriptor
---@return boolean? done
---@return luactr.error?
function Store:adopt_blob(from, name, descriptor)
  check_writable(self)
  local path = from.path .. "/" .. name
  local problem = reference.digest_problem(descriptor.digest)
  local stat = sys.stat(path, sys.AT_SYMLINK_NOFOLLOW)
  if not problem and stat and stat.size ~= descriptor.size then
    problem = string.format("it has %d bytes, its descriptor says %d", stat.size, descriptor.size)
  end
  if problem then
    return disk.refused { code = "EBADMSG", op = "rename", path = path, cause = problem,
      message = "this is not the blob " .. tostring(descriptor.digest), checked = true }
  elseif self:has_blob(descriptor.digest, descriptor.size) then
    return disk.remove(path)
  end
  local done, message, errno = sys.rename(path, blob.path(self.path, descriptor.digest))
  if not done then
    return disk.failed(message, errno, "rename", path)
  end
  return true
end

--- Take a directory of a stage as an unpacked layer; no change when another was first.
---@param from luactr.image.stage
---@param name string of the directory
---@param diff_id string
---@param info? luactr.image.layer_info
---@return boolean? done
---@return luactr.error?
function Store:adopt_layer(from, name, diff_id, info)
  check_writable(self)
  return layers.adopt(self.path, from, name, diff_id, info or {})
end

-- ---- taking out

---@param digest string
---@param size? integer that it should have
---@return boolean
function Store:has_blob(digest, size)
  return blob.exists(self.path, digest, size)
end

--- Open a blob for reading; its digest is not checked.
---@param digest string
---@return luactr.fd?
---@return luactr.error? code "ENOENT"
function Store:open_blob(digest)
  return blob.open(self.path, digest)
end

--- The text of a small blob, checked.
---@param digest string
---@return string?
---@return luactr.error? code "ENOENT", "EBADMSG" for one that is damaged
function Store:read(digest)
  return blob.read(self.path, digest, SMALL)
end

--- The directory of an unpacked layer.
---@param diff_id string
---@return string?
function Store:layer(diff_id)
  return layers.tree(self.path, diff_id)
end

-- ---- names

--- Point a name at a manifest. All that the manifest refers to has to be in the store.
---@param name string
---@param descriptor luactr.image.descriptor of the manifest
---@return luactr.image?
---@return luactr.error?
function Store:set(name, descriptor)
  check_writable(self)
  return catalog.set(self, name, descriptor)
end

--- The image of that name, or the only one whose last components are the name.
---@param name string
---@return luactr.image?
---@return luactr.error? code "ENOENT", "ENOTUNIQ", "EINVAL"
function Store:find(name)
  return holding(self, catalog.find, self, name)
end

--- All images, by name. One that cannot be read has an `error`, and little else.
---@param in_full? boolean the digests of manifests and configs are checked, too
---@return luactr.image[]?
---@return luactr.error?
function Store:list(in_full)
  return holding(self, catalog.list, self, in_full)
end

--- Give an image one more name.
---@param old string
---@param new string
---@return boolean? done
---@return luactr.error?
function Store:tag(old, new)
  check_writable(self)
  return catalog.tag(self, old, new)
end

--- Take a name away. What no other name or container needs is removed by gc().
---@param name string
---@return string? key the name that is gone
---@return luactr.error?
function Store:remove(name)
  check_writable(self)
  return catalog.remove(self, name)
end

-- ---- garbage

--- Do something while nobody else works with the store.
local function alone(store, patience, act, ...)
  local done, err = store.lock:take("exclusive", patience or 10)
  local report
  if done then
    report, err = act(...)
  end
  local back, problem = store.lock:take("shared", PATIENCE)
  return back and report or nil, err or problem
end

---@class luactr.image.gc_options
---@field patience? number seconds to wait for others, 10
---@field keep_steps? boolean layers that builds remember stay

--- Remove what no name and no container refers to, when nobody else works with the store.
---@param options? luactr.image.gc_options
---@return luactr.image.collected?
---@return luactr.error? code "EBUSY"
function Store:gc(options)
  check_writable(self)
  options = options or {}
  return alone(self, options.patience, require("luactr.image.store.collect").run, self.path,
    options.keep_steps)
end

-- ---- containers

--- Say that a container is made of an image's layers: they are kept until the close() of what is
--- returned, or, after its disown(), as long as the container's state directory is there.
---@param of luactr.image
---@param container_id string
---@return luactr.image.use?
---@return luactr.error?
function Store:use(of, container_id)
  local function add()
    local trees, err = of:trees()
    if not trees then
      return nil, err
    end
    sys.mkdir(self.path .. "/uses", disk.PRIVATE_DIRECTORY)
    return require("luactr.image.store.uses").add(self.path, container_id, of)
  end
  return holding(self, add)
end

--- The containers that are made of just this image's layers.
---@param of luactr.image
---@return string[] ids
function Store:users(of)
  return require("luactr.image.store.uses").of(self.path, of.diff_ids)
end

-- ---- making

---@class luactr.image.parts
---@field name string
---@field config luactr.image.config all but rootfs and history; os and architecture are the host's
---@field layers { [1]: luactr.image.descriptor, [2]: string }[] blob and diff id, the lowest first
---@field history? luactr.image.history[]
---@field annotations? table<string, string> of the manifest

--- Make an image of layers that are in the store: its config and its manifest, and its name.
---@param parts luactr.image.parts
---@return luactr.image?
---@return luactr.error?
function Store:make(parts)
  check_writable(self)
  return require("luactr.image.store.make").run(self, parts)
end

--- What an image was made of, step by step, the first one first.
---@param of luactr.image
---@return luactr.image.step[]
function Store:history(of)
  return require("luactr.image.store.history").of(of)
end

--- Look whether everything is there and is what its digest says.
---@param name? string one image; all of them if left out
---@param options? luactr.image.verify_options
---@return luactr.image.verified?
---@return luactr.error? code "EBUSY" for a repair while others work with the store
function Store:verify(name, options)
  local run = require("luactr.image.store.verify").run
  if options and (options.files or options.repair) then
    check_writable(self)
  end
  if options and options.repair then
    return alone(self, nil, run, self, name, options)
  end
  return holding(self, run, self, name, options)
end

return M
