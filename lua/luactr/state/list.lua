--- Read what luactrs tell of their containers: every directory below STATE/containers.
local core = require "luactr.core"
local state = require "luactr.state"

local sys <const> = core.sys

local M = {}

local CHUNK <const>, LONGEST <const> = 1 << 14, 1 << 24
local PRIVATE <const> = 384 -- 0600

---@class luactr.state.record state.json
---@field id string
---@field name? string
---@field created number seconds since the epoch
---@field pid integer the host's, of PID 1
---@field start integer when that was started, see luactr.state.start_time
---@field owner { pid: integer, start: integer } its monitor, or the luactr in the foreground
---@field detached? boolean
---@field command? string[]
---@field labels? table<string, string>
---@field pod? { name: string, member: string, index: integer } that it is a member of
---@field freezer? string file that tells whether it is paused
---@field callbacks? { pid: integer, start: integer } who calls those of a detached one
---@field health? boolean it is checked
---@field restart? string the policy, if its monitor starts it again
---@field restarts? integer how often it has done so
---@field next_start? number seconds since the epoch: it waits until then
---@field oci? luactr.oci.record of one that nobody watches over; it has no owner

---@alias luactr.state.word "starting"|"running"|"paused"|"stopping"|"restarting"|"exited"|"created"
---|"stopped" the last two of a bundle's

local function directory_of(host)
  return host.state_dir .. "/containers"
end

--- JSON has one kind of number, and cjson makes floats of all.
local function restore_integers(record)
  for key, value in next, record do
    local kind = type(value)
    if kind == "number" then
      record[key] = math.tointeger(value) or value
    elseif kind == "table" then
      restore_integers(value)
    end
  end
end

--- JSON that luactr wrote; nil when it is not whole.
---@param text string
---@return table?
function M.decode(text)
  local fine, value = pcall(require("luactr.json").decode, text)
  if fine and type(value) == "table" then
    restore_integers(value)
    return value
  end
end

--- All of a file, mostly with one read. A buffer for the longest would be mapped and unmapped.
local function read_all(file)
  local text = file:read(CHUNK)
  if text and #text == CHUNK then
    return text .. (file:read(LONGEST) or "")
  end
  return text
end

--- The JSON in a file of a container; nil when there is none.
---@param host luactr.host
---@param id string
---@param name string
---@return table?
function M.read(host, id, name)
  local path = string.format("%s/%s/%s", directory_of(host), id, name)
  local file <close> = sys.open(path, sys.O_RDONLY | sys.O_NOFOLLOW)
  return M.decode(file and read_all(file) or "")
end

--- Put a file in place of one that others may be reading.
---@param host luactr.host
---@param id string
---@param name string
---@param value table
---@return boolean? done
---@return string? message
---@return integer? errno
function M.write(host, id, name, value)
  local directory <close> = sys.open(directory_of(host) .. "/" .. id,
    sys.O_RDONLY | sys.O_DIRECTORY | sys.O_NOFOLLOW)
  local flags <const> = sys.O_WRONLY | sys.O_CREAT | sys.O_TRUNC
  local temporary = string.format("%s.%d.new", name, sys.getpid())
  if not directory then
    return nil
  end
  local file <close>, message, errno =
    sys.open(temporary, flags, PRIVATE, { dir = directory })
  local text = state.json(value) .. "\n"
  if file and file:write(text) == #text then
    return sys.rename(temporary, name, directory)
  end
  return nil, message, errno
end

---@param process? { pid: integer, start: integer }
---@return boolean
function M.is_alive(process)
  if not (process and process.pid and process.start) then
    return false
  end
  local start, letter = state.start_time(process.pid)
  return start == process.start and letter ~= "Z"
end

local function is_frozen(record)
  local file <close> = record.freezer and sys.open(record.freezer, sys.O_RDONLY)
  local text = file and file:read(32)
  return text ~= nil and (text:find("FROZEN", 1, true) or text:find("^1")) ~= nil
