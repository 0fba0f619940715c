--- What a container has written goes into a directory of the host: the one below it, say, so that
--- the next container begins with it.
---
--- The directory may be hostile, as the container's files are: no link in it is followed.
local below = require "luactr.files.below"
local inside = require "luactr.files.inside"
local remove = require "luactr.files.remove"
local roots = require "luactr.container.root"
local uppers = require "luactr.container.upper"

local sys <const> = require("luactr.core").sys

local M = {}

local WHAT <const> = "promote the changes of"
local PUBLIC <const> = 493 -- 0755

local function is_same(path, stat)
  local other = sys.stat(path)
  return other and other.dev == stat.dev and other.ino == stat.ino
end

--- What is in use as a layer must not change.
local function check_use(subject, fd, directory)
  local stat = sys.stat(fd)
  for _, lower in ipairs(subject.kept.lower or {}) do
    if is_same(lower, stat) and (subject.kept.image or subject.process) then
      return roots.failure(subject, WHAT, { code = "EBUSY", path = directory,
        cause = subject.kept.image and "it is a layer of an image, which its containers share"
          or "it is a layer of the container, which runs",
        remedy = subject.kept.image and "box:commit makes an image of the changes"
          or "stop the container first" })
    end
  end
  return true
end

local function open_directory(subject, directory)
  sys.mkdir(directory, PUBLIC)
  local fd, _, errno = sys.open(directory, sys.O_RDONLY | sys.O_DIRECTORY)
  if not fd then
    return roots.failure(subject, WHAT, { errno = errno, path = directory, checked = false })
  end
  local done, err = check_use(subject, fd, directory)
  if not done then
    fd:close()
  end
  return done and fd, err
end

--- What has this path, if it can be reached.
local function delete(top, path)
  local parts = inside.components(path)
  local parent = below.parent(top, parts, path)
  if parent then
    remove.name(parts[#parts], parent)
  end
  if parent and parent ~= top then
    parent:close()
  end
end

local function is_whiteout(entry)
  return entry.type == "char" and entry.major == 0 and entry.minor == 0
end

local function apply(entry, top, target, source)
  if is_whiteout(entry) then
    delete(top, entry.path)
    return true
  elseif entry.opaque and entry.path ~= "." then
    delete(top, entry.path)
  end
  return target:put(entry, source)
end

local function apply_all(subject, upper, top)
  local ignored = uppers.made_by_start(subject)
  local place = sys.open(".", sys.O_PATH | sys.O_DIRECTORY, nil, { dir = upper })
  local source <close> = require("luactr.files.source").open(place,
    { ids = uppers.ids(subject), layer = true })
  local target <close> = require("luactr.files.target").open(top,
    { keep = true, privileges = true, acls = true, replace = true, devices = true })
  while true do
    local entry, err = source:next()
    local done = entry ~= nil
    if entry and not ignored["/" .. entry.path] then
      done, err = apply(entry, top, target, source)
    end
    if err then
      return nil, err
    elseif not done then
      return target:finish()
    end
  end
end

--- Do to a directory what was done to the root.
---@param subject luactr.container.subject
---@param directory string
---@return boolean? done
---@return luactr.error?
function M.run(subject, directory)
  local upper <close>, err = uppers.open(subject, WHAT)
  if not upper then
    return nil, err
  end
  local top <close>, problem = open_directory(subject, directory)
  if not top then
    return nil, problem
  end
  local done
  done, err = apply_all(subject, upper, top)
  return done, err and err:wrap(string.format("cannot %s %q", WHAT, subject.id))
end

return M
