--- Give images away: as OCI layouts, directories or archives, and as archives for `docker load`.
--- Blobs go out as they came in, so that digests stay, and none that is damaged goes out.
local contents = require "luactr.image.export.contents"

local core <const> = require "luactr.core"
local sys <const> = core.sys

local M = {}

local DEFAULT_FORMAT <const> = "oci-archive"
local DIRECTORY_MODE <const>, FILE_MODE <const> = 493, 420 -- 0755, 0644
local CHUNK <const> = 1 << 24

---@class luactr.image.export_options
---@field format? "oci-archive"|"oci"|"docker-archive" the first if not given
---@field compression? "gzip"|"zstd" of the archive; layers stay as they are
---@field name? string in the archive, "NAME:TAG"; the image's own if not given
---@field progress? luactr.image.progress

local function failure(path, errno)
  return nil, require("luactr.error").new { op = "export", path = path, errno = errno,
    message = "cannot write " .. path }
end

-- ---- what is written

--- A blob, which is what its digest says.
local function open_blob(store, descriptor)
  local file, err = store:open_blob(descriptor.digest)
  local digest
  if file then
    digest, err = require("luactr.files.digest").of_fd(file)
  end
  if digest == descriptor.digest then
    sys.lseek(file, 0)
    return file
  elseif file then
    file:close()
  end
  return nil, err ~= nil and require("luactr.error").is(err) and err
    or require("luactr.error").new {
      code = "EBADMSG", errno = sys.errno.EBADMSG, op = "export", path = descriptor.digest,
      message = "the blob " .. descriptor.digest .. " is damaged", checked = true,
      cause = "the digest of what it holds is " .. digest,
      remedy = "import or pull the image again",
    }
end

local function in_memory(text)
  local file, message, errno = sys.memfd_create("luactr-export")
  if not file then
    return nil, require("luactr.error").from_sys(message, errno, "memfd_create")
  end
  local done
  done, message, errno = require("luactr.image.store.disk").write_all(file, text)
  if not done then
    return nil, require("luactr.error").from_sys(message, errno, "write")
  end
  sys.lseek(file, 0)
  return file
end

local function open_file(store, file)
  if file.text then
    return in_memory(file.text)
  end
  return open_blob(store, file.blob)
end

local function size_of(file)
  return file.text and #file.text or file.blob.size
end

--- Call put(file, fd) for all files.
local function each(work, files, put)
  local total = 0
  for _, file in ipairs(files) do
    total = total + size_of(file)
  end
  work.progress:start("export", total)
  for _, file in ipairs(files) do
    local fd <close>, err = open_file(work.store, file)
    local done
    if fd then
      done, err = put(file, fd)
    end
    if not done then
      return nil, err
    end
    work.progress:add(size_of(file))
  end
  work.progress:done()
  return true
end

-- ---- archives

--- The directories above a file, once each.
local function put_parents(writer, path, made)
  for at in path:gmatch("()/") do
    local directory = path:sub(1, at - 1)
    if not made[directory] then
      local done, err =
        writer:put { path = directory, type = "directory", mode = DIRECTORY_MODE, mtime = 0 }
      if not done then
        return nil, err
      end
      made[directory] = true
    end
  end
  return true
end

local function to_archive(work, files, fd, compression)
  local writer <close>, err = require("luactr.files.archive").writer(fd, { filter = compression })
  if not writer then
    return nil, err
  end
  local made = {}
  local done
  done, err = each(work, files, function(file, from)
    local fine, problem = put_parents(writer, file.path, made)
    if not fine then
      return nil, problem
    end
    return writer:put { path = file.path, type = "file", mode = FILE_MODE, mtime = 0,
      size = size_of(file), fd = from }
  end)
  if not done then
    return nil, err
  end
  return writer:finish()
end

-- ---- directories

local function copy(from, to, size)
  local left = size
  while left > 0 do
    local count, _, errno = sys.sendfile(to, from, math.min(left, CHUNK))
    if not count or count == 0 then
      return nil, errno or sys.errno.EBADMSG
    end
    left = left - count
  end
  return true
end

