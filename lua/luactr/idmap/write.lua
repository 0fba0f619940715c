--- Write the maps of a new user namespace: into its files, or by the two programs that may map what
--- was granted. They are started by argv like everything, through luactr's own engine.
local core = require "luactr.core"

local sys <const> = core.sys

local M = {}

local HELP_SECONDS <const> = 10

local function write_file(pid, name, text)
  local path = string.format("/proc/%d/%s", pid, name)
  local file <close>, message, errno = sys.open(path, sys.O_WRONLY)
  if not file then
    return nil, message, errno
  end
  local count
  count, message, errno = file:write(text)
  return count, message, errno
end

--- Run a program of the host to its end. Its environment is empty: it is none of ours.
---@param argv string[]
---@return boolean? done
---@return string output what it printed
local function run(argv)
  local ended, err = require("luactr.program").run { seconds = HELP_SECONDS, table.unpack(argv) }
  if not ended then
    return nil, err.errno and sys.strerror(err.errno) or "it did not start"
  end
  return ended.code == 0, ended.stdout .. ended.stderr
end

local function call_helper(program, pid, rows)
  local argv = { program, tostring(pid) }
  for _, row in ipairs(rows) do
    table.move({ tostring(row.inside), tostring(row.outside), tostring(row.count) }, 1, 3,
      #argv + 1, argv)
  end
  local done, output = run(argv)
  if done then
    return true
  end
  return nil, (output:gsub("%s+$", ""):gsub("\n", "; "))
end

---@class luactr.idmap.failure
---@field op string
---@field path string
---@field errno integer
---@field cause? string

local function by_helpers(pid, maps)
  for _, kind in ipairs { "uid", "gid" } do
    local done, said = call_helper(maps.helpers[kind], pid, maps[kind])
    if not done then
      return nil, { op = "id_map", path = maps.helpers[kind], errno = sys.errno.EPERM,
        checked = true, remedy = "see newuidmap(1), or idmap = \"single\"",
        action = "write " .. kind .. "_map", cause = said ~= "" and said or "it failed silently" }
    end
  end
  return true
end

--- setgroups goes first: the kernel refuses an unprivileged gid_map before it.
local function by_files(pid, maps)
  local text = require("luactr.spec.idmap").text
  for _, row in ipairs { { "setgroups", maps.setgroups }, { "uid_map", text(maps.uid) },
    { "gid_map", text(maps.gid) } } do
    if row[2] then
      local done, message, errno = write_file(pid, row[1], row[2])
      if not done then
        return nil, { op = "id_map", path = row[1], errno = errno,
          action = message:match("^(.*): ") or message }
      end
    end
  end
  return true
end

--- Write the maps of a process that was born in a user namespace.
---@param pid integer
---@param maps luactr.idmap.maps with all ids known
---@return boolean? done
---@return luactr.idmap.failure?
function M.maps(pid, maps)
  if maps.helpers then
    return by_helpers(pid, maps)
  end
  return by_files(pid, maps)
end

--- The ranges that a user has as getsubids(1) knows.
---@param program string
---@param kind "uid"|"gid"
---@param name string
---@return { first: integer, count: integer }[]
function M.ask(program, kind, name)
  local list = {}
  local done, output = run(kind == "gid" and { program, "-g", name } or { program, name })
  for first, count in (done and output or ""):gmatch("(%d+) +(%d+)%s*\n") do
    list[#list + 1] = { first = math.tointeger(first), count = math.tointeger(count) }
  end
  return list
end

return M
