--- Containers of what CRIU has saved. All is made as for any container of a bundle but its
--- processes: in place of the init it is CRIU that is started in its cgroup, and what that makes is
--- this process's own child.
local core = require "luactr.core"
local criu = require "luactr.oci.criu"

local sys <const> = core.sys

local M = {}

local LOG <const> = "restore.log"
local ROOT <const>, PID_FILE <const> = "root", "criu.pid" -- in the container's directory
local PRIVATE <const> = 448 -- 0700
local FIRST_FD <const> = 10 -- of those that CRIU is given

-- ---- what has to be named to it

local function cgroup_directory(compiled)
  for _, place in ipairs(compiled and compiled.places or {}) do
    if place.version == 2 then
      return string.format("%s%s/%s", place.mount, place.parent, compiled.path)
    end
  end
end

--- What of the host is at a path of the container.
local function source_of(target, box)
  for _, mount in ipairs(box.spec.mounts) do
    if mount.target == target and mount.type == "bind" and type(mount.source) == "string" then
      return mount.source
    elseif mount.target == target and mount.type:find("^cgroup") then
      return cgroup_directory(box.plan.cgroup)
    end
  end
  for _, path in ipairs(box.spec.masked_paths) do
    if path == target then
      return "/dev/null"
    end
  end
  return target:find("^/dev/") and target or nil
end

--- The words for mounts and streams that are not in the images; nil and what is missing.
local function outer_words(saved, box)
  local words = {}
  for _, target in ipairs(saved.external) do
    local source = source_of(target, box)
    if not source then
      return nil, "nothing of the bundle is mounted at " .. target
    end
    words[#words + 1] = "--external"
    words[#words + 1] = string.format("mnt[%s]:%s", target, source)
  end
  for number, name in ipairs(saved.streams) do
    if name:find("^pipe:") or name:find("^socket:") then
      words[#words + 1] = "--inherit-fd"
      words[#words + 1] = string.format("fd[%d]:%s", number - 1, name)
    end
  end
  return words
end

-- ---- CRIU as a child in its cgroup and a mount namespace of its own

local function enter_cgroup(cgroup)
  for _, fd in pairs(cgroup and cgroup:attach_fds() or {}) do
    assert(sys.write(fd, "0"))
  end
  local directory = cgroup and cgroup:fd()
  if directory then
    local procs <close> = assert(sys.open("cgroup.procs", sys.O_WRONLY, nil, { dir = directory }))
    assert(procs:write("0"))
  end
end

--- It wants the root to be a mount.
local function become(path, words, run, rootfs, network)
  assert(sys.mount("none", "/", "", sys.MS_REC | sys.MS_PRIVATE))
  assert(sys.mount(rootfs, run.entry.path .. "/" .. ROOT, "", sys.MS_BIND | sys.MS_REC))
  enter_cgroup(run.cgroup)
  if network then
    assert(sys.dup2(network, FIRST_FD))
  end
  return sys.exec(path, words)
end

local function pid_in(file)
  local text <close> = io.open(file)
  return text and math.tointeger(tonumber(text:read("a")))
end

-- ---- the process, for luactr.launch

local Process = {}
Process.__index = Process

function Process:pid() return self.number end

function Process:pidfd() return self.fd end

function Process:launch() return "rendezvous", core.plan.rendezvous.start end

function Process:answer() return self ~= nil end

function Process:step_skipped() return self == nil end

function Process:disown() self.left = true end

function Process:close()
  if self.fd and not self.left then
    sys.pidfd_send_signal(self.fd, sys.signals.KILL)
    sys.waitid(self.fd)
  end
  if self.fd then
    self.fd:close()
    self.fd = nil
  end
end

local function failure(id, cause, remedy, code)
  return criu.failure("restore", id, cause, remedy, code)
end

local function open_network(saved, box)
  local where = box.spec.namespaces.network
  if not saved.network then
    return nil
  elseif type(where) ~= "table" or not where.path then
    return nil, "its network was one of others, and the bundle names none"
  end
  local fd, message = sys.open(where.path, sys.O_RDONLY)
  return fd, message
end

local function words_for(box, run, options, saved, network)
  local words, problem = outer_words(saved, box)
  if not words then
    return nil, problem
  end
  local list = { "criu", "restore", "--images-dir", options.image_path, "--work-dir",
    options.work_path, "--log-file", LOG, "-v3", "--root", run.entry.path .. "/" .. ROOT,
    "--restore-detached", "--restore-sibling", "--pidfile", run.entry.path .. "/" .. PID_FILE }
  criu.add_options(list, options)
  if not options.manage_cgroups_mode then
    list[#list + 1] = "--manage-cgroups=ignore"
  end
  table.move(words, 1, #words, #list + 1, list)
  if network then
    table.move({ "--inherit-fd", string.format("fd[%d]:%s", FIRST_FD, criu.NETWORK) }, 1, 2,
      #list + 1, list)
  end
  return list
end

--- In place of core.spawn.
local function spawner(path, options, saved)
  return function(_, box, run)
    local network <close>, problem = open_network(saved, box)
    local words
    if not problem then
      words, problem = words_for(box, run, options, saved, network)
    end
    if not words then
      return failure(box.id, problem)
    end
    sys.mkdir(run.entry.path .. "/" .. ROOT, PRIVATE)
    local child <close>, message, errno = sys.clone({ "newns" }, function()
      return become(path, words, run, box.spec.rootfs.path, network)
    end)
    local how = child and child:wait()
    if not how then
      return nil, message, errno
    elseif how.code ~= 0 then
      return failure(box.id, "criu: " .. (criu.complaint(options.work_path, LOG)
        or "status " .. tostring(how.code)), options.work_path .. "/" .. LOG .. " tells more",
        "ECRIU")
    end
    sys.rmdir(run.entry.path .. "/" .. ROOT)
    local pid = pid_in(run.entry.path .. "/" .. PID_FILE)
    os.remove(run.entry.path .. "/" .. PID_FILE)
    local fd = pid and sys.pidfd_open(pid)
    if not fd then
      return failure(box.id, "it has ended")
    end
    return setmetatable({ number = pid, fd = fd }, Process)
  end
end

--- Make a container of saved processes. In the foreground, wait until it has ended.
---@param request luactr.oci.creation
---@param options luactr.oci.checkpoint_options
---@param named? string path of the program
---@return luactr.oci.container|luactr.result|nil
---@return luactr.error?
function M.restore(request, options, named)
  local path, all = criu.prepare("restore", request.id, options, named)
  if not path then
    return nil, all
  end
  local saved, err = criu.read_saved(all.image_path)
  if not saved then
    return failure(request.id, err, nil, "ENOENT")
  end
  request.spawn = spawner(path, all, saved)
  local container
  container, err = require("luactr.oci.life").create(request)
  if not container then
    return nil, err
  end
  sys.unlink(string.format("%s/containers/%s/%s", container.host.state_dir, container.id,
    core.gate.SOCKET))
  if request.detach then
    return container
  end
  local how = sys.waitid(container.record.pid) or {}
  container:delete { force = true }
  return { exit_code = how.code, signal = how.signal }
end

return M
