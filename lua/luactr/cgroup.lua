--- A container's cgroup: made, limited, changed, and swept up after a luactr that was killed.
--
-- A controller has one home on a host, a cgroup v1 hierarchy or cgroup v2, and each limit goes
-- where its controller lives: nothing asks whether a host is "v1" or "v2".
local core = require "luactr.core"

local M = {}

-- ---- what the host has

local function read(path)
  local file <close> = io.open(path)
  return file and file:read("a")
end

-- The CPUs or nodes that a container may be given: its parent's.
local function available(layout, what)
  local home = layout.controllers.cpuset
  if not home or not home.parent then
    return nil
  end
  local directory = home.mount .. home.parent .. "/"
  local name = home.version == 1 and "cpuset.effective_" .. what
    or "cpuset." .. what .. ".effective"
  return read(directory .. name) or read(directory .. "cpuset." .. what)
end

local function device_number(path)
  local stat, message = core.sys.stat(path)
  if not stat then
    return nil, message
  elseif stat.type ~= "block" then
    return nil, path .. " is no block device"
  end
  return string.format("%d:%d", core.sys.splitdev(stat.rdev))
end

-- "hugepages-2048kB" is "2MB" in the names of the files.
local function hugepage_sizes()
  local sizes = {}
  for _, entry in ipairs(core.sys.readdir("/sys/kernel/mm/hugepages") or {}) do
    local kilobytes = math.tointeger(entry.name:match("^hugepages%-(%d+)kB$"))
    if kilobytes then
      sizes[require("luactr.units").page_size(kilobytes << 10)] = true
    end
  end
  return sizes
end

local facts = {
  hugepage_sizes = hugepage_sizes,
  cpus = function(layout) return available(layout, "cpus") end,
  mems = function(layout) return available(layout, "mems") end,
  device_number = function() return device_number end,
}

--- Where each controller lives, and facts that limits are checked against, read when asked for.
---@return table layout of luactr.core.cgroup.detect, with the facts above
---@return string? message
---@return integer? errno
function M.detect()
  local layout, message, errno = core.cgroup.detect()
  if not layout then
    return nil, message, errno
  end
  return setmetatable(layout, {
    __index = function(_, name)
      local value = facts[name] and facts[name](layout)
      rawset(layout, name, value)
      return value
    end,
  })
end

--- See luactr.cgroup.compile.
function M.compile(limits, layout, id, pressure)
  return require("luactr.cgroup.compile").compile(limits, layout, id, pressure)
end

-- ---- making one

local function failure(compiled, op, message, errno, path)
  local code = core.sys.errname(errno)
  local cause, remedy = require("luactr.cgroup.reason").find(path, code)
  return require("luactr.error").new {
    code = code, errno = errno, op = op, path = path, cause = cause, remedy = remedy,
    checked = cause ~= nil, message = message,
    context = { string.format("the cgroup of %q", compiled.id) },
  }
end

local function add_places(handle, compiled)
  for _, place in ipairs(compiled.places) do
    local fine, message, errno, path = handle:add(place)
    if not fine then
      return nil, failure(compiled, "mkdir", message, errno, path)
    end
  end
  if compiled.freezer then
    handle:freezer(compiled.freezer)
  end
  return true
end

local function write(handle, row)
  local fine, message, errno, path = handle:write(row.controller, row.file, row.text)
  local instead = row.instead
  if not fine and instead and core.sys.errname(errno) == "ENOENT" then
    fine = handle:write(row.controller, instead.file, instead.text)
  elseif not fine and row.spare and core.sys.errname(errno) == "ENOENT" then
    return true
  end
  return fine, message, errno, path
end