local function put_in(directory)
  return function(file, from)
    local path = directory .. "/" .. file.path
    for at in file.path:gmatch("()/") do
      sys.mkdir(directory .. "/" .. file.path:sub(1, at - 1), DIRECTORY_MODE)
    end
    local to <close>, _, errno =
      sys.open(path, sys.O_WRONLY | sys.O_CREAT | sys.O_EXCL, FILE_MODE)
    local done
    if to then
      done, errno = copy(from, to, size_of(file))
    end
    if not done then
      return failure(path, errno)
    end
    return true
  end
end

local THERE <const> = "there is something by that name, and an image takes nobody's place"

--- Beside its place and renamed, which an empty directory there does not hinder.
local function to_directory(work, files, path)
  local disk <const> = require "luactr.image.store.disk"
  local beside = string.format("%s.%d.new", path:gsub("/+$", ""), sys.getpid())
  local made, _, errno = sys.mkdir(beside, DIRECTORY_MODE)
  if not made then
    return failure(path, errno)
  end
  local done, err = each(work, files, put_in(beside))
  if done then
    done, _, errno = sys.rename(beside, path)
    err = not done and select(2, failure(path, errno)) or nil
    if err and err.code ~= "EACCES" then
      err.cause, err.checked = sys.stat(path) and THERE or nil, true
    end
  end
  if not done then
    disk.remove(beside)
  end
  return done, err
end

-- ---- the whole

local OPTIONS <const> = { "format", "compression", "name", "progress" }

local function check(to, options)
  local format, compression = options.format or DEFAULT_FORMAT, options.compression
  local unknown = require("luactr.image.known").problem(options, OPTIONS)
  if unknown then
    error(unknown, 3)
  elseif not contents.is_format(format) then
    error("format: one of " .. table.concat(contents.formats, ", ") .. " expected, got "
      .. tostring(format), 3)
  elseif compression ~= nil and compression ~= "gzip" and compression ~= "zstd" then
    error("compression: \"gzip\" or \"zstd\" expected, got " .. tostring(compression), 3)
  elseif format == "oci" and (compression or type(to) ~= "string") then
    error("format \"oci\" is a directory, by its path and without compression", 3)
  end
  return format, compression
end

local function described(image, name)
  return {
    name = name or image.name, config = image.manifest.config, layers = image.manifest.layers,
    manifest = { digest = image.digest, size = image.manifest_size,
      mediaType = image.manifest.mediaType },
  }
end

--- What is exported, under a name, with the size of its manifest.
---@param image luactr.image
---@param name? string
---@return luactr.image.export.image?
---@return luactr.error?
function M.describe(image, name)
  local described_image, err = described(image), nil
  if name then
    described_image.name, err = require("luactr.image.store.resolve").key(name)
  end
  local text
  if not err then
    text, err = image.store:read(image.digest)
  end
  if not text then
    return nil, err
  end
  described_image.manifest.size = #text
  described_image.manifest.mediaType = described_image.manifest.mediaType
    or require("luactr.image.document").types.manifest
  return described_image
end

local function write(work, files, to, format, compression)
  if format == "oci" then
    return to_directory(work, files, to)
  elseif type(to) == "string" then
    return require("luactr.files.whole").write(to, function(file)
      return to_archive(work, files, file, compression)
    end)
  end
  return to_archive(work, files, to, compression)
end

--- Write an image. A file is written whole or not at all; a directory must not be there, or empty.
---@param image luactr.image
---@param to string|luactr.fd|integer path, or where an archive is written to
---@param options? luactr.image.export_options
---@return boolean? done
---@return luactr.error? code "EBADMSG" for a damaged blob, "ENOENT", "ENOSPC"
function M.run(image, to, options)
  options = options or {}
  local format, compression = check(to, options)
  local progress <close> = options.progress or require("luactr.image.progress").none
  local work = { store = image.store, progress = progress }
  local what, err = M.describe(image, options.name)
  if not what then
    return nil, err
  end
  local held, problem = image.store:hold()
  if not held then
    return nil, problem
  end
  local done
  done, err = write(work, contents.of(what, format), to, format, compression)
  image.store:release()
  return done, err
end

return M
