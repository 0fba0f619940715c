--- Layers made one by fuse-overlayfs, a program of the host, where the kernel does not do that for
--- a user without rights.
---
--- The init mounts in its own namespaces and hands out the device; the program serves that in
--- namespaces of its own, with the same users, and so never enters the container's. It ends when
--- the mount does, and so needs nobody who ends it.
local core = require "luactr.core"

local sys <const> = core.sys

local M = {}

local PROGRAM <const>, DEVICE <const> = "fuse-overlayfs", "/dev/fuse"
local NUMBER <const> = 3 -- of the device, for the program
local PUBLIC <const>, PRIVATE <const> = 493, 448 -- 0755, 0700
local PATIENCE <const> = 10 -- seconds that it may take to end after its mount
local LONGEST_COMPLAINT <const> = 4096

--- What the host lacks.
---@return table? fields of an error
function M.missing()
  local function lacks(op, path, cause, remedy)
    return { code = "ENOENT", op = op, path = path, message = "cannot make the root of layers",
      cause = cause, remedy = remedy }
  end
  if not require("luactr.program").find(PROGRAM) then
    return lacks("exec", PROGRAM, "there is no fuse-overlayfs on this host",
      "apt install fuse-overlayfs")
  elseif not sys.stat(DEVICE) then
    return lacks("open", DEVICE, "this host has no /dev/fuse", "modprobe fuse")
  end
end

-- ---- pure: the steps