-- One pass; returns the rows that failed.
local function write_rows(handle, compiled, rows)
  local failed
  for _, row in ipairs(rows) do
    local fine, message, errno, path = write(handle, row)
    if not fine then
      failed = failed or {}
      failed[#failed + 1] = row
      failed.err = failed.err or failure(compiled, "write", message, errno, path)
      failed.err.from = failed.err.from or row.from
    end
  end
  return failed
end

-- The kernel refuses a value that does not fit another one which is about to change as well
-- (memory above memory and swap, a quota below its burst): what failed gets a second chance.
local function write_all(handle, compiled)
  local failed = write_rows(handle, compiled, compiled.writes)
  failed = failed and write_rows(handle, compiled, failed)
  if failed and not compiled.optional then
    return nil, failed.err
  end
  local warnings = {}
  for i, row in ipairs(failed or {}) do
    warnings[i] = string.format("%s is not enforced: %s", row.from, tostring(failed.err))
  end
  return warnings
end

-- The last value: whether somebody has removed a directory meanwhile.
local function try_open(compiled, keeper)
  local handle = core.cgroup.create(compiled.id)
  local fine, err = add_places(handle, compiled)
  local is_gone = fine and keeper and not keeper:hold(handle)
  if fine and not is_gone then
    fine, err = write_all(handle, compiled)
  end
  if not fine or is_gone then
    handle:close()
    return nil, err, is_gone
  end
  return handle, fine
end

local TRIES <const> = 16 -- against who removes what is empty

--- Make the container's directories and write its limits.
---@param compiled luactr.cgroup.compiled
---@param keeper? { hold: fun(self, handle: luactr.cgroup): boolean } keeps others from removing
---  what is empty; false: somebody has, and nothing of the keeper's is in there any more
---@return luactr.cgroup? handle
---@return table|string[] err the error; beside a handle, limits that are not enforced
function M.open(compiled, keeper)
  for _ = 1, TRIES do
    local handle, err, is_gone = try_open(compiled, keeper)
    if not is_gone then
      return handle, err
    end
  end
  local errno <const> = core.sys.errno.ENOENT
  return nil, failure(compiled, "mkdir", core.sys.strerror(errno), errno, compiled.path)
end

local MOST_BESIDE <const> = 100

--- The same beside one of the name: a container that was renamed keeps the cgroup from its start.
---@param compiled luactr.cgroup.compiled gets the name that is free
---@return luactr.cgroup? handle
---@return table|string[] err
function M.open_beside(compiled)
  local id, handle, err = compiled.id, nil, nil
  for number = 2, MOST_BESIDE do
    compiled.id = id .. "~" .. number -- no container has such a name
    compiled.path = require("luactr.cgroup.compile").TOP .. "/" .. compiled.id
    compiled.at = compiled.path
    handle, err = M.open(compiled)
    if handle or err.code ~= "EEXIST" then
      break
    end
  end
  return handle, err
end

--- The group of a container that another luactr process made. Closing it only lets go of it.
---@param compiled luactr.cgroup.compiled
---@return luactr.cgroup? handle
---@return table? err
function M.reopen(compiled)
  local handle = core.cgroup.open(compiled.id)
  local fine, err = add_places(handle, compiled)
  if not fine then
    handle:close()
    return nil, err
  end
  return handle
end

-- ---- changing one that runs

-- Whether the group lacks a controller of the place. Meters that it has not had stay away.
local function lacks(handle, place)
  for _, controller in ipairs(place.controllers) do
    if not handle:has(controller) then
      return true
    end
  end
  return false
end

local function extend(handle, compiled)
  for _, place in ipairs(compiled.places) do
    if lacks(handle, place) then
      local fine, message, errno, path = handle:extend(place)
      if not fine then
        return nil, failure(compiled, "attach", message, errno, path)
      end
    end
  end
  return true
end

-- cgroup v2 would make room by killing; v1 refuses by itself.
local function fits(handle, compiled)
  local used = compiled.least and handle:meters().memory
  if used and used > compiled.least then
    local errno <const> = core.sys.errno.EBUSY
    return nil, failure(compiled, "write", core.sys.strerror(errno), errno, "memory.max")
  end
  return true
end

--- Give a running container other limits; those that are not named stay. A controller that it did
--- not need before takes its processes in.
---@param handle luactr.cgroup
---@param compiled luactr.cgroup.compiled of the changed limits
---@return boolean? done
---@return table? err
function M.update(handle, compiled)
  local fine, err = extend(handle, compiled)
  if fine then
    fine, err = fits(handle, compiled)
  end
  if fine then
    fine, err = write_all(handle, compiled)
  end
  return fine and true, err
end

-- ---- what a killed luactr left

local function tops(layout)
  local list = {}
  for _, hierarchy in ipairs(layout.hierarchies) do
    list[#list + 1] = hierarchy.parent
      and hierarchy.mount .. hierarchy.parent .. "/" .. require("luactr.cgroup.compile").TOP
  end
  return list
end

-- What the paths of a container are below.
local function above(layout, id)
  local list = {}
  if not id:find("^%.?/") then
    return tops(layout)
  end
  for _, hierarchy in ipairs(layout.hierarchies) do
    list[#list + 1] = hierarchy.parent
      and hierarchy.mount .. (id:sub(1, 1) == "/" and "" or hierarchy.parent)
  end
  return list
end

--- The containers' names in all hierarchies.
---@param layout table of M.detect
---@return string[]
function M.list(layout)
  local seen, list = {}, {}
  for _, top in ipairs(tops(layout)) do
    for _, entry in ipairs(core.sys.readdir(top) or {}) do
      -- ".host" is luactr's own leaf
      if entry.type == "directory" and entry.name:sub(1, 1) ~= "." and not seen[entry.name] then
        seen[entry.name] = true
        list[#list + 1] = entry.name
      end
    end
  end
  table.sort(list)
  return list
end

--- Remove the groups of one container whose luactr died, with the processes that are still in them;
--- a pod's, when it was the last in there. In a place that somebody chose, what luactr did not make
--- is only emptied.
---@param layout table of M.detect
---@param id string
---@return boolean? removed
---@return string? message
---@return integer? errno EBUSY: somebody holds them
function M.remove(layout, id)
  local removed, message, errno = core.cgroup.sweep(above(layout, id), id, true)
  local pod = removed and id:match("^([^./].*)/")
  if pod then -- who still is in it, or is about to be, holds it
    core.cgroup.sweep(tops(layout), pod, false)
  end
  return removed, message, errno
end

--- Remove the groups that no living luactr holds: the kernel tells, by a lock that ends with the
--- process. Those with processes stay, unless `kill` is given.
---@param layout table of M.detect
---@param options? { alive?: table<string, boolean>, kill?: boolean }
---@return string[] removed
function M.sweep(layout, options)
  local removed, list = {}, tops(layout)
  for _, id in ipairs(M.list(layout)) do
    local alive = options and options.alive and options.alive[id]
    if not alive and core.cgroup.sweep(list, id, options and options.kill or false) then
      removed[#removed + 1] = id
    end
  end
  return removed
end

return M
