-- Layers for specs: archives of entries, and where they are unpacked.

local archive = require("luactr.files.archive")
local layer = require("luactr.image.layer")
local support = require("support")
local sys = require("luactr.sys")

local M = {}

--- A memory file with a text, read from its beginning.
function M.memory(text)
  local fd = assert(sys.memfd_create("spec"))
  if text then
    assert(fd:write(text))
    sys.lseek(fd, 0)
  end
  return fd
end

--- An archive of entries; a file's data is `text`, its type "file" when it says none.
function M.tar(entries, filter)
  local fd = M.memory()
  local writer <close> = assert(archive.writer(fd, { filter = filter }))
  for _, entry in ipairs(entries) do
    entry.type = entry.type or "file"
    entry.mode = entry.mode or (entry.type == "directory" and 493 or 420)
    local data <close> = entry.text and M.memory(entry.text) or nil
    entry.fd, entry.size = data, entry.size or entry.text and #entry.text or nil
    assert(writer:put(entry))
    entry.fd = nil
  end
  assert(writer:finish())
  sys.lseek(fd, 0)
  return fd
end

--- A place to unpack into, as the store's stages are.
function M.stage()
  local dir = support.tmpdir()
  local fd = assert(sys.open(dir.path, "directory"))
  return setmetatable({ path = dir.path, fd = fd, tree = dir.path .. "/tree" }, {
    __close = function()
      fd:close()
      dir:close()
    end,
  })
end

--- Unpack a layer of entries into a stage's "tree".
function M.unpack(stage, entries, options)
  local fd <close> = M.tar(entries, options and options.filter)
  if options then options.filter = nil end
  return layer.unpack(fd, stage, "tree", options)
end

return M
