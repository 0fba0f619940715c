--- A layer into a directory: a thread decompresses and makes the digests (core.pump), and the files
--- are made beside it.
local archive = require "luactr.files.archive"
local document = require "luactr.image.document"
local entries = require "luactr.image.layer.entries"
local ids = require "luactr.files.ids"
local limits = require "luactr.image.limits"
local remove = require "luactr.files.remove"
local target = require "luactr.files.target"

local core <const> = require "luactr.core"
local sys <const> = core.sys

local M = {}

local BETWEEN_CALLS <const> = 64 -- entries
local TREE <const> = 493 -- 0755
local PRIVATE_FILE <const> = 384 -- 0600
local USERS <const> = 1 << 16 -- whoever has as many has all that images know

-- ---- errors

local REMEDIES <const> = {
  E2BIG = limits.remedy,
  ENOSPC = "luactr image gc, or an image store on another disk (LUACTR_IMAGES)",
  EDQUOT = "luactr image gc, or an image store on another disk (LUACTR_IMAGES)",
  ELIBACC = "apt install libarchive13 libnettle8",
}

local function wrong(code, cause)
  return nil, require("luactr.error").new {
    code = code, errno = sys.errno[code], op = "unpack", message = "cannot unpack the layer",
    cause = cause, checked = true, remedy = REMEDIES[code],
  }
end

--- What the thread has met.
local function pump_failed(self, message, errno)
  local code = sys.errname(errno)
  if code == "E2BIG" then
    return wrong(code, string.format("it becomes more than %d times as large", self.limits.ratio))
  elseif code == "EFBIG" then
    return wrong("EBADMSG", string.format("it has more than the %d bytes of its descriptor",
      self.options.descriptor.size))
  end
  return wrong(code, code ~= "ENOSPC" and message or nil)
end

-- ---- what was left out, once for each reason

