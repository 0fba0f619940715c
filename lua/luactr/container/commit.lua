--- What a container has written becomes an image: the layers that it was made of, and one more.
--- Only what was written is read, however large the image is.
local roots = require "luactr.container.root"

local sys <const> = require("luactr.core").sys

local M = {}

local WHAT <const> = "commit"

---@class luactr.commit_options
---@field message? string for the image's history
---@field author? string
---@field config? table fields of the image's config: Cmd, Entrypoint, Env, User, Labels, ...
---@field pause? boolean its processes are stopped meanwhile, so that nothing is half written
---@field compression? "gzip"|"zstd"|"none"
---@field notice? fun(path: string, why: string) told of what is left out

local OPTIONS <const> = { message = "string", author = "string", config = "table",
  pause = "boolean", compression = "string", notice = "function" }

--- The caller's mistake.
---@param options luactr.commit_options
---@return string?
function M.mistake(options)
  for name, value in pairs(options) do
    if not OPTIONS[name] then
      return "unknown option " .. tostring(name)
        .. require("luactr.nearest").hint(tostring(name), { "message", "author", "config",
          "pause", "compression", "notice" })
    elseif type(value) ~= OPTIONS[name] then
      return string.format("%s: %s expected, got %s", name, OPTIONS[name], type(value))
    end
  end
end

-- ---- what it was made of

--- The image below. A name may mean another one by now: the digest does not.
local function base_of(subject, store)
  local known = subject.kept.image
  if not known then
    return roots.failure(subject, WHAT, { code = "ENOTSUP",
      cause = "it was not made of an image, whose layers the new one could have",
      remedy = "luactr export NAME, and import the archive as an image" })
  end
  local text, err = store:read(known.digest)
  if not text then
    return nil, err
  end
  return require("luactr.image.store.image").read(store, known.name,
    { digest = known.digest, size = #text })
end

-- ---- the new layer

local function pack(subject, upper, stage, options)
  local path = stage.path .. "/blob"
  local file <close>, message, errno = sys.open(path, sys.O_RDWR | sys.O_CREAT | sys.O_EXCL, 384)
  if not file then
    return nil, require("luactr.error").from_sys(message, errno, "open", path)
  end
  local layer = require "luactr.image.layer"
  local uppers = require "luactr.container.upper"
  local packed, err = layer.pack(upper, file, { compression = options.compression,
    ids = uppers.ids(subject), ignored = uppers.made_by_start(subject),
    notice = options.notice })
  if packed then
    sys.lseek(file, 0)
    local known
    known, err = layer.unpack(file, stage, "tree", { diff_id = packed.diff_id,
      descriptor = { digest = packed.digest, size = packed.size, mediaType = packed.media_type } })
    return known and packed, known or err
  end
  return nil, err
end

local function add_layer(subject, upper, store, options)
  local stage <close>, err = store:stage()
  if not stage then
    return nil, err
  end
  local packed, info = pack(subject, upper, stage, options)
  if not packed then
    return nil, info
  end
  local descriptor = { mediaType = packed.media_type, digest = packed.digest, size = packed.size }
  local done
  done, err = store:adopt_blob(stage, "blob", descriptor)
  if done then
    done, err = store:adopt_layer(stage, "tree", packed.diff_id,
      { size = info.archive_size, files = info.files, bytes = info.bytes, blob = packed.digest })
  end
  return done and { descriptor, packed.diff_id } or nil, err
end

-- ---- the new image

local function copied(table, over)
  local copy = {}
  for _, from in ipairs { table or {}, over or {} } do
    for key, value in pairs(from) do
      copy[key] = value
    end
  end
  return copy
end

--- What is known of the steps below: one entry for each layer at least.
local function history_of(base)
  local history, layers = copied(base.config.history), 0
  for _, entry in ipairs(history) do
    layers = layers + (entry.empty_layer and 0 or 1)
  end
  for _ = layers + 1, #base.layers do
    table.insert(history, 1, { created = base.created or "1970-01-01T00:00:00Z" })
  end
  return history
end

local function parts_of(base, layer, name, options)
  local layers, history = {}, history_of(base)
  for i, descriptor in ipairs(base.layers) do
    layers[i] = { descriptor, base.diff_ids[i] }
  end
  layers[#layers + 1] = layer
  local created = os.date("!%Y-%m-%dT%H:%M:%SZ", math.floor(sys.clock_gettime("realtime")))
  history[#history + 1] = { created = created, created_by = "luactr commit",
    comment = options.message, author = options.author }
  local config = copied(base.config, { created = created, history = false, rootfs = false,
    author = options.author, config = copied(base.config.config, options.config) })
  config.history, config.rootfs = nil, nil
  return { name = name, config = config, layers = layers, history = history }
end

local function make(subject, upper, store, name, options)
  local base, err = base_of(subject, store)
  local layer
  if base then
    layer, err = add_layer(subject, upper, store, options)
  end
  if not layer then
    return nil, err
  end
  return store:make(parts_of(base, layer, name, options))
end

--- Make an image of what a container has written.
---@param subject luactr.container.subject
---@param name string "NAME:TAG"
---@param options luactr.commit_options
---@return luactr.image?
---@return luactr.error?
function M.run(subject, name, options)
  local upper <close>, err = require("luactr.container.upper").open(subject, WHAT)
  if not upper then
    return nil, err
  end
  local store <close>, problem = require("luactr.image.store").open { write = true,
    root = subject.kept.image and subject.kept.image.store }
  if not store then
    return nil, problem
  end
  local image
  image, err = make(subject, upper, store, name, options)
  return image, err and err:wrap(string.format("cannot commit %q", subject.id))
end

return M