local function problem_of(self, lower, host, spec)
  if spec.namespaces.user ~= "host" and (host.privileged or spec.namespaces.user ~= "new") then
    return "driver: fuse-overlayfs serves no users but luactr's own; the kernel's overlay does"
  elseif spec.restart ~= "no" then
    return "driver: a container that is started again needs the kernel's overlay"
  end
  local paths = { self.upper, self.work }
  for _, layer in ipairs(lower) do
    if layer.open then
      return "driver: fuse-overlayfs takes directories, and " .. layer.path .. " is a file"
    end
    paths[#paths + 1] = layer.path
  end
  for _, path in ipairs(paths) do
    if path:find(":", 1, true) then
      return "driver: fuse-overlayfs takes no colon in a name: " .. path
    end
  end
end

--- What is written to memory is the program's, for whom the container's limit does not count.
local function bound_of(spec)
  local memory = spec.limits.memory
  return math.type(memory) == "integer" and memory > 0 and memory or nil
end

---@param self table of luactr.rootfs.overlay
---@param lower luactr.rootfs.layer[]
---@param host table
---@param spec luactr.spec settled
---@return table[]? steps nil, problems
function M.steps(self, lower, host, spec)
  local problem = problem_of(self, lower, host, spec)
  if problem then
    return nil, { { path = "rootfs", message = problem } }
  end
  local paths = {}
  for i, layer in ipairs(lower) do
    paths[i] = layer.path
  end
  return {
    { op = "root_tmpfs", stage = host.stage, data = "mode=0755", from = "rootfs" },
    { op = "fuse", target = "/", attributes = sys.MOUNT_ATTR_NODEV, from = "rootfs",
      layers = { lower = paths, upper = self.upper, work = self.work,
        size = self.size or bound_of(spec), options = self.options } },
  }
end

local function escaped(text)
  return (text:gsub("[\\,]", "\\%0"))
end

--- What the program is told.
---@param layers { lower: string[], upper?: string, work?: string, options?: string[] }
---@param directory string where its own memory is
---@return string
function M.options(layers, directory)
  local list = { "lowerdir=" .. escaped(table.concat(layers.lower, ":")),
    "upperdir=" .. escaped(layers.upper or directory .. "/upper"),
    "workdir=" .. escaped(layers.work or directory .. "/work") }
  local more = layers.options or {}
  return table.concat(table.move(more, 1, #more, #list + 1, list), ",")
end

--- Without an upper directory a tmpfs takes what is written, which nobody else sees.
local function memory(directory, size)
  return {
    { op = "mount", source = "tmpfs", target = directory, type = "tmpfs",
      flags = sys.MS_NOSUID | sys.MS_NODEV,
      data = "mode=0700" .. (size and ",size=" .. size or "") },
    { op = "mkdir", path = directory .. "/upper", mode = PUBLIC },
    { op = "mkdir", path = directory .. "/work", mode = PRIVATE },
  }
end

--- The program as a plan: all of the host's files, in a mount namespace of its own.
---@param program string
---@param layers table of the step
---@param directory string the container's own
---@param maps? luactr.idmap.maps
---@return table[] steps
---@return integer flags of its clone
function M.plan(program, layers, directory, maps)
  local steps = {}
  local function add(list)
    table.move(list, 1, #list, #steps + 1, steps)
  end
  add(maps and { { op = "rendezvous", number = core.plan.rendezvous.id_maps } } or {})
  add { { op = "parent_death_signal", signal = 0 }, -- it ends with its mount, not with luactr
    { op = "propagation", flags = sys.MS_REC | sys.MS_PRIVATE },
    { op = "root_bind", source = "/", recursive = 1 } }
  add(layers.upper and {} or memory(directory, layers.size))
  add { { op = "pivot_root" }, { op = "setsid" },
    { op = "dup", fd = "input", number = 0 }, { op = "dup", fd = "errors", number = 1 },
    { op = "dup", fd = "errors", number = 2 }, { op = "dup", fd = "device", number = NUMBER },
    { op = "no_new_privs" },
    { op = "exec", file = program, env = {}, argv = { PROGRAM, "-f", "-o",
      M.options(layers, directory), "/dev/fd/" .. NUMBER } } }
  return steps, sys.CLONE_NEWNS | (maps and sys.CLONE_NEWUSER or 0)
end

-- ---- the program

---@class luactr.rootfs.fuse
---@field process? luactr.process
---@field errors luactr.fd what it has said
local Server = {}
Server.__index = Server

local left = {} -- pids of those that a monitor's containers use: children all the same

local function reap_left()
  for pid in pairs(left) do
    local ended, _, errno = sys.waitid(pid, { "exited", "nohang" })
    if ended or errno == sys.errno.ECHILD then
      left[pid] = nil
    end
  end
end

--- What it says when it cannot serve.
---@return string?
function Server:complaint()
  sys.lseek(self.errors, 0, "set")
  local line = (self.errors:read(LONGEST_COMPLAINT) or ""):match("([^\n]+)\n*$")
  return line and PROGRAM .. ": " .. line:gsub("^fuse%-overlayfs: ", "")
end

--- What is written is with the program until its mount has ended. Idempotent.
function Server:close()
  if self.process then
    self.process:wait(PATIENCE)
    self.process:close()
    self.errors:close()
    self.process = nil
  end
end

--- It ends with the container.
function Server:disown()
  if self.process then
    left[self.process:pid()] = true
    self.process:disown()
    self.errors:close()
    self.process = nil
  end
end

local function failure(errno, doing)
  return nil, { op = "exec", path = PROGRAM, errno = errno,
    action = "start " .. PROGRAM .. (doing and ": " .. doing or "") }
end

--- Until it is the program.
local function carry_out(process, maps)
  while true do
    local event, a, op, errno = process:launch()
    if event == "started" then
      return true
    elseif event == "failed" then
      return failure(errno, op)
    elseif event ~= "rendezvous" then
      return failure(op)
    end
    local done, fields = require("luactr.idmap.write").maps(process:pid(), maps)
    if not done then
      return nil, fields
    end
    process:answer(a)
  end
end

local function start(device, errors, maps, own, flags)
  local input <close>, _, errno = sys.open("/dev/null", sys.O_RDONLY)
  local process
  if input then
    process, _, errno = core.spawn { flags = flags, fds = { input, errors, device },
      plan = core.plan.encode(own, { "input", "errors", "device" }) }
  end
  if not process then
    return failure(errno)
  end
  local done, fields = carry_out(process, maps)
  if not done then
    process:close()
    return nil, fields
  end
  return process
end

local function layers_of(steps)
  for _, step in ipairs(steps) do
    if step.op == "fuse" then
      return step.layers
    end
  end
end

--- Have the program serve a device.
---@param device luactr.fd
---@param steps table[] of the container's plan
---@param maps? luactr.idmap.maps
---@param directory string the container's own
---@return luactr.rootfs.fuse? server
---@return table? fields of an error
function M.serve(device, steps, maps, directory)
  reap_left()
  local program = require("luactr.program").find(PROGRAM)
  if not program then
    return nil, M.missing()
  end
  local errors, _, errno = sys.memfd_create(PROGRAM)
  if not errors then
    return failure(errno)
  end
  local process, fields = start(device, errors, maps, M.plan(program, layers_of(steps), directory,
    maps))
  if not process then
    errors:close()
    return nil, fields
  end
  return setmetatable({ process = process, errors = errors }, Server)
end

return M
