--- Where in a tar archive its files are, so that they are read from there. libarchive reads through
--- what it skips, and does not tell places; image archives hold few files, and large ones.
local header = require "luactr.image.places.header"

local sys <const> = require("luactr.core").sys

local M = {}

local MOST_ENTRIES <const> = 100000
local LONGEST_EXTENSION <const> = 1 << 20

---@class luactr.image.place
---@field name string without "./" before and "/" behind it
---@field type "file"|"link"|"symlink"|"directory"|"other"
---@field link? string
---@field offset integer where its data begins
---@field size integer

local function broken(problem)
  return nil, require("luactr.error").new {
    code = "EBADMSG", errno = sys.errno.EBADMSG, op = "read", checked = true, cause = problem,
    message = "cannot read the archive",
  }
end

--- All of so many bytes from an offset on; less at the end of the file.
---@param fd luactr.anyfd
---@param offset integer
---@param size integer
---@return string? data
---@return luactr.error?
function M.read(fd, offset, size)
  local parts = {}
  sys.lseek(fd, offset)
  while size > 0 do
    local data, message, errno = sys.read(fd, size)
    if not data then
      return nil, require("luactr.error").from_sys(message, errno, "read")
    elseif data == "" then
      break
    end
    parts[#parts + 1], size = data, size - #data
  end
  return table.concat(parts)
end

--- The data behind a header that says more of the next one.
local function extension(self, found)
  if found.size > LONGEST_EXTENSION then
    return broken("a name is too long")
  end
  local data, err = M.read(self.fd, self.at, found.size)
  if data and #data < found.size then
    return broken("it is truncated")
  end
  return data, err
end

-- What such a header changes in the one after it.
local APPLY <const> = {
  pax = function(more, data)
    local records, problem = header.records(data)
    if not records then
      return problem
    end
    more.name, more.link = records.path or more.name, records.linkpath or more.link
    more.size = records.size and (math.tointeger(tonumber(records.size)) or -1) or more.size
    return records["GNU.sparse.major"] and "it holds sparse files"
  end,
  global = function() end,
  name = function(more, data) more.name = data:match("^%Z*") end,
  linkname = function(more, data) more.link = data:match("^%Z*") end,
}

local function block_at(self)
  local block, err = M.read(self.fd, self.at, header.BLOCK)
  if not block then
    return nil, err
  elseif block == "" and self.at == self.size then
    return false -- without the blocks that end an archive: others take that, too
  elseif #block < header.BLOCK then
    return broken("it is truncated")
  end
  local found, problem = header.parse(block)
  if found == nil then
    return broken(problem)
  end
  return found
end

local function skip(self, size)
  self.at = self.at + (size + header.BLOCK - 1) // header.BLOCK * header.BLOCK
end

local function finished(self, found, more)
  local size = more.size or found.size
  if size < 0 or size > self.size - self.at then
    return broken("it is truncated: " .. (more.name or found.name) .. " is not all there")
  end
  local name = more.name or found.name
  local place = {
    name = name:gsub("^%./+", ""):gsub("/+$", ""), type = found.type,
    link = found.link and (more.link or found.link), offset = self.at, size = size,
  }
  skip(self, size)
  return place
end

--- The next file; false at the end.
local function next_place(self)
  local more = {}
  while true do
    local found, err = block_at(self)
    if not found then
      return found, err
    end
    skip(self, header.BLOCK)
    if not APPLY[found.type] then
      return finished(self, found, more)
    end
    local data
    data, err = extension(self, found)
    local problem = data and APPLY[found.type](more, data)
    if not data or problem then
      return nil, err or select(2, broken(problem))
    end
    skip(self, found.size)
  end
end

--- Call `visit` for each file of an archive that is not compressed, until that returns false.
---@param fd luactr.anyfd a file that can be sought in
---@param visit fun(place: luactr.image.place): boolean?
---@return boolean? done
---@return luactr.error?
function M.each(fd, visit)
  local stat, message, errno = sys.stat(fd)
  if not stat then
    return nil, require("luactr.error").from_sys(message, errno, "read")
  end
  local self = { fd = fd, at = 0, size = stat.size }
  for _ = 1, MOST_ENTRIES do
    local place, err = next_place(self)
    if place == nil then
      return nil, err
    elseif not place or visit(place) == false then
      return true
    end
  end
  return broken("it has more than " .. MOST_ENTRIES .. " files")
end

return M
