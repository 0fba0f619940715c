--- What luactr keeps on disk about a container while it exists: STATE/containers/ID, with
--- state.json in it and room for temporary files; and the cleaning after a luactr that was killed.
--
-- Whoever holds the lock on ID (flock of the directory itself) owns the container. The kernel drops
-- the lock with its owner, however that ends, so a directory that can be locked is a leftover. A
-- pid would have to be compared with a start time, and still be a guess.
local core = require "luactr.core"

local sys <const> = core.sys
local lock <const> = core.supervise.lock

local M = {}

local STATE_FILE <const> = "state.json"
local PRIVATE <const> = 448 -- 0700
local CLAIM_ATTEMPTS <const> = 10
local CLAIM_PAUSE <const> = 0.001

local function failure(message, errno, op, path)
  return nil, require("luactr.error").from_sys(message, errno, op, path)
end

-- ---- the directories

local function make_parents(path)
  for parent in path:gmatch("()/") do
    if parent > 1 then
      sys.mkdir(path:sub(1, parent - 1), PRIVATE)
    end
  end
  return sys.mkdir(path, PRIVATE)
end

--- A state directory that somebody else can write into would let them choose what luactr removes;
--- one that is a link, where it makes directories.
local function check_owner(path, uid)
  local stat, message, errno = sys.stat(path, "symlink_nofollow")
  if not stat then
    return failure(message, errno, "stat", path)
  elseif stat.type ~= "directory" or stat.uid ~= uid or stat.mode & 18 ~= 0 then -- 0022
    return nil, require("luactr.error").new {
      code = "EPERM", errno = sys.errno.EPERM, op = "open", path = path,
      message = "the state directory " .. path .. " cannot be trusted",
      cause = "it is not a directory that only its owner can write to", checked = true,
      remedy = "remove it, or name another: XDG_RUNTIME_DIR, or --root of luactr oci",
    }
  end
  return true
end

local checked = {} -- state directories that this process has looked at

--- The directory of all containers; it is made where there is none.
local function containers_directory(host)
  local base = host.state_dir
  local containers = base .. "/containers"
  if not checked[base] then
    make_parents(base)
    local fine, err = check_owner(base, host.uid)
    if not fine then
      return nil, err
    end
    sys.mkdir(containers, PRIVATE)
    sys.mkdir(host.stage, PRIVATE)
    checked[base] = true
  end
  return containers
end

M.make = containers_directory

--- The directory of all containers, for who only looks: nil where there is none, and an error where
--- it cannot be trusted. What a stranger has put there must neither be believed nor cleaned up.
---@param host luactr.host
---@return string? path
---@return luactr.error?
function M.containers(host)
  if not checked[host.state_dir] then
    local fine, err = check_owner(host.state_dir, host.uid)
    if not fine then
      return nil, err.code ~= "ENOENT" and err or nil
    end
  end
  return host.state_dir .. "/containers"
end

-- ---- state.json

--- Plain data as JSON; what has no form in it is the caller's mistake.
M.json = core.json.encode

--- When a process was started, in clock ticks since boot: with its pid it names it for ever.
---@param pid integer|"self"
---@return integer?
---@return string? letter its state as in ps(1)
M.start_time = core.supervise.start_time

local owner -- this process, as state.json tells it

local function this_process()
  local pid = sys.getpid()
  if not owner or owner.pid ~= pid then
    owner = { pid = pid, start = M.start_time("self") }
  end
  return owner
end

-- ---- an entry

---@class luactr.state.entry a container's directory, owned by this process until close()
---@field id string
---@field path string
local Entry = {}
Entry.__index = Entry

--- Write state.json, once: a reader sees all of it or none. To replace a file by rename makes ext4
--- wait for the disk, which costs as much as a fifth of a container's start.
---@param record table of strings, numbers and lists
---@return boolean? done
---@return string? message
---@return integer? errno
function Entry:write(record)
  record.id = self.id
  if record.owner == nil then
    record.owner = this_process()
  end
  local temporary = STATE_FILE .. ".new"
  local file <close>, message, errno = sys.open(temporary,
    sys.O_WRONLY | sys.O_CREAT | sys.O_TRUNC, PRIVATE & ~64, { dir = self.directory })
  if not file then
    return nil, message, errno
  end
  local written
  written, message, errno = file:write(M.json(record) .. "\n")
  if not written then
    return nil, message, errno
  end
  return sys.rename(temporary, STATE_FILE, self.directory)
end

--- Remove what is in a directory, without following a link or crossing into another file system.
local function empty(directory, device)
  for _, found in ipairs(sys.readdir(directory) or {}) do
    if not sys.unlink(found.name, directory) then
      local flags <const> = { "directory", "nofollow" }
      local child <close> = sys.open(found.name, flags, 0, { dir = directory })
      if child and sys.stat(child).dev == device then
        empty(child, device)
        sys.rmdir(found.name, directory)
      end
    end
  end
end

--- Leave it to the process that has the lock as well: close() only lets go of it.
function Entry:disown()
  self.directory:close()
  self.directory = nil
end

--- Remove it. A fork of the owner has the lock too, and leaves the directory to the owner.
function Entry:close()
  if not self.directory or self.pid ~= sys.getpid() then
    return
  end
  sys.unlink(STATE_FILE, self.directory)
  if not sys.rmdir(self.path) then
    empty(self.directory, sys.stat(self.directory).dev)
    sys.rmdir(self.path)
  end
  self.directory:close()
  self.directory = nil
end

Entry.__close = Entry.close
Entry.__gc = Entry.close

-- ---- leftovers

