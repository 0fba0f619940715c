--- Entries of a layer's archive and files of an overlay's layer: how both say that something of the
--- layers below is gone. Pure.
local M = {}

local PREFIX <const> = ".wh."
local OPAQUE <const> = ".wh..wh..opq"
local RESERVED <const> = ".wh..wh." -- other notes of an old union file system

-- A name that cannot be deleted, since it is none.
local NO_NAMES <const> = { [""] = true, ["."] = true, [".."] = true }

local function copy_of(entry, changes)
  local copy = {}
  for key, value in pairs(entry) do
    copy[key] = value
  end
  for key, value in pairs(changes) do
    copy[key] = value
  end
  return copy
end

--- What an entry of an archive means: itself, or one of the type "whiteout" (its path is hidden) or
--- "opaque" (the directory at its path hides those below).
---@param entry luactr.files.entry
---@return luactr.files.entry? entry nil: none, with the reason
---@return string? why it means nothing
---@return boolean? wrong it cannot mean anything
function M.unpacked(entry)
  local directory, name = entry.path:match("^(.-)([^/]*)/*$")
  if name:sub(1, #PREFIX) ~= PREFIX then
    if entry.type == "char" and entry.major == 0 and entry.minor == 0 then
      return nil, "it is a device that would hide what is below"
    end
    return entry
  elseif name == OPAQUE then
    return { path = directory == "" and "." or directory, type = "opaque" }
  elseif name:sub(1, #RESERVED) == RESERVED then
    return nil, "it is a note of a union file system"
  end
  local hidden = name:sub(#PREFIX + 1)
  if NO_NAMES[hidden] then
    return nil, string.format("%q names no file to delete", name), true
  end
  return { path = directory .. hidden, type = "whiteout" }
end

local function mark(path, mtime)
  return { path = path, type = "file", size = 0, mode = 384, uid = 0, gid = 0, mtime = mtime }
end

--- What a layer's archive has for an entry of a layer in an overlay's form: one entry or two.
---@param entry luactr.files.entry `opaque` for a directory that hides those below
---@return luactr.files.entry
---@return luactr.files.entry?
function M.packed(entry)
  if entry.type == "char" and entry.major == 0 and entry.minor == 0 then
    local directory, name = entry.path:match("^(.-)([^/]*)$")
    return mark(directory .. PREFIX .. name, entry.mtime)
  elseif entry.opaque and entry.path ~= "." then
    return entry, mark(entry.path .. "/" .. OPAQUE, entry.mtime)
  end
  return entry
end

--- An entry that is not newer than an epoch.
---@param entry luactr.files.entry
---@param epoch? integer nanoseconds
---@return luactr.files.entry
function M.clamped(entry, epoch)
  if epoch and entry.mtime > epoch then
    return copy_of(entry, { mtime = epoch })
  end
  return entry
end

return M
