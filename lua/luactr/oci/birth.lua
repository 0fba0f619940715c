--- A container of a bundle while it is made, as luactr.launch has a keeper for each. When luactr is
--- gone nobody watches over it; what is written here is what later commands have.
local core = require "luactr.core"

local sys <const> = core.sys

local M = {}

---@class luactr.oci.birth: luactr.keeper
---@field request luactr.oci.creation
---@field oci luactr.oci.record
---@field gate boolean it waits until it is started
---@field hooks? table
---@field record? table of state.json, until it is written
local Birth = { adopted = true }
Birth.__index = Birth

-- A link in the directory of each. What it says is the version, and whether a luactr in the
-- foreground owns it, which it then does not outlive. See luactr.state.kept.
local MARK <const>, FOREGROUND <const> = "oci", " run"

---@param request luactr.oci.creation
---@param oci luactr.oci.record
---@return luactr.oci.birth
function M.new(request, oci)
  return setmetatable({ request = request, oci = oci, gate = not request.foreground,
    no_cgroup = request.no_cgroup }, Birth)
end

local function failure(id, op, message, errno, path)
  return require("luactr.error").new {
    op = op, errno = errno, path = path, action = message:match("^(.*): "),
    message = string.format("cannot create %q", id),
  }
end

-- ---- streams

--- A user as the host counts it.
local function outside(uid, maps)
  for _, row in ipairs(maps and maps.uid or {}) do
    if uid >= row.inside and uid < row.inside + row.count then
      return row.outside + uid - row.inside
    end
  end
  return not maps and uid or nil
end

local function is_null(stat)
  return stat.type == "character" and stat.rdev == sys.makedev(1, 3)
end

--- The program's user can open what /dev/stdout leads to. Where that cannot be, it is as it was.
local function give_streams(box, run)
  local uid = outside(box.plan.spec.user.uid, run.id_maps)
  for number, stream in ipairs { "stdin", "stdout", "stderr" } do
    local stat = uid and box.spec[stream].kind == "inherit" and sys.stat(number - 1)
    if stat and stat.uid ~= uid and not is_null(stat) then
      sys.chown(number - 1, uid)
    end
  end
end

-- ---- what launch asks

function Birth:spawn(launch, box, run)
  return (self.request.spawn or core.spawn)(launch, box, run)
end

--- Before anything else is made: how to clean up after a luactr that was killed.
function Birth:announce(box, run)
  local directory = run.entry.directory
  local done, message, errno =
    sys.symlink(self.oci.version .. (self.gate and "" or FOREGROUND), MARK, directory)
  if done then
    done, message, errno =
      require("luactr.container.detach").write_config(box, run, { oci = self.oci })
  end
  if done and self.gate then
    local gate
    gate, message, errno = core.gate.listen(directory)
    run.gate, done = gate and run:pass(gate), gate
  end
  give_streams(box, run)
  return done, not done and failure(box.id, "write", message, errno, run.entry.path) or nil
end

function Birth:publish(box, run, record)
  record.oci = self.oci
  if self.gate then
    record.owner = false
  end
  record.freezer = require("luactr.container.detach")
    .freezer_file(run.cgroup and box.plan.cgroup)
  self.record = record
  return true
end

--- By rename, so that a reader sees all of it or none.
---@param path string
---@param pid integer
---@return boolean? done
---@return string? message
---@return integer? errno
local function write_pid_file(path, pid)
  local temporary = path:match("^(.*/)[^/]*$") or ""
  temporary = string.format("%s.%s.%d", temporary, path:match("[^/]*$"), sys.getpid())
  local file <close>, message, errno =
    sys.open(temporary, sys.O_WRONLY | sys.O_CREAT | sys.O_EXCL, "0644")
  local done = file
  if file then
    done, message, errno = file:write(tostring(pid))
  end
  if done then
    done, message, errno = sys.rename(temporary, path)
  end
  if not done and file then
    sys.unlink(temporary)
  end
  return done, message, errno
end

M.write_pid_file = write_pid_file

--- All is done but the program. Who knows of it by one file finds the other.
function Birth:created(box, run)
  local pid = run.process:pid() -- in the namespace of others it is another than at first
  self.record.pid, self.record.start = pid, require("luactr.state").start_time(pid)
  local done, message, errno = run.entry:write(self.record)
  if not done then
    return nil, failure(box.id, "write", message, errno, run.entry.path)
  end
  local path = self.request.pid_file
  if path then
    done, message, errno = write_pid_file(path, run.process:pid())
  end
  if done and self.request.pidfd_socket then
    path = self.request.pidfd_socket
    done, message, errno = core.notify.forward(run.process:pidfd(), path, "pidfd")
  end
  return done, not done and failure(box.id, "write", message, errno, path) or nil
end

--- It has ended in the foreground, and is to be kept until somebody deletes it.
---@param entry luactr.state.entry
---@return boolean? done
---@return string? message
---@return integer? errno
function Birth:keep(entry)
  local temporary = MARK .. ".new"
  local done, message, errno = sys.symlink(tostring(self.oci.version), temporary, entry.directory)
  if done then
    done, message, errno = sys.rename(temporary, MARK, entry.directory)
  end
  if done then
    entry:disown()
  end
  return done, message, errno
end

function Birth:send_console(master)
  local path = self.request.console_socket
  local done, message, errno = core.notify.forward(master, path, "/dev/pts/ptmx")
  master:close()
  return done, not done and failure(self.request.id, "connect", message, errno, path) or nil
end

return M
