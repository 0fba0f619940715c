--- A directory into a layer: the archive is written here, and a thread compresses it and makes the
--- digests (core.pump).
local archive = require "luactr.files.archive"
local document = require "luactr.image.document"
local entries = require "luactr.image.layer.entries"
local source = require "luactr.files.source"

local core <const> = require "luactr.core"
local sys <const> = core.sys

local M = {}

local NANOSECONDS <const> = 1000000000
local BETWEEN_CALLS <const> = 64 -- entries

local function failed(message, errno, path)
  return nil, require("luactr.error").from_sys(message, errno, "pack", path)
end

--- The time that nothing is newer than, in nanoseconds.
local function epoch_of(options)
  local epoch = options.epoch or math.tointeger(tonumber(os.getenv("SOURCE_DATE_EPOCH")))
  return epoch and epoch * NANOSECONDS
end

local function put(writer, entry, epoch)
  local first, second = entries.packed(entries.clamped(entry, epoch))
  local done, err = writer:put(first)
  if done and second then
    done, err = writer:put(second)
  end
  return done, err
end

local function put_all(writer, files, options)
  local epoch, count, told = epoch_of(options), 0, 0
  while true do
    local entry, err = files:next()
    local done
    if entry and options.ignored and options.ignored["/" .. entry.path] then
      done = true
    elseif entry then
      done, err = put(writer, entry, epoch)
    elseif not err then
      done, err = writer:finish()
      return done, err or count
    end
    if not done then
      return nil, err
    end
    count, told = count + 1, told + (entry.size or 0)
    if options.progress and count % BETWEEN_CALLS == 0 then
      options.progress(told)
      told = 0
    end
  end
end

local function open_source(directory)
  local flags <const> = sys.O_PATH | sys.O_DIRECTORY
  if type(directory) == "string" then
    return sys.open(directory, flags)
  end
  return sys.open(".", flags, nil, { dir = directory })
end

local function pack(place, pipe, options)
  local files <close> = source.open(place, { ids = options.ids, notice = options.notice,
    layer = true })
  local writer <close>, err = archive.writer(pipe, { notice = options.notice })
  if not writer then
    return nil, err
  end
  return put_all(writer, files, options)
end

---@param directory luactr.fd|string
---@param to luactr.anyfd
---@param options luactr.image.pack_options
function M.run(directory, to, options)
  local compression = options.compression or "gzip"
  local place, message, errno = open_source(directory)
  if not place then
    return failed(message, errno, type(directory) == "string" and directory or nil)
  end
  local pump <close>, pipe, code = core.pump.pack(to, compression)
  if not pump then
    place:close()
    return failed(pipe, code)
  end
  local done, count = pack(place, pipe, options)
  pipe:close()
  local report
  report, message, errno = pump:finish(not done)
  if not report and errno ~= sys.errno.ECANCELED then
    return failed("cannot write the layer: " .. message, errno)
  elseif not done then
    return nil, count
  end
  return { digest = report.written_digest, size = report.written, diff_id = report.read_digest,
    media_type = document.layer_type(compression), files = count }
end

return M
