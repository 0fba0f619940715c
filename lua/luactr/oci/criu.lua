--- Checkpoints of containers, which are CRIU's work: it is run by argv, and what it cannot do it
--- says in its log.
local core = require "luactr.core"
local program = require "luactr.program"

local sys <const> = core.sys

local M = {}

local PROGRAM <const> = "criu"
local DIRECTORY <const> = "checkpoint" -- in the working directory, as in other runtimes
local PRIVATE <const> = 448 -- 0700
local LOG <const> = "dump.log"
local SAVED_FILE <const> = "luactr.json" -- beside the images: what is not in them

M.NETWORK = "luactr-network" -- what a network of others is called in the images
local LONGEST_LOG <const> = 1 << 20

---@class luactr.oci.checkpoint_options
---@field image_path? string
---@field work_path? string
---@field parent_path? string images of an earlier pre_dump, below image_path
---@field leave_running? boolean
---@field pre_dump? boolean
---@field manage_cgroups_mode? string
---@field page_server? string "ADDRESS:PORT"
---@field empty_ns? string

-- Options that are CRIU's own, by their names here.
local FLAGS <const> = {
  tcp_established = "--tcp-established", tcp_close = "--tcp-close",
  tcp_skip_in_flight = "--skip-in-flight", ext_unix_sk = "--ext-unix-sk",
  shell_job = "--shell-job", file_locks = "--file-locks", link_remap = "--link-remap",
  auto_dedup = "--auto-dedup", leave_running = "--leave-running",
}

local VALUES <const> = {
  manage_cgroups_mode = "--manage-cgroups", network_lock = "--network-lock",
}

-- Those that would take more than one process to serve.
local REFUSED <const> = {
  lazy_pages = "--lazy-pages", status_fd = "--status-fd", lsm_profile = "--lsm-profile",
  lsm_mount_context = "--lsm-mount-context",
}

-- File systems that it saves itself, if the container has their root.
local SAVED <const> = { proc = true, sysfs = true, tmpfs = true, devpts = true, mqueue = true,
  cgroup = true, cgroup2 = true }

-- ---- what is mounted from outside

local function unescape(text)
  return (text:gsub("\\(%d%d%d)", function(digits) return string.char(tonumber(digits, 8)) end))
end

--- The mounts of a mountinfo(5): device, root, target and type.
local function mounts_of(text)
  local list = {}
  for line in text:gmatch("[^\n]+") do
    local device, root, target, kind = line:match("^%d+ %d+ (%S+) (%S+) (%S+) .- %- (%S+)")
    list[#list + 1] = device and { device = device, root = unescape(root),
      target = unescape(target), kind = kind } or nil
  end
  return list
end

