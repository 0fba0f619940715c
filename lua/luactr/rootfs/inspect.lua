--- What kind of program a file is, read once until it changes.
local elf = require "luactr.rootfs.elf"

local M = {}

local MAX_FIRST_LINE <const> = 256 -- the kernel reads no more of a script

---@class luactr.rootfs.file
---@field elf luactr.elf?
---@field script { interpreter: string, argument: string }? of a file that starts with #!

-- The kernel passes what follows the interpreter as one argument.
local function parse_script(first)
  local interpreter, argument = first:match("^#![ \t]*([^ \t\n]+)[ \t]*([^\n]*)")
  if interpreter then
    return { script = { interpreter = interpreter, argument = argument } }
  end
  return nil, "a script whose first line names no interpreter"
end

local function parse(read)
  local first = read(0, MAX_FIRST_LINE) or ""
  if first:sub(1, 2) == "#!" then
    return parse_script(first)
  end
  local parsed, reason = elf.parse(read)
  return parsed and { elf = parsed }, reason
end

-- What is known of a path. Keyed by file system, for those of specs.
local known <const> = setmetatable({}, { __mode = "k" })

local function is_same_file(a, b)
  return a.ino == b.ino and a.mtime == b.mtime and a.size == b.size and a.dev == b.dev
end

--- What `make` returned for this path, unless the file has changed since.
---@param stat table of the path
---@param make fun(): any, string?
function M.remember(fs, path, stat, make)
  local paths = known[fs]
  if not paths then
    paths = {}
    known[fs] = paths
  end
  local entry = paths[path]
  if not entry or not is_same_file(entry.stat, stat) then
    local value, reason, errno = make()
    entry = { stat = stat, value = value, reason = reason, errno = errno }
    paths[path] = entry
  end
  return entry.value, entry.reason, entry.errno
end

--- What a file is.
---@return luactr.rootfs.file? file nil, reason, errno where a call failed
function M.file(fs, path)
  local stat, message, errno = fs.stat(path)
  if not stat then
    return nil, message, errno
  elseif stat.type ~= "file" then
    return nil, "not a regular file"
  end
  return M.remember(fs, path, stat, function()
    return fs.with_reader(path, parse)
  end)
end

return M
