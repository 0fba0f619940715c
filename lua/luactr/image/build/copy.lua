--- COPY and ADD: what is copied, for the key of the step, and where it goes.
local archive = require "luactr.files.archive"
local digest = require "luactr.files.digest"
local found = require "luactr.image.build.items"
local json = require "luactr.image.json"

local sys <const> = require("luactr.core").sys

local M = {}

-- ---- archives

local MAGIC <const> = { "^\x1f\x8b", "^BZh", "^\xfd7zXZ\0", "^%(\xb5/\xfd" }
local TAR_MAGIC_AT <const> = 257

local function looks_like_archive(head)
  for _, magic in ipairs(MAGIC) do
    if head:find(magic) then
      return true
    end
  end
  return head:sub(TAR_MAGIC_AT + 1, TAR_MAGIC_AT + 5) == "ustar"
end

local function open_item(from, item)
  return from.view.layers:open(item.real, sys.O_RDONLY | sys.O_NONBLOCK | sys.O_NOCTTY)
end

--- Mark the files that are tar archives: what is compressed but none is a file.
---@param from luactr.image.build.from
---@param items luactr.image.build.item[]
function M.find_archives(from, items)
  for _, item in ipairs(items) do
    if item.type == "file" and item.real then
      local file <close> = open_item(from, item)
      local head = file and file:read(512)
      if head and looks_like_archive(head) then
        sys.lseek(file, 0)
        local reader <close> = archive.reader(file)
        item.archive = reader ~= nil and reader:next() ~= nil
      end
    end
  end
end

-- ---- sources of entries

--- A file whose text is given.
local Text = { __name = "luactr.image.build.text" }
Text.__index = Text

function Text:next()
  if self.told then
    return nil
  end
  self.told = true
  return { path = self.path, type = "file", mode = 420, uid = 0, gid = 0, mtime = self.mtime,
    size = #self.text }
end

function Text:copy(to)
  local text = self.text
  while text ~= "" do
    local count, message, errno = sys.write(to, text)
    if not count then
      return nil, message, errno
    end
    text = text:sub(count + 1)
  end
  return true
end

function Text.close() end

Text.__close = Text.close

local function tree_of(from, item, path, options)
  if item.text then
    return setmetatable({ path = path, text = item.text, mtime = options.mtime }, Text)
  elseif from.context then
    return from.context:tree(item.real, path, options.notice)
  end
  return from.view:tree(item.real, path, { notice = options.notice })
end

-- ---- the key

local DESCRIBED <const> = { "path", "type", "mode", "size", "link", "major", "minor" }

local function describe(entry, with_owner)
  local record = { xattrs = {} }
  for _, field in ipairs(DESCRIBED) do
    record[field] = entry[field]
  end
  if with_owner then
    record.uid, record.gid = entry.uid, entry.gid
  end
  for name, value in pairs(entry.xattrs or {}) do
    record.xattrs[name] = value:gsub(".", function(c) return string.format("%02x", c:byte()) end)
  end
  return json.encode(record)
end

local function add_tree(sum, tree, with_owner)
  while true do
    local entry, err = tree:next()
    if not entry then
      return not err or nil, err
    end
    sum:update(describe(entry, with_owner))
    if entry.type == "file" and entry.fd then
      sys.lseek(entry.fd, 0)
      local size, message, errno = sum:update_fd(entry.fd)
      if not size then
        return nil, require("luactr.error").from_sys(message, errno, "read", entry.path)
      end
    end
  end
end

--- The digest of all that is copied.
---@param from luactr.image.build.from
---@param items luactr.image.build.item[]
---@return string?
---@return luactr.error?
function M.digest(from, items)
  local sum <close>, err = digest.new()
  if not sum then
    return nil, err
  end
  for i, item in ipairs(items) do
    sum:update(json.encode { i = i, name = item.name, type = item.type, text = item.text,
      archive = item.archive })
    if not item.text then
      local tree <close> = tree_of(from, item, ".", {})
      local done
      done, err = add_tree(sum, tree, not from.context)
      if not done then
        return nil, err
      end
    end
  end
  return sum:finish()
end

-- ---- copying

local function extract(from, item, place, directory)
  local file <close>, message, errno = open_item(from, item)
  if not file then
    return nil, require("luactr.error").from_sys(message, errno, "open", item.real)
  end
  local reader <close>, err = archive.reader(file)
  if not reader then
    return nil, err
  end
  local moved = { copy = function(_, to) return reader:copy(to) end }
  function moved.next()
    local entry, problem = reader:next()
    if entry then
      entry.path = directory .. "/" .. entry.path
      entry.link = entry.type == "link" and directory .. "/" .. entry.link or entry.link
    end
    return entry, problem
  end
  return place:put_all(moved)
end

--- Whether a path is to be a directory with the items in it: what its end says, what is there, and
--- whether there are several.
local function is_directory(place, items, wanted)
  if #items > 1 or wanted:find("/%.?$") or items[1].archive then
    return true
  end
  local real = place.view:resolve(wanted, true)
  local stat = real and place.view:find(real)
  return stat ~= nil and stat.type == "directory"
end

--- Put the items into a layer.
---@param from luactr.image.build.from
---@param items luactr.image.build.item[]
---@param place luactr.image.build.place
---@param wanted string absolute
---@param options { mtime: integer, notice?: fun(path: string, why: string) }
---@return boolean? done
---@return luactr.error?
function M.put(from, items, place, wanted, options)
  if #items > 1 and not wanted:find("/%.?$") then
    return found.failure(wanted, "several files go into a directory",
      "a / at its end: " .. wanted .. "/", sys.errno.ENOTDIR)
  end
  local into = is_directory(place, items, wanted)
  for _, item in ipairs(items) do
    local done, err
    if item.archive then
      done, err = extract(from, item, place, wanted)
    else
      local path = (into and item.type ~= "directory") and wanted .. "/" .. item.name or wanted
      local tree <close> = tree_of(from, item, path, options)
      done, err = place:put_all(tree)
    end
    if not done then
      return nil, err
    end
  end
  return place:finish()
end

return M
