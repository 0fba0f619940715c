--- Give a detached container another name. Its directory is its name; the cgroup keeps the one from
--- the start, since cgroup v2 renames none.
local core = require "luactr.core"
local list = require "luactr.state.list"

local sys <const> = core.sys
local failure <const> = require("luactr.container.found").failure

local M = {}

local ATTEMPTS <const> = 50
local PAUSE <const> = 0.01

local function check(name)
  local problems = require("luactr.check").problems()
  problems:check(require("luactr.spec.values").name, name, "name")
  return #problems > 0 and require("luactr.spec").refusal(problems) or nil
end

--- Whoever has the lock of one that has ended is at work on it; of one that runs the monitor has it
--- all the time, and nobody removes it.
local function hold(found)
  local path = found.host.state_dir .. "/containers/" .. found.id
  for _ = 1, ATTEMPTS do
    local directory = sys.open(path, { "rdonly", "directory", "nofollow" })
    local word = directory and found:state()
    if not word then
      return nil
    elseif word ~= "exited" or core.supervise.lock(directory) then
      return directory
    end
    directory:close()
    sys.nanosleep(PAUSE)
  end
  return nil, true
end

local function move(found, name)
  local containers <close> = sys.open(found.host.state_dir .. "/containers",
    sys.O_RDONLY | sys.O_DIRECTORY)
  if not containers then
    return nil, "gone", sys.errno.ENOENT
  end
  return sys.rename(found.id, name, containers, "noreplace")
end

local function refused(found, name, message, errno)
  if errno == sys.errno.EEXIST then
    return failure(found, "EEXIST", "rename", string.format("the name %q is in use", name),
      "choose another name, or luactr rm " .. name)
  end
  return nil, require("luactr.error").from_sys(message, errno, "rename")
end

---@param found luactr.found
---@param name string
---@return boolean? done
---@return luactr.error?
function M.rename(found, name)
  local problem = check(name)
  if problem then
    return nil, problem
  elseif not found.record.detached then
    return failure(found, "ENOTSUP", "rename", "it runs in the foreground of another luactr")
  end
  local directory <close>, busy = hold(found)
  if not directory then
    return failure(found, busy and "EBUSY" or "ENOENT", "rename",
      busy and "another luactr holds it" or "it was removed")
  end
  local done, message, errno = move(found, name)
  if not done then
    return refused(found, name, message, errno)
  end
  local before = found.id
  found.id, found.record.id = name, name
  require("luactr.container.events").add(found.host, name, "rename", { from = before })
  return true
end

--- The name that it has by now, if somebody renamed it; nil when it is gone.
---@param found luactr.found
---@return string?
function M.current(found)
  for _, record in ipairs(list.all(found.host)) do
    local owner, own = record.owner, found.record.owner
    if record.created == found.record.created and owner.pid == own.pid
      and owner.start == own.start then
      return record.id
    end
  end
end

return M
