--- Directories of detached containers: they outlive the container, with its log and the record of
--- its end, until somebody removes them.
local sys <const> = require("luactr.core").sys

local M = {}

local PRIVATE <const> = 384 -- 0600
local LONGEST <const> = 1 << 24

local function exists(directory, name)
  local file <close> = sys.open(name, sys.O_PATH, 0, { dir = directory })
  return file ~= nil
end

local function read(directory, name)
  local file <close> = sys.open(name, sys.O_RDONLY | sys.O_NOFOLLOW, 0, { dir = directory })
  return require("luactr.state.list").decode(file and file:read(LONGEST) or "")
end

-- Of a container of a bundle, see luactr.oci.birth: nobody owns it, unless it is in the foreground.
local OCI <const>, FOREGROUND <const> = "oci", " run$"

--- Whether a container is known by it that needs no owner. Without a state it is not: the start was
--- not published, or the removal not finished.
---@param directory luactr.fd
---@return boolean
function M.is_kept(directory)
  local mark = sys.readlink(OCI, directory)
  if mark and mark:find(FOREGROUND) then
    return false
  end
  return exists(directory, "config.json") and exists(directory, "state.json")
end

--- The name of a container's cgroup, which is not the container's when it was renamed; that of a
--- pod's member begins with the pod's, and somebody may have chosen a place.
---@param directory luactr.fd
---@param id string
---@return string
function M.cgroup_name(directory, id)
  local record = read(directory, "state.json")
  local at = record and record.cgroup
  if not record then -- of a bundle that was being made there is this already
    local config = read(directory, "config.json")
    return config and config.cgroup and config.cgroup.id or id
  end
  return at and require("luactr.cgroup.compile").id_of(at) or id
end

--- A monitor that was killed has left no record of the end, and perhaps a cgroup. The record tells
--- that the end is not known.
local function bury(directory, id, host)
  require("luactr.cgroup").remove(host.cgroup, M.cgroup_name(directory, id))
  local flags <const> = sys.O_WRONLY | sys.O_CREAT | sys.O_TRUNC
  local file <close> = sys.open("exit.json.new", flags, PRIVATE, { dir = directory })
  local now = sys.clock_gettime("realtime")
  if file and file:write(string.format('{"lost":true,"finished_at":%.6f}\n', now)) then
    sys.rename("exit.json.new", "exit.json", directory)
  end
  require("luactr.container.events").add(host, id, "exit", { reason = "lost" })
end

--- Bring a directory in order that is locked by us, so that its monitor is gone.
---@param directory luactr.fd
---@param id string
---@param host luactr.host
---@return "kept"|"lost" word
function M.settle(directory, id, host)
  if sys.readlink(OCI, directory) or exists(directory, "exit.json") then
    return "kept"
  end
  bury(directory, id, host)
  return "lost"
end

--- What a luactr in the foreground would have done after its container's end, had it not been
--- killed. Until its process was published there was nobody to tell.
---@param directory luactr.fd locked by us
---@param id string
---@param host luactr.host
function M.take_leave(directory, id, host)
  local mark = sys.readlink(OCI, directory)
  local record = mark and mark:find(FOREGROUND) and read(directory, "state.json")
  if record and record.id == id and record.oci then
    require("luactr.oci.container").of(record, host):take_leave()
  end
end

--- Why a name cannot be taken.
---@param path string
---@param id string
---@return luactr.error
function M.refusal(path, id)
  return require("luactr.error").new {
    code = "EEXIST", errno = sys.errno.EEXIST, op = "claim", path = path,
    message = string.format("the name %q is in use", id),
    cause = "a container of this name has ended and is kept", checked = true,
    remedy = string.format("luactr rm %s, or choose another name", id),
  }
end

return M