end

--- As long as it waits to be started there is its gate.
local function state_of_bundle(host, record)
  local gate = string.format("%s/%s/%s", directory_of(host), record.id, core.gate.SOCKET)
  if not M.is_alive(record) then
    return "stopped"
  end
  return is_frozen(record) and "paused" or sys.stat(gate) and "created" or "running"
end

--- How a container is; nil when nobody owns it any more.
---@param host luactr.host
---@param record luactr.state.record
---@return luactr.state.word?
function M.state(host, record)
  local path = string.format("%s/%s/exit.json", directory_of(host), record.id)
  if record.detached and sys.stat(path) then
    return "exited"
  end
  if record.restart then
    require("luactr.container.restart").refresh(host, record)
  end
  if record.oci then
    return state_of_bundle(host, record)
  elseif M.is_alive(record) then
    return is_frozen(record) and "paused" or "running"
  elseif M.is_alive(record.owner) then
    return record.next_start and "restarting" or "stopping"
  end
end

--- The names in the directory of all containers; none, and an error, if it cannot be trusted.
local function names(host)
  local containers, err = state.containers(host)
  return containers and sys.readdir(containers) or {}, err
end

--- The state of one, under the name that its directory has by now.
local function record_of(host, id)
  local record = M.read(host, id, "state.json")
  if record then
    record.id = id
  end
  return record
end

--- All containers, oldest first. One whose state cannot be read yet is just being made.
---@param host luactr.host
---@return luactr.state.record[]
---@return luactr.error? err when what is there cannot be trusted
function M.all(host)
  local list, directories, err = {}, names(host)
  for _, found in ipairs(directories) do
    list[#list + 1] = record_of(host, found.name)
  end
  table.sort(list, function(a, b)
    if a.created == b.created then
      return a.id < b.id
    end
    return a.created < b.created
  end)
  return list, err
end

local function failure(code, message, remedy)
  return nil, require("luactr.error").new {
    code = code, errno = sys.errno[code], op = "find", message = message, remedy = remedy,
  }
end

--- Whether a directory can have the name, and not be another one.
local function is_name(text)
  return text ~= "" and not text:find("[/\0]") and not text:find("^%.%.?$")
end

M.is_name = is_name

--- Whether there is a container of exactly that name.
---@param host luactr.host
---@param name string
---@return boolean
function M.has(host, name)
  return is_name(name) and record_of(host, name) ~= nil
end

--- The container of exactly that name.
---@param host luactr.host
---@param name string
---@return luactr.state.record?
---@return luactr.error? err when what is there cannot be trusted
function M.exact(host, name)
  local containers, err = state.containers(host)
  return containers and is_name(name) and record_of(host, name) or nil, err
end

--- The container with that name, or the only one whose name begins so.
---@param host luactr.host
---@param name string
---@return luactr.state.record?
---@return luactr.error? code "ENOENT", or "ENOTUNIQ" for a beginning of several
function M.find(host, name)
  local containers, err = state.containers(host)
  local exact = containers and is_name(name) and record_of(host, name)
  if err or exact then
    return exact or nil, err
  end
  local known, matches, directories = {}, {}, names(host)
  for _, found in ipairs(directories) do
    if found.name == name then -- it is just being made
      matches = { name }
      break
    end
    known[#known + 1] = found.name
    if name ~= "" and found.name:sub(1, #name) == name then
      matches[#matches + 1] = found.name
    end
  end
  table.sort(matches)
  if #matches > 1 then
    return failure("ENOTUNIQ", string.format("%q is the beginning of %s", name,
      table.concat(matches, ", ")), "more of the name")
  end
  local record = matches[1] and record_of(host, matches[1])
  if record then
    return record
  end
  local shown = #name > 80 and name:sub(1, 80) .. "..." or name
  return failure("ENOENT", string.format("no container \"%s\"", shown)
    .. require("luactr.nearest").hint(shown, known), "luactr ps -a lists all")
end

return M
