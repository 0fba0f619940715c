--- What a profile needs of the system before it can be planned: the program from a file or from the
--- cache, and the kernel's word on what it uses. Loaded for profiles of a recipe's own only.
--
-- A program is compiled once and kept in the state directory, since a compiler takes as long as a
-- container's start. An entry is believed only if nobody else can write there, if it was made from
-- the same profile by the same luactr, word for word, and if the kernel would take it.
local bpf = require "luactr.spec.seccomp.bpf"
local core = require "luactr.core"

local sys <const> = core.sys

local M = {}

local HEADER <const> = "luactr filter 1\n"
local MAX_FILE <const> = 1 << 20
local MAX_ENTRIES <const> = 64
local DIRECTORY_MODE <const>, FILE_MODE <const> = 448, 384 -- 0700, 0600
local OTHERS_WRITE <const> = 18 -- 0022

-- ---- the cache

--- The name of an entry: not proof against malice, which the directory's mode is for.
local function hash(text)
  local result = #text
  local padded = text .. ("\0"):rep(-#text % 8)
  for at = 1, #padded, 8 do
    result = (result ~ string.unpack("<i8", padded, at)) * 0x100000001b3
    result = result ~ (result >> 29)
  end
  return string.format("%016x", result)
end

--- Whatever decides about the program: who compiled it, its base, the profile.
local function key_of(profile)
  local base = core.seccomp.builtin(profile.base) or ""
  return core.version .. base .. require("luactr.security.seccomp").fingerprint(profile)
end

local function is_ours(file, wanted)
  local stat = sys.stat(file)
  return stat and stat.type == wanted and stat.uid == sys.geteuid()
    and stat.mode & OTHERS_WRITE == 0
end

local function open_directory(path)
  local directory = sys.open(path, { "rdonly", "directory", "nofollow" })
  if directory and is_ours(directory, "directory") then
    return directory
  elseif directory then
    directory:close()
  end
end

local function load(path, key)
  local directory <close> = open_directory(path)
  local file <close> = directory
    and sys.open(hash(key), { "rdonly", "nofollow", "nonblock" }, 0, { dir = directory })
  if not file or not is_ours(file, "file") then
    return nil
  end
  local content = file:read(MAX_FILE) or ""
  local start = HEADER .. #key .. "\n" .. key
  local program = content:sub(1, #start) == start and content:sub(#start + 1)
  return program and not bpf.check(program) and program or nil
end

--- Profiles that are made anew for each container would fill the disk.
local function make_room(directory)
  local entries = sys.readdir(directory) or {}
  for _, entry in ipairs(#entries >= MAX_ENTRIES and entries or {}) do
    sys.unlink(entry.name, directory)
  end
end

--- A cache that cannot be written is no reason to stop.
local function save(path, key, program)
  sys.mkdir(path, DIRECTORY_MODE)
  local directory <close> = open_directory(path)
  if not directory then
    return
  end
  make_room(directory)
  local name = hash(key)
  local temporary = name .. "." .. sys.getpid()
  local content = HEADER .. #key .. "\n" .. key .. program
  local file <close> = sys.open(temporary, { "wronly", "creat", "excl", "nofollow" }, FILE_MODE,
    { dir = directory })
  if not file then
    return
  elseif file:write(content) ~= #content or not sys.rename(temporary, name, directory) then
    sys.unlink(temporary, directory)
  end
end

--- The compiled program, from the cache if it is there.
local function compile(profile, host)
  local seccomp = require "luactr.security.seccomp"
  local path, key = host.state_dir .. "/seccomp", key_of(profile)
  local program = load(path, key)
  if program then
    seccomp.remember(seccomp.fingerprint(profile), program)
    return program
  end
  local problems
  program, problems = seccomp.compile(profile)
  if program and not profile.skipped then -- a name that is unknown now may be known one day
    save(path, key, program)
  end
  return program, problems
end

-- ---- a program from a file

local function read(path)
  local file <close>, message = sys.open(path, { "rdonly", "nonblock" })
  if not file then
    return nil, message
  end
  local program
  program, message = file:read(MAX_FILE)
  if not program then
    return nil, message
  end
  local problem = bpf.check(program)
  return not problem and program or nil, problem
end

local function load_file(profile)
  local program, problem = read(profile.bpf_file)
  if program then
    profile.bpf = program
    return program
  end
  return nil, { { path = "seccomp.bpf_file", message = problem } }
end

-- ---- what the kernel has

--- Every action that a program answers with.
local function actions_of(program)
  local list, seen = {}, {}
  for at = 1, #program, 8 do
    local code, k = string.unpack("<I2xxI4", program, at)
    local action = k & 0xffff0000
    if code == 0x06 and not seen[action] then
      seen[action] = true
      list[#list + 1] = action
    end
  end
  return list
end

local function ask_kernel(profile, program)
  local problems, seccomp = {}, require "luactr.security.seccomp"
  for _, action in ipairs(actions_of(program)) do
    if not core.seccomp.has_action(action) then
      local word = require("luactr.spec.seccomp.actions").text(action)
      problems[#problems + 1] = { path = "seccomp",
        message = string.format("this kernel's filters have no action %s", word) }
    end
  end
  for i, name in ipairs(profile.flags) do
    local bits = seccomp.FLAGS[name]
    bits = name == "wait_kill" and bits | seccomp.FLAGS.new_listener or bits
    if not core.seccomp.has_flags(bits) then
      problems[#problems + 1] = { path = "seccomp.flags[" .. i .. "]",
        message = string.format("this kernel's filters have no flag %s", name) }
    end
  end
  return #problems == 0, problems
end

--- Get ready what plan.compile will ask for.
---@param spec luactr.spec
---@param host luactr.host
---@return boolean? ready
---@return luactr.error?
function M.prepare(spec, host)
  local profile = spec.seccomp
  if type(profile) ~= "table" then
    return true
  end
  local program, problems = profile.bpf, nil
  if profile.bpf_file then
    program, problems = load_file(profile)
  elseif not program then
    program, problems = compile(profile, host)
  end
  local fine = program
  if program then
    fine, problems = ask_kernel(profile, program)
  end
  if fine then
    return true
  end
  return nil, require("luactr.spec").refusal(problems, spec.where)
end

return M
