--- What the parent does while the init waits for it, by the meetings of plan.h.
local core = require "luactr.core"
local failure = require "luactr.launch.failure"

local M = {}

local function write_id_maps(box, run)
  local done, fields = require("luactr.idmap.write").maps(run.process:pid(), run.id_maps)
  return done, fields and failure.of(box, fields)
end

local function take_console(_, run, fd)
  if run.options.console then
    return run.options.console:send_console(fd)
  end
  run.relay = run:own(require("luactr.terminal").relay(fd))
  return true
end

local function take_listener(box, run, fd)
  local profile, notify = box.spec.seccomp, require "luactr.notify"
  if not profile.listener and box.plan.gate then
    local done, message, errno = require("luactr.notify.apart").begin(fd, profile.handlers,
      run.entry.path .. "/callbacks.log")
    return done, not done and failure.sys(box, message, errno, "fork")
  elseif not profile.listener then
    run.notify = run:own(notify.new(fd, profile.handlers))
    return true
  end
  local done, message, errno = notify.forward(fd, profile.listener, box.id, run.process:pid())
  fd:close()
  return done, not done and failure.sys(box, message, errno, "connect", profile.listener.path)
end

--- For a root that a program serves.
local function serve(box, run, fd)
  local device <close> = fd
  local server, fields = require("luactr.rootfs.fuse").serve(device, box.plan.steps,
    run.id_maps, run.entry.path)
  if not server then
    return nil, failure.of(box, fields)
  end
  table.insert(run.resources, 1, server) -- it ends by itself, after all that uses its mount
  run.server = server
  return true
end

local function take_left(_, run, fd)
  run.left = require("luactr.container.left").new(fd)
  return true
end

local function enter_resctrl(box, run)
  local done, fields = run.resctrl:enter(run.process:pid())
  return done, fields and failure.of(box, fields)
end

local function move_devices(box, run)
  local done, fields =
    require("luactr.network.devices").move(box.plan.spec.net_devices, run.process:pid())
  return done, not done and failure.of(box, fields) or nil
end

local function run_hooks(box, run, _, host)
  return require("luactr.oci.hooks").before_root(box, run, host)
end

--- All is done but the exec.
local function finish_start(box, run, _, host)
  if not box.plan.gate then
    return require("luactr.oci.hooks").before_command(box, run, host)
  end
  run.created = true
  return run.keeper:created(box, run)
end

local MEETINGS <const> = { -- by the names of plan.h
  hooks = { meet = run_hooks, answer = true },
  start = { meet = finish_start, answer = true },
  resctrl = { meet = enter_resctrl, answer = true },
  network = { meet = move_devices, answer = true },
  id_maps = { meet = write_id_maps, answer = true },
  console = { meet = take_console },
  listener = { meet = take_listener },
  fuse = { meet = serve, answer = true },
  left = { meet = take_left },
}

---@param box luactr.container|luactr.command
---@param run luactr.run
---@param number integer of core.plan.rendezvous
---@param fd? luactr.fd what the init has sent along
---@param host luactr.host
---@return any fine
---@return luactr.error?
function M.meet(box, run, number, fd, host)
  for name, wanted in pairs(core.plan.rendezvous) do
    local row = wanted == number and MEETINGS[name]
    if row then
      local fine, err = row.meet(box, run, fd, host)
      if fine and row.answer then
        run.process:answer(number)
      end
      return fine, err
    end
  end
  return true
end

return M