local function notice(self, path, why)
  local known = self.known[why]
  if not known then
    known = { why = why, path = path, count = 0 }
    self.known[why], self.notices[#self.notices + 1] = known, known
  end
  known.count = known.count + 1
end

-- ---- who owns the files

--- Without users to give files to, all are one's own.
local function single_owner()
  local uid, gid = sys.geteuid(), sys.getegid()
  local file <close> = sys.open("/proc/self/uid_map", sys.O_RDONLY)
  local count = 0
  for _, range in ipairs(file and ids.parse(file:read(1 << 14)) or { { count = USERS } }) do
    count = count + range.count
  end
  return (uid ~= 0 or count < USERS) and { uid = uid, gid = gid } or nil
end

local OWN <const> = "its owner is another user, and only root gives files to others"

-- ---- the steps

local function open_tree(self)
  local made, message, errno = sys.mkdir(self.name, TREE, self.stage.fd)
  local fd
  if made then
    self.made = true
    fd, message, errno = sys.open(self.name, { "directory", "nofollow" }, nil,
      { dir = self.stage.fd })
  end
  if not fd then
    return wrong(sys.errname(errno), message)
  end
  sys.chmod(fd, TREE) -- whatever the umask says
  self.tree = fd
  return true
end

local function open_blob(self)
  if not self.options.blob then
    return true
  end
  local fd, message, errno = sys.open(self.options.blob, { "wronly", "creat", "excl", "nofollow" },
    PRIVATE_FILE, { dir = self.stage.fd })
  if not fd then
    return wrong(sys.errname(errno), message)
  end
  self.blob = fd
  return true
end

local function start_pump(self)
  local descriptor = self.options.descriptor
  local pump, fd, errno = core.pump.unpack(self.source, self.blob, descriptor and descriptor.size,
    self.limits.ratio)
  if not pump then
    return wrong(sys.errname(errno), fd)
  end
  self.pump, self.pipe = pump, fd
  return true
end

local function report_progress(self)
  local progress = self.options.progress
  if progress then
    local read = self.pump:progress()
    progress(read - self.told)
    self.told = read
  end
end

local function put(self, to, entry, reader)
  local meant, why, is_wrong = entries.unpacked(entry)
  if is_wrong then
    return wrong("EINVAL", why)
  elseif not meant then
    notice(self, entry.path, why)
    return true
  elseif self.owner and (entry.uid ~= 0 or entry.gid ~= 0) then
    notice(self, entry.path, OWN)
  end
  return to:put(meant, reader)
end

local function put_all(self, to, reader)
  local count = 0
  while true do
    local entry, err = reader:next()
    local done
    if entry then
      done, err = put(self, to, entry, reader)
    elseif not err then
      return to:finish()
    end
    if not done then
      return nil, err
    end
    count = count + 1
    if count % BETWEEN_CALLS == 0 then
      report_progress(self)
    end
  end
end

local function unpack(self)
  local reader <close>, err = archive.reader(self.pipe)
  if not reader then
    return nil, err
  end
  local to <close> = target.open(self.tree, {
    keep = true, top = true, acls = true, replace = true, follow = true,
    unseen = true, owner = self.owner,
    devices = self.options.devices, privileges = self.options.privileges ~= false,
    limits = { entries = self.limits.entries, bytes = self.limits.bytes,
      depth = self.limits.depth },
    notice = function(path, why) notice(self, path, why) end,
  })
  local done
  done, err = put_all(self, to, reader)
  self.files, self.bytes = to.entries, to.bytes
  return done, err
end

--- A failure of the thread comes first: the archive then ends early, and that is no news.
local function finish(self, done, err)
  self.pipe:close()
  local report, message, errno = self.pump:finish(not done)
  if report then
    return done and report or nil, err
  elseif errno == sys.errno.ECANCELED then
    return nil, err
  end
  return pump_failed(self, message, errno)
end

-- ---- whether it is what it has to be

local function check(self, report)
  local descriptor, diff_id = self.options.descriptor, self.options.diff_id
  if descriptor and descriptor.size ~= report.read then
    return wrong("EBADMSG", string.format("it has %d bytes, and its descriptor says %d",
      report.read, descriptor.size))
  elseif descriptor and descriptor.digest ~= report.read_digest then
    return wrong("EBADMSG", string.format("its digest is %s, and its descriptor says %s",
      report.read_digest, descriptor.digest))
  elseif diff_id and diff_id ~= report.written_digest then
    return wrong("EBADMSG", string.format("its diff id is %s, and the image's config says %s",
      report.written_digest, diff_id))
  end
  return true
end

local function result_of(self, report)
  return {
    digest = report.read_digest, size = report.read, diff_id = report.written_digest,
    media_type = document.layer_type(report.filter), archive_size = report.written,
    files = self.files, bytes = self.bytes, notices = self.notices,
  }
end

-- ---- all of it

local function run(self)
  for _, step in ipairs { open_tree, open_blob, start_pump } do
    local done, err = step(self)
    if not done then
      return nil, err
    end
  end
  local report, err = finish(self, unpack(self))
  report_progress(self)
  local fine = report
  if report then
    fine, err = check(self, report)
  end
  if not fine then
    return nil, err
  end
  return result_of(self, report)
end

local function close(self)
  for _, name in ipairs { "pipe", "pump", "blob", "tree" } do
    if self[name] then
      self[name]:close()
    end
  end
end

--- Of a failure nothing stays, so that a full disk is not full of it.
local function take_back(self)
  if self.made then
    remove.name(self.name, self.stage.fd)
  end
  if self.blob then
    sys.unlink(self.options.blob, self.stage.fd)
  end
end

local function checked_media_type(options)
  local media_type = options.descriptor and options.descriptor.mediaType
  if not media_type then
    return true
  end
  local known, problem = document.compression(media_type)
  if not known then
    return wrong("EINVAL", problem)
  end
  return true
end

local function limits_of(options)
  local settled = {}
  for name, default in pairs(limits.defaults) do
    settled[name] = options.limits and options.limits[name] or default
  end
  return settled
end

---@param source luactr.anyfd
---@param stage luactr.image.stage
---@param name string
---@param options luactr.image.unpack_options
---@return luactr.image.unpacked?
---@return luactr.error?
function M.run(source, stage, name, options)
  local fine, err = checked_media_type(options)
  if not fine then
    return nil, err
  end
  local self = { source = source, stage = stage, name = name, options = options, notices = {},
    known = {},    told = 0, owner = single_owner(),
    limits = limits_of(options) }
  local happened, result
  happened, result, err = pcall(run, self)
  close(self)
  if not happened or not result then
    take_back(self)
  end
  if not happened then
    error(result, 0)
  end
  if not result then
    err.remedy = err.remedy or REMEDIES[err.code]
    local digest = options.descriptor and options.descriptor.digest
    return nil, digest and err:wrap("layer " .. digest:sub(1, 19)) or err
  end
  return result
end

return M
