--- What can be done with a box that runs, from outside: its cgroup, its mounts, its processes.
--- Methods of luactr.container, loaded when one of them is called.
local container = require "luactr.container"
local core = require "luactr.core"

local sys <const> = core.sys

local running <const> = container.running

---@class luactr.container
local M = {}

-- ---- its cgroup

local function cgroup_of(box, what)
  local cgroup = running(box).cgroup
  if cgroup then
    return cgroup
  end
  return nil, require("luactr.error").new {
    code = "ENOTSUP", errno = sys.errno.ENOTSUP, op = what,
    message = string.format("cannot %s %q", what, box.id),
    cause = "it has no cgroup", checked = true,
  }
end

--- What a method of the cgroup's handle returns, its failure as an error object.
local function cgroup_call(box, what, ...)
  local cgroup, err = cgroup_of(box, what)
  if not cgroup then
    return nil, err
  end
  local done, message, errno = cgroup[what](cgroup, ...)
  if done then
    return done
  end
  return nil, require("luactr.error").from_sys(message, errno, what)
end

--- To all its processes: its init would pass it on to one that has it already.
---@param box luactr.container
---@param number integer
---@return boolean? done
---@return luactr.error?
function M.signal_all(box, number)
  return cgroup_call(box, "kill", number, box.spec.init and box.life.process:pid() or nil)
end

--- Stop all its processes where they are, by the freezer.
function M:pause()
  return cgroup_call(self, "freeze")
end

function M:resume()
  return cgroup_call(self, "thaw")
end

--- What it has used so far: the meters of its cgroup.
---@return table? meters
---@return table? error
function M:stats()
  local meters, err = cgroup_call(self, "meters")
  if meters and self.life.health then
    meters.health = self.life.health.state
  end
  return meters, err
end

--- What its checks have found; nil for one without `health`.
---@return luactr.health?
function M:health()
  return running(self).health
end

--- Wait until its checks find it healthy.
---@param timeout? number seconds
---@return boolean? healthy
---@return luactr.error? code "ETIMEDOUT", or "ESRCH" when it has ended
function M:wait_healthy(timeout)
  if not running(self).health then
    error(string.format("container %q has no health checks", self.id), 2)
  end
  return require("luactr.container.health").await(self, timeout)
end

--- Change limits of this life; those that are not named stay as they are.
---@param limits table as the spec's `limits`
---@return boolean? done
---@return table? error
function M:update(limits)
  local cgroup, err = cgroup_of(self, "update")
  if not cgroup then
    return nil, err
  end
  local update = require "luactr.container.update"
  local wanted
  wanted, err = update.check(limits, self.life.job.limits, self.spec.where)
  if not wanted then
    error(err, 2)
  end
  local done
  done, err = update.apply(self, wanted, container.facts())
  require("luactr.poll").tell(self.life.job.changed) -- who watches may have to look earlier
  return done, err
end

-- ---- its mounts

--- Mount in it while it runs: a table as the spec's `mounts` has them, or what a constructor gives.
---@param mount table
---@return boolean? done
---@return table? error
function M:mount(mount)
  running(self)
  local wanted, err = require("luactr.spec").check_mount(mount)
  if not wanted then
    error(err, 2)
  end
  return require("luactr.container.mounts").mount(self, wanted, container.facts())
end

--- Unmount what is mounted at a target. What is in use stays, unless it is to be detached: then it
--- is out of sight now, and ends when nothing uses it any more.
---@param target string
---@param options? { detach?: boolean }
---@return boolean? done
---@return table? error
function M:unmount(target, options)
  running(self)
  if type(target) ~= "string" or target:sub(1, 1) ~= "/" or target:find("\0", 1, true) then
    error("unmount: absolute path expected", 2)
  end
  return require("luactr.container.mounts").unmount(self, target, options or {}, container.facts())
end

-- ---- its processes

---@class luactr.process
---@field pid integer inside
---@field host_pid integer outside
---@field parent? integer inside; 0 for PID 1
---@field command string its short name
---@field state string letter as in ps(1)

--- Its processes, with their pids on both sides.
---@return luactr.process[]
function M:processes()
  return require("luactr.processes").list(running(self))
end

--- Where it runs; nil, and fields of an error, when it does not.
---@return luactr.target.place?
---@return table?
function M:place()
  local run = self.life
  local pidfd = run and sys.dup(run.process:pidfd())
  if not pidfd then
    return nil, { errno = sys.errno.ESRCH, checked = true, cause = "it is not running",
      remedy = "start it first" }
  end
  local compiled = self.plan.cgroup
  return { pid = run.process:pid(), pidfd = pidfd, cgroup = run.cgroup and compiled.at }
end

--- What a command in it has of the container's own.
---@return luactr.base
function M:command_base()
  local plan = running(self, 4) and self.plan
  return require("luactr.container.base").of(plan, container.facts())
end

--- What is to be known to get at its files.
---@return luactr.container.subject
function M:subject()
  return require("luactr.container.subject").of_run(self, running(self, 4), container.facts())
end

return M
