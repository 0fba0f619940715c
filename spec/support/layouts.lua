-- OCI layouts and archives as others write them, right or wrong as a spec wants them.
--
--   local made = layouts.open(dir.path .. "/in")
--   made:index { made:image { { ["etc/motd"] = "hello\n" } } }

local blob = require("luactr.image.blob")
local document = require("luactr.image.document")
local json = require("luactr.image.json")
local support = require("support")
local sys = require("luactr.core").sys

local layouts = {}

---@class support.Layout
---@field path string
local Layout = {}
Layout.__index = Layout

--- Make one at a path.
function layouts.open(path)
  for _, name in ipairs { "", "/blobs", "/blobs/sha256" } do
    assert(sys.mkdir(path .. name, "0755"))
  end
  support.write(path .. "/oci-layout", '{"imageLayoutVersion":"1.0.0"}')
  return setmetatable({ path = path }, Layout)
end

function Layout:blob_path(digest)
  return self.path .. "/blobs/sha256/" .. digest:match("%x+$")
end

--- Put a blob in; its descriptor.
function Layout:blob(text, media_type)
  local digest = blob.digest(text)
  support.write(self:blob_path(digest), text)
  return { mediaType = media_type, digest = digest, size = #text }
end

local function header(name, kind, size, link)
  local function field(text, length) return text .. ("\0"):rep(length - #text) end
  local before = field(name, 100) .. "0000755\0" .. ("0000000\0"):rep(2)
    .. ("%011o\0"):format(size) .. ("0"):rep(11) .. "\0"
  local after = kind .. field(link or "", 100) .. "ustar\00000" .. ("\0"):rep(247)
  local sum = 8 * 32
  for text in (before .. after):gmatch(".") do sum = sum + text:byte() end
  return before .. ("%06o\0 "):format(sum) .. after
end

--- The text of a tar archive of files { [path] = text, { link = text } or {}, a device }, made
--- without tar(1), which takes longer than the specs.
function layouts.tar(files)
  local names, parts = {}, {}
  for name in pairs(files) do names[#names + 1] = name end
  table.sort(names)
  for _, name in ipairs(names) do
    local file = files[name]
    if type(file) == "table" then
      parts[#parts + 1] = header(name, file.link and "2" or "3", 0, file.link)
    else
      parts[#parts + 1] = header(name, "0", #file) .. file .. ("\0"):rep(-#file % 512)
    end
  end
  return table.concat(parts) .. ("\0"):rep(1024)
end

local function collect(files, directory, prefix)
  for _, entry in ipairs(assert(sys.readdir(directory))) do
    local path, name = directory .. "/" .. entry.name, prefix .. entry.name
    if entry.type == "directory" then
      collect(files, path, name .. "/")
    else
      files[name] = entry.type == "symlink" and { link = sys.readlink(path) } or support.read(path)
    end
  end
  return files
end

--- The text of a tar archive of a directory.
function layouts.archive(directory)
  return layouts.tar(collect({}, directory, ""))
end

local PROGRAMS <const> = { gzip = { "gzip", "-nc" }, zstd = { "zstd", "-qc" }, xz = { "xz", "-c" },
  bzip2 = { "bzip2", "-c" } }

--- A text compressed by a program.
function layouts.compressed(text, how)
  if not PROGRAMS[how] then return text end
  return support.must { stdin = text, table.unpack(PROGRAMS[how]) }
end

--- A layer of files; its descriptor and its diff id.
function Layout:layer(files, how)
  local tar = layouts.tar(files)
  return self:blob(layouts.compressed(tar, how), document.layer_type(how or "none")),
    blob.digest(tar)
end

--- An image of layers { [path] = text }, the lowest first; the manifest's descriptor. `change` is
--- told of the manifest and the config before they are written, `how` is the compression of layers.
function Layout:image(layers, change, how)
  local manifest = { schemaVersion = 2, mediaType = document.types.manifest, layers = {} }
  local config = { os = "linux", rootfs = { type = "layers", diff_ids = {} },
    architecture = document.platform_of(sys.uname().machine).architecture,
    config = { Cmd = { "/bin/true" }, Env = { "A=1" } } }
  for i, files in ipairs(layers) do
    manifest.layers[i], config.rootfs.diff_ids[i] = self:layer(files, how)
  end
  if change then change(manifest, config) end
  manifest.config = manifest.config or self:blob(json.encode(config), document.types.config)
  return self:blob(json.encode(manifest), document.types.manifest)
end

--- The descriptor under a name, or for a platform.
function layouts.with(descriptor, fields)
  local copy = { platform = fields.platform }
  for key, value in pairs(descriptor) do copy[key] = value end
  copy.annotations = fields.name and { ["org.opencontainers.image.ref.name"] = fields.name }
  return copy
end

--- Write index.json.
function Layout:index(descriptors)
  support.write(self.path .. "/index.json", json.encode {
    schemaVersion = 2, mediaType = document.types.index, manifests = descriptors })
  return self.path
end

--- An index as a blob.
function Layout:index_blob(descriptors)
  return self:blob(json.encode { schemaVersion = 2, mediaType = document.types.index,
    manifests = descriptors }, document.types.index)
end

return layouts
