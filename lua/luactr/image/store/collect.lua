--- Remove what nothing refers to: blobs, layers, stages of makers that are gone. Only under the
--- store's exclusive lock.
local blob = require "luactr.image.blob"
local disk = require "luactr.image.store.disk"
local document = require "luactr.image.document"
local json = require "luactr.image.json"
local layers = require "luactr.image.store.layers"
local names = require "luactr.image.store.names"
local stage = require "luactr.image.store.stage"
local uses = require "luactr.image.store.uses"

local sys <const> = require("luactr.core").sys

local M = {}

local LARGEST <const> = 65536 -- bytes of a note of what a step has made

---@class luactr.image.collected
---@field blobs integer how many were removed
---@field layers integer the same of unpacked layers
---@field steps integer the same of steps of builds that were remembered
---@field stages integer the same of directories that killed luactrs were working in
---@field bytes integer that the removed blobs had
---@field failures luactr.error[] what could not be removed

-- ---- what is referred to

-- A document of a named image, and what may be done when it cannot be read: a blob that is missing
-- refers to nothing, one that is damaged to nobody knows what.
local function read(root, what, digest, keep)
  keep.blobs[digest] = true
  local text, err = blob.read(root, digest, document.LARGEST)
  if not text then
    return nil, err.code ~= "ENOENT" and err or nil
  end
  local value, problem = document[what](text)
  if not value then
    return disk.refused { code = "EBADMSG", op = "read", path = digest, cause = problem,
      message = "the " .. what .. " " .. digest .. " cannot be read", checked = true }
  end
  return value
end

--- Mark what a manifest refers to.
local function mark(root, entry, keep)
  local manifest, err = read(root, "manifest", entry.digest, keep)
  local config
  if manifest then
    config, err = read(root, "config", manifest.config.digest, keep)
  end
  for _, layer in ipairs(manifest and manifest.layers or {}) do
    keep.blobs[layer.digest] = true
  end
  for _, diff_id in ipairs(config and config.rootfs.diff_ids or {}) do
    keep.layers[diff_id] = true
  end
  return err == nil, err
end

local LARGEST_STEP <const> = 65536

--- Steps that builds remember, by the paths of their entries.
local function steps_of(root)
  local steps = {}
  for _, entry in ipairs(sys.readdir(root .. "/cache") or {}) do
    local path = root .. "/cache/" .. entry.name
    local text = disk.read(path, LARGEST_STEP)
    steps[path] = text and json.decode(text) or {}
  end
  return steps
end

local function mark_steps(root, keep)
  for _, step in pairs(steps_of(root)) do
    if type(step.diff_id) == "string" and type(step.descriptor) == "table" then
      keep.layers[step.diff_id] = true
      keep.blobs[tostring(step.descriptor.digest)] = true
    end
  end
end

--- What names and containers refer to.
local function marked(root)
  local all, err = names.read(root)
  if not all then
    return nil, err
  end
  local keep = { blobs = {}, layers = {} }
  for name, entry in pairs(all) do
    local done, problem = mark(root, entry, keep)
    if not done then
      problem.remedy = "luactr image rm " .. name
      return nil, problem:wrap(string.format("image %q", name))
    end
  end
  local users, dead, images = uses.all(root)
  for digest in pairs(images) do -- as far as they can be read: the layers are known anyway
    mark(root, { digest = digest }, keep)
  end
  for diff_id in pairs(users) do
    keep.layers[diff_id] = true
  end
  return keep, nil, dead
end

-- ---- sweeping

local function sweep_blobs(root, keep, report)
  local directory = root .. "/blobs/sha256"
  for _, entry in ipairs(sys.readdir(directory) or {}) do
    local path = directory .. "/" .. entry.name
    if not keep["sha256:" .. entry.name] then
      local stat = sys.stat(path, sys.AT_SYMLINK_NOFOLLOW)
      local done, err = disk.remove(path)
      report.blobs = report.blobs + (done and 1 or 0)
      report.bytes = report.bytes + (done and stat and stat.size or 0)
      report.failures[#report.failures + 1] = err
    end
  end
end

local function sweep_layers(root, keep, report)
  local directory = root .. "/layers"
  for _, entry in ipairs(sys.readdir(directory) or {}) do
    if not keep["sha256:" .. entry.name] then
      local done, err = layers.discard(root, "sha256:" .. entry.name)
      report.layers = report.layers + (done and 1 or 0)
      report.failures[#report.failures + 1] = err
    end
  end
end

--- What steps of builds have made is no use without the layer.
local function sweep_cache(root)
  for _, entry in ipairs(sys.readdir(root .. "/cache") or {}) do
    local path = root .. "/cache/" .. entry.name
    local text = disk.read(path, LARGEST)
    local hex = text and text:match('"diff_id":"sha256:(%x+)"')
    if hex and not sys.stat(root .. "/layers/" .. hex, sys.AT_SYMLINK_NOFOLLOW) then
      disk.remove(path)
    end
  end
end

--- A step is remembered by its layer, and goes with it.
local function sweep_steps(root, keep, report)
  for path, step in pairs(steps_of(root)) do
    if not keep[step.diff_id or ""] then
      local done, err = disk.remove(path)
      report.steps = report.steps + (done and 1 or 0)
      report.failures[#report.failures + 1] = err
    end
  end
end

local function sweep_files(paths)
  local count, failures = 0, {}
  for _, path in ipairs(paths) do
    local done, err = disk.remove(path)
    count = count + (done and 1 or 0)
    failures[#failures + 1] = err
  end
  return count, failures
end

--- Collect garbage. The caller holds the store's lock exclusively.
---@param root string
---@param keep_steps? boolean what builds remember stays
---@return luactr.image.collected?
---@return luactr.error? when what is referred to cannot be told
function M.run(root, keep_steps)
  local keep, err, dead = marked(root)
  if not keep then
    return nil, err
  end
  if keep_steps then
    mark_steps(root, keep)
  end
  local report = { blobs = 0, layers = 0, steps = 0, stages = 0, bytes = 0, failures = {} }
  for _, name in ipairs { "names.json.new", "reserve.new" } do -- of who was killed: we are alone
    table.insert(dead, root .. "/" .. name)
  end
  sweep_files(dead)
  report.stages, report.failures = sweep_files(stage.dead(root))
  sweep_layers(root, keep.layers, report)
  if not keep_steps then
    sweep_steps(root, keep.layers, report)
  end
  sweep_cache(root)
  sweep_blobs(root, keep.blobs, report)
  return report
end

return M
