--- Images as `docker save` writes them: manifest.json lists configs and layers by their files.
local document = require "luactr.image.document"
local json = require "luactr.image.json"

local M = {}

---@class luactr.image.docker.entry of manifest.json
---@field Config string file
---@field RepoTags? string[]
---@field Layers string[] files, the lowest first

local function is_texts(value)
  for key, element in pairs(type(value) == "table" and value or { false }) do
    if math.type(key) ~= "integer" or type(element) ~= "string" then
      return false
    end
  end
  return true
end

local function entries_of(bundle)
  local text, err = bundle:text("manifest.json", document.LARGEST)
  if not text then
    return nil, err
  end
  local list, problem = json.decode(text)
  if not list then
    return bundle:broken("its manifest.json cannot be used: " .. problem)
  elseif #list == 0 then
    return bundle:broken("its manifest.json lists no image")
  end
  for i, entry in ipairs(list) do
    if type(entry) ~= "table" or type(entry.Config) ~= "string" or not is_texts(entry.Layers)
      or entry.RepoTags ~= nil and not is_texts(entry.RepoTags) then
      return bundle:broken(string.format(
        "entry %d of its manifest.json is not { Config, RepoTags, Layers }", i))
    end
  end
  return list
end

local function names_of(list)
  local names = {}
  for _, entry in ipairs(list) do
    table.move(entry.RepoTags or {}, 1, #(entry.RepoTags or {}), #names + 1, names)
  end
  return names
end

local function is_named(entry, name)
  for _, known in ipairs(entry.RepoTags or {}) do
    if known == name or known == name .. ":latest" then
      return true
    end
  end
  return false
end

local function choose(bundle, list, name)
  if not name and #list == 1 then
    return list[1]
  end
  local names = names_of(list)
  for _, entry in ipairs(name and list or {}) do
    if is_named(entry, name) then
      return entry
    end
  end
  if not name then
    return bundle:broken("it holds several images: " .. table.concat(names, ", "),
      "one of these names: image = \"NAME\", or --image NAME")
  end
  return bundle:broken(string.format("it holds no image %q%s", name,
    require("luactr.nearest").hint(name, names)), #names > 0 and "one of these: "
    .. table.concat(names, ", ") or nil)
end

--- A config's file is named by its digest, which was the image's id before it had manifests.
local function check_digest(bundle, name, text)
  local hex = name:match("(%x+)%.json$") or name:match("sha256[:/](%x+)$")
  local digest = require("luactr.image.blob").digest(text)
  if hex and #hex == 64 and digest ~= "sha256:" .. hex then
    return bundle:broken(string.format("the digest of the config %s is %s", name, digest))
  end
  return true
end

--- One of the images of an archive.
---@param bundle luactr.image.bundle
---@param wanted luactr.image.wanted
---@return luactr.image.source?
---@return luactr.error?
function M.read(bundle, wanted)
  local list, err = entries_of(bundle)
  local entry, text, done
  if list then
    entry, err = choose(bundle, list, wanted.image)
  end
  if entry then
    text, err = bundle:text(entry.Config, document.LARGEST)
  end
  if text then
    done, err = check_digest(bundle, entry.Config, text)
  end
  if not done then
    return nil, err
  end
  local config, problem = document.config(text, #entry.Layers)
  if not config then
    return bundle:broken(string.format("the config %s cannot be used: %s", entry.Config, problem))
  end
  local layers = {}
  for i, file in ipairs(entry.Layers) do
    layers[i] = { file = file, diff_id = config.rootfs.diff_ids[i] }
  end
  return { names = entry.RepoTags or {}, config = text, config_type = document.types.config,
    parsed = config, layers = layers }
end

return M
