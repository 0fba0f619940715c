-- An image store of a spec's own, and small images in it.
--
--   local here <close> = images.open()
--   here:make("app:1", { { ["etc/motd"] = "hello" } })

local assert = require("luassert")
local blob = require("luactr.image.blob")
local document = require("luactr.image.document")
local store = require("luactr.image.store")
local support = require("support")

local images = {}

---@class support.Images
---@field path string of the store
---@field store luactr.image.store open for writing
local Here = {}
Here.__index = Here

function images.open()
  local dir = support.tmpdir()
  local path = dir.path .. "/images"
  return setmetatable({
    dir = dir, path = path, store = assert(store.open { root = path, write = true }),
  }, Here)
end

--- A layer of files { [path] = text }: its descriptor and its diff id. What is its archive does not
--- matter to the store, so that it is a list of the files.
function Here:layer(files, into)
  local to = into or self.store
  local stage <close> = assert(to:stage())
  local tree = setmetatable({ path = stage.path .. "/tree" }, { __index = self.dir })
  assert(require("luactr.sys").mkdir(tree.path, "0755"))
  local parts = {}
  for path, text in pairs(files) do
    tree:write(path, text)
    parts[#parts + 1] = path .. "=" .. text .. "\n"
  end
  table.sort(parts)
  local text = table.concat(parts)
  local descriptor = { mediaType = document.types.layer, digest = blob.digest(text), size = #text }
  support.write(stage.path .. "/blob", text)
  assert(to:adopt_blob(stage, "blob", descriptor))
  assert(to:adopt_layer(stage, "tree", descriptor.digest, { files = #parts, size = #text }))
  return { descriptor, descriptor.digest }
end

--- An image of such layers, the lowest first.
function Here:make(name, layers, config, into)
  local list = {}
  for i, files in ipairs(layers) do list[i] = self:layer(files, into) end
  return (into or self.store):make { name = name, layers = list,
    config = config or { created = "2026-01-31T12:00:00Z" } }
end

--- The names in a directory of the store, sorted.
function Here:names(directory)
  local list = {}
  for _, entry in ipairs(assert(require("luactr.sys").readdir(self.path .. "/" .. directory))) do
    list[#list + 1] = entry.name
  end
  table.sort(list)
  return list
end

--- Run luactr with this store.
function Here:luactr(...)
  return support.luactr { env = { LUACTR_IMAGES = self.path }, ... }
end

--- Run `luactr image`, which has to end with a status.
---@return string stdout
---@return string stderr
function Here:answers(status, ...)
  local result = self:luactr("image", ...)
  assert.equal(status, result.code, result.stderr)
  return result.stdout, result.stderr
end

--- The same, when it prints nothing but an error with that text.
function Here:refuses(status, text, ...)
  local stdout, stderr = self:answers(status, ...)
  assert.matches(text, stderr, 1, true)
  assert.equal("", stdout)
end

function Here:close()
  self.store:close()
  self.dir:close()
end
Here.__close = Here.close

return images