--- Whether a path still leads to the directory: who had the lock may have removed it, and others
--- may have made one of the name since.
local function is_at(directory, path)
  local own, there = sys.stat(directory), sys.stat(path, "symlink_nofollow")
  return there ~= nil and own.ino == there.ino and own.dev == there.dev
end

--- Open and lock an entry: the directory, or nil when there is none or somebody else holds it.
local function open_locked(path)
  local directory = sys.open(path, { "rdonly", "directory", "nofollow" })
  if directory and lock(directory) and is_at(directory, path) then
    return directory
  elseif directory then
    directory:close()
  end
end

local function remove_resctrl(directory)
  if sys.readlink("resctrl.group", directory) or sys.readlink("resctrl.monitor", directory) then
    require("luactr.resctrl").remove(directory)
  end
end

local function remove_cgroup(directory, id, host)
  local name = require("luactr.state.kept").cgroup_name(directory, id)
  return require("luactr.cgroup").remove(host.cgroup, name)
end

--- Remove what a dead owner left, all but the directory itself, which is locked by us now. False
--- and "kept" or "lost": a detached container left it, until somebody removes it; "busy": the owner
--- is just dying, and holds the cgroup still.
local function clean(directory, id, host)
  local kept = require "luactr.state.kept"
  if kept.is_kept(directory) then
    return false, kept.settle(directory, id, host)
  end
  local removed, _, errno = remove_cgroup(directory, id, host)
  if not removed and errno == sys.errno.EBUSY then
    return false, "busy"
  end
  remove_resctrl(directory)
  kept.take_leave(directory, id, host)
  empty(directory, sys.stat(directory).dev)
  return true
end

--- Remove a container's directory that nobody holds any more, kept or not.
---@param host luactr.host
---@param id string
---@param finish? fun() called when none of its processes are left, before it is forgotten
---@return boolean? removed
function M.remove(host, id, finish)
  local path = host.state_dir .. "/containers/" .. id
  local directory <close> = open_locked(path)
  if not directory then
    return nil
  end
  local removed, _, errno = remove_cgroup(directory, id, host)
  if finish and not removed and errno == sys.errno.EBUSY then
    return nil -- what has just ended may be in there for a moment
  end
  remove_resctrl(directory)
  if finish then
    finish()
  end
  sys.unlink(STATE_FILE, directory) -- first: from here on it is removed, whoever finishes that
  empty(directory, sys.stat(directory).dev)
  return sys.rmdir(path)
end

--- Clean up after the luactr of one container, if that was killed.
---@param host luactr.host
---@param id string
---@return "removed"|"lost"|nil what "lost" is kept as such
function M.heal(host, id)
  local path = host.state_dir .. "/containers/" .. id
  local directory <close> = open_locked(path)
  local cleaned, why
  if directory then
    cleaned, why = clean(directory, id, host)
  end
  return cleaned and sys.rmdir(path) and "removed" or why == "lost" and why or nil
end

--- Clean up after luactrs that were killed: whatever has no living owner goes.
---@param host luactr.host
---@return { id: string, what: "removed"|"lost" }[] swept
function M.sweep(host)
  local containers, swept = M.containers(host), {}
  for _, id in ipairs(containers and core.supervise.unowned(containers) or {}) do
    local what = M.heal(host, id)
    if what then
      swept[#swept + 1] = { id = id, what = what }
    end
  end
  return swept
end

local seen = {} -- state directories, by process

--- The same, once in each process.
---@param host luactr.host
function M.sweep_once(host)
  local key = host.state_dir .. ":" .. sys.getpid()
  if not seen[key] then
    seen[key] = true
    M.sweep(host)
  end
end

-- ---- claim

--- One attempt: an entry; or nil and an error; or nil when it lost a race and should try again.
local function attempt(host, containers, id)
  local path = containers .. "/" .. id
  local made, message, errno = sys.mkdir(path, PRIVATE)
  if not made and errno ~= sys.errno.EEXIST then
    checked = {} -- the directory above may be gone
    return failure(message, errno, "mkdir", path)
  end
  local directory = open_locked(path)
  if not directory then -- perhaps swept between mkdir and lock
    return nil
  end
  local cleaned, why = made, nil
  if not made then
    cleaned, why = clean(directory, id, host)
  end
  if not cleaned then
    directory:close()
    return nil, why ~= "busy" and require("luactr.state.kept").refusal(path, id) or nil
  end
  return setmetatable({
    id = id, path = path, directory = directory, pid = sys.getpid(),
  }, Entry)
end

--- Become the owner of a container's directory. A leftover of the same name is cleaned first.
---@param host luactr.host
---@param id string
---@return luactr.state.entry?
---@return table? error code "EEXIST" when a living container has the name
function M.claim(host, id)
  local containers, err = containers_directory(host)
  if not containers then
    return nil, err
  end
  for try = 1, CLAIM_ATTEMPTS do
    local entry
    entry, err = attempt(host, containers, id)
    if entry or err then
      return entry, err
    end
    sys.nanosleep(try * CLAIM_PAUSE)
  end
  return nil, require("luactr.error").new {
    code = "EEXIST", errno = sys.errno.EEXIST, op = "claim", path = containers .. "/" .. id,
    message = string.format("the name %q is in use", id),
    cause = "another luactr runs a container of this name", checked = true,
    remedy = "stop that one, or choose another name",
  }
end

--- A name for a container that has none. Not math.random: the recipe may rely on its sequence.
---@return string
function M.random_id()
  local file <close> = assert(sys.open("/dev/urandom", sys.O_RDONLY))
  return (file:read(6):gsub(".", function(c) return string.format("%02x", c:byte()) end))
end

return M
