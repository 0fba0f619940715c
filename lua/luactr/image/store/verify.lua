--- Look whether images are whole: each blob has the bytes that its digest says, each layer is
--- unpacked, and on request has the files that its blob says. What is not can be unpacked again.
local blob = require "luactr.image.blob"
local compare = require "luactr.image.store.compare"
local layers = require "luactr.image.store.layers"
local uses = require "luactr.image.store.uses"

local M = {}

---@class luactr.image.verify_options
---@field files? boolean compare unpacked layers with what their blobs say, too
---@field repair? boolean the same, and unpack again what is not as it should be

---@class luactr.image.problem
---@field name string of the image
---@field digest? string of what is missing or damaged
---@field message string
---@field repaired? boolean it is in order by now

---@class luactr.image.verified
---@field images integer how many were looked at
---@field blobs integer how many were read
---@field bytes integer that they have
---@field problems luactr.image.problem[]

-- ---- blobs

local function blob_problem(root, descriptor)
  local file <close>, err = blob.open(root, descriptor.digest)
  if not file then
    return err.message
  end
  local digest, size = blob.digest_of(file)
  if not digest then
    return size.message
  elseif size ~= descriptor.size then
    return string.format("it has %d bytes, not %d", size, descriptor.size)
  elseif digest ~= descriptor.digest then
    return "its digest is " .. digest
  end
end

-- ---- files

local function unpack(store, stage, descriptor, diff_id, name)
  local file <close>, err = store:open_blob(descriptor.digest)
  if not file then
    return nil, err
  end
  return require("luactr.image.layer").unpack(file, stage, name,
    { descriptor = descriptor, diff_id = diff_id })
end

--- Put the fresh tree in place of one that is damaged or missing.
local function replace(store, stage, name, diff_id, unpacked)
  local users = uses.all(store.path)[diff_id]
  if users then
    return nil, "in use by " .. table.concat(users, ", ")
  end
  local done, err = layers.discard(store.path, diff_id)
  if done then
    done, err = layers.adopt(store.path, stage, name, diff_id,
      { files = unpacked.files, bytes = unpacked.bytes, size = unpacked.archive_size })
  end
  return done, err and err.message
end

--- A layer's files against what its blob says: a problem, and whether it is repaired.
local function files_problem(store, descriptor, diff_id, options)
  local tree = layers.tree(store.path, diff_id)
  local problem = not tree and "it is not unpacked" or nil
  if not options.files and not options.repair then
    return problem
  end
  local stage <close>, err = store:stage()
  local unpacked
  if stage then
    unpacked, err = unpack(store, stage, descriptor, diff_id, "tree")
  end
  if not unpacked then
    return problem or "it cannot be compared: " .. (err.cause or err.message)
  end
  if tree then
    local what, where = compare.difference(stage.path .. "/tree", tree)
    problem = what and string.format("%s: %s", where, what) or nil
  end
  if problem and options.repair then
    local done, why = replace(store, stage, "tree", diff_id, unpacked)
    return done and problem or problem .. "; not repaired: " .. why, done
  end
  return problem
end

-- ---- images

local function check_layer(store, image, i, options)
  local descriptor, found = image.layers[i], {}
  local problem = blob_problem(store.path, descriptor)
  if problem then
    found[1] = { digest = descriptor.digest, message = "its blob: " .. problem }
  end
  local repaired
  problem, repaired = files_problem(store, descriptor, image.diff_ids[i], options)
  if problem then
    found[#found + 1] = { digest = image.diff_ids[i], message = problem, repaired = repaired }
  end
  return found
end

local function check_image(store, image, options, report, seen)
  for i, descriptor in ipairs(image.layers) do
    local key = descriptor.digest .. image.diff_ids[i]
    if not seen[key] then
      seen[key] = check_layer(store, image, i, options)
      report.blobs, report.bytes = report.blobs + 1, report.bytes + descriptor.size
    end
    for _, found in ipairs(seen[key]) do
      table.insert(report.problems, { name = image.name, digest = found.digest,
        message = string.format("layer %d: %s", i, found.message), repaired = found.repaired })
    end
  end
end

local function images_of(store, name)
  if not name then
    return store:list(true)
  end
  local image, err = store:find(name)
  if not image then
    return nil, err
  end
  for _, found in ipairs(store:list(true)) do
    image = found.name == image.name and found or image
  end
  return { image }
end

--- The manifest and the config are checked when an image is read.
---@param store luactr.image.store
---@param name? string
---@param options? luactr.image.verify_options
---@return luactr.image.verified?
---@return luactr.error?
function M.run(store, name, options)
  local images, err = images_of(store, name)
  if not images then
    return nil, err
  end
  local report, seen = { images = #images, blobs = 0, bytes = 0, problems = {} }, {}
  for _, image in ipairs(images) do
    if image.error then
      table.insert(report.problems, { name = image.name, digest = image.digest,
        message = image.error.message .. (image.error.cause and ": " .. image.error.cause or "") })
    else
      check_image(store, image, options or {}, report, seen)
    end
  end
  return report
end

return M