--- Where something of the host is mounted: a file system that CRIU does not save, or a part of one
--- that is not in the container as a whole. Pure.
---@param mountinfo string of a process in the container
---@return string[] targets
function M.external(mountinfo)
  local mounts, whole, list = mounts_of(mountinfo), {}, {}
  for _, mount in ipairs(mounts) do
    if mount.root == "/" then
      whole[mount.device] = true
    end
  end
  for _, mount in ipairs(mounts) do
    local is_saved = SAVED[mount.kind]
      and (whole[mount.device] or mount.kind == "proc" or mount.kind == "sysfs")
    if mount.target ~= "/" and not is_saved then
      list[#list + 1] = mount.target
    end
  end
  return list
end

-- ---- the command

local function by_name(set)
  return require("luactr.check").sorted_keys(set)
end

local function failure(op, id, cause, remedy, code)
  return nil, require("luactr.error").new {
    code = code or "ENOTSUP", op = op, checked = true, cause = cause, remedy = remedy,
    message = string.format("cannot %s container %q", op, id),
  }
end

local function add(words, ...)
  table.move({ ... }, 1, select("#", ...), #words + 1, words)
end

local function add_options(words, options)
  for _, name in ipairs(by_name(FLAGS)) do
    if options[name] then
      add(words, FLAGS[name])
    end
  end
  for _, name in ipairs(by_name(VALUES)) do
    if options[name] then
      add(words, VALUES[name] .. "=" .. options[name])
    end
  end
  if options.parent_path then
    add(words, "--track-mem", "--prev-images-dir", options.parent_path)
  elseif options.pre_dump then
    add(words, "--track-mem")
  end
  if options.empty_ns == "network" then
    add(words, "--empty-ns", "net")
  end
  local address, port = (options.page_server or ""):match("^(.*):(%d+)$")
  if address then
    add(words, "--page-server", "--address", address, "--port", port)
  end
end

--- The words that CRIU is run with. Pure.
---@param pid integer
---@param options luactr.oci.checkpoint_options
---@param external string[] targets of mounts from outside
---@return string[]
function M.dump_words(pid, options, external)
  local words = { options.pre_dump and "pre-dump" or "dump", "--tree", tostring(pid),
    "--images-dir", options.image_path, "--work-dir", options.work_path, "--log-file", LOG, "-v3" }
  add_options(words, options)
  for _, target in ipairs(external) do
    add(words, "--external", string.format("mnt[%s]:%s", target, target))
  end
  return words
end

M.add_options = add_options

-- ---- what is not in the images

--- What the standard streams lead to.
local function streams_of(pid)
  local list = {}
  for number = 0, 2 do
    list[number + 1] = sys.readlink(string.format("/proc/%d/fd/%d", pid, number)) or ""
  end
  return list
end

--- The number of a network namespace that others have made.
local function network_of(container)
  local config = require("luactr.state.list").read(container.host, container.id, "config.json")
  local where = config and config.spec and config.spec.namespaces
    and config.spec.namespaces.network
  if type(where) ~= "table" then
    return nil
  end
  return (sys.readlink(string.format("/proc/%d/ns/net", container.record.pid)) or "")
    :match("%d+")
end

local function write_saved(directory, saved)
  local file <close>, message = io.open(directory .. "/" .. SAVED_FILE, "w")
  return file and file:write(require("luactr.state").json(saved)), message
end

--- What a checkpoint has written beside the images.
---@param directory string
---@return { external: string[], streams: string[], network?: string }?
---@return string? problem
function M.read_saved(directory)
  local file <close>, message = io.open(directory .. "/" .. SAVED_FILE)
  local saved = file and require("luactr.state.list").decode(file:read(LONGEST_LOG) or "")
  if saved and type(saved.external) == "table" and type(saved.streams) == "table" then
    return saved
  end
  return nil, message or directory .. "/" .. SAVED_FILE .. " is not what luactr writes"
end

-- ---- running it

--- The first error in its log: the others follow from that. A kernel without the device for tunnels
--- is none, although CRIU says so each time.
local function complaint(directory, log)
  local file <close> = io.open(directory .. "/" .. log)
  for source, text in (file and file:read(LONGEST_LOG) or ""):gmatch("Error %((.-)%): ([^\n]*)") do
    if not source:find("tun.c", 1, true) then
      return text
    end
  end
end

--- True, or nil and an error, for an option that is not passed on.
local function check_options(op, id, options)
  for _, name in ipairs(by_name(REFUSED)) do
    if options[name] then
      return failure(op, id, REFUSED[name] .. " is not supported")
    end
  end
  if options.page_server and not options.page_server:find("^.*:%d+$") then
    return failure(op, id, "--page-server: ADDRESS:PORT expected", nil, "EUSAGE")
  elseif options.empty_ns and options.empty_ns ~= "network" then
    return failure(op, id, "--empty-ns: network expected", nil, "EUSAGE")
  end
  return true
end

local function find_program(op, id, named)
  local path = named or program.find(PROGRAM)
  if not path then
    return failure(op, id, "there is no program criu on this host", "install CRIU")
  end
  return path
end

M.failure, M.complaint = failure, complaint

local function make_directory(op, id, path)
  local done, message, errno = sys.mkdir(path, PRIVATE)
  if done or errno == sys.errno.EEXIST then
    return true
  end
  return failure(op, id, message, nil, sys.errname(errno))
end

--- Options with the directories, absolute since CRIU runs elsewhere.
local function with_directories(options)
  local absolute = require("luactr.oci.bundle").absolute
  local image = absolute(options.image_path or DIRECTORY)
  return setmetatable({ image_path = image,
    work_path = options.work_path and absolute(options.work_path) or image },
    { __index = options })
end

--- The program, and the options with directories that there are.
---@param op "checkpoint"|"restore"
---@param id string
---@param options luactr.oci.checkpoint_options
---@param named? string path of the program
---@return string? path
---@return table|luactr.error options
function M.prepare(op, id, options, named)
  local path, err = find_program(op, id, named)
  local fine, all = path, nil
  if fine then
    fine, err = check_options(op, id, options)
  end
  if fine then
    all = with_directories(options)
  end
  for _, directory in ipairs(fine and { all.image_path, all.work_path } or {}) do
    if fine then
      fine, err = make_directory(op, id, directory)
    end
  end
  return fine and path, fine and all or err
end

local function read_mounts(pid)
  local file <close> = io.open(string.format("/proc/%d/mountinfo", pid))
  return file and file:read("a") or ""
end

--- Save the processes of a container; they end thereby unless that is asked for otherwise.
---@param container luactr.oci.container
---@param options luactr.oci.checkpoint_options
---@param named? string path of the program
---@return boolean? done
---@return luactr.error? code "ENOTSUP" without CRIU, "ECRIU" when it refuses
function M.checkpoint(container, options, named)
  local id, word = container.id, container:state().status
  if word ~= "running" then
    return failure("checkpoint", id, "it is " .. word .. ", not running", nil, "EINVAL")
  end
  local path, all = M.prepare("checkpoint", id, options, named)
  if not path then
    return nil, all
  end
  local pid, network = container.record.pid, network_of(container)
  local saved = { external = M.external(read_mounts(pid)), streams = streams_of(pid),
    network = network }
  local command = M.dump_words(pid, all, saved.external)
  table.insert(command, 1, path)
  if network then
    add(command, "--external", string.format("net[%s]:%s", network, M.NETWORK))
  end
  command.env = program.environment { "PATH" }
  local ending, err = program.run(command)
  if not ending then
    return nil, err
  elseif ending.code ~= 0 then
    return failure("checkpoint", id, "criu: " .. (complaint(all.work_path, LOG)
      or ending.stderr:match("Error %(.-%): ([^\n]*)") or "status " .. tostring(ending.code)),
      all.work_path .. "/" .. LOG .. " tells more", "ECRIU")
  end
  local done, message = write_saved(all.image_path, saved)
  if not done then
    return failure("checkpoint", id, message, nil, "EIO")
  end
  return true
end

return M
