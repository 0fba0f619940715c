-- What specs share: what a host can do, temporary directories, running programs.

local lfs = require("lfs")
local system = require("system")
local compatibility = require("busted.compatibility")

local support = {}

---- files

function support.read(path)
  local file <close> = assert(io.open(path, "rb"))
  return file:read("a")
end

function support.write(path, text)
  local file <close> = assert(io.open(path, "wb"))
  assert(file:write(text))
end

--- Copy a file with its mode, as cp(1) would, but without a process: some specs do nothing slower.
function support.copy(from, to)
  local sys = require("luactr.sys")
  support.write(to, support.read(from))
  assert(sys.chmod(to, assert(sys.stat(from)).mode))
end

--- Make `path` a symbolic link with this text.
function support.symlink(text, path)
  assert(require("luactr.sys").symlink(text, path))
end

local function remove_tree(path)
  if lfs.symlinkattributes(path, "mode") == "directory" then
    for name in lfs.dir(path) do
      if name ~= "." and name ~= ".." then remove_tree(path .. "/" .. name) end
    end
  end
  return os.remove(path)
end

local Directory = {}
Directory.__index = Directory
Directory.__tostring = function(self) return self.path end
Directory.__concat = function(a, b) return tostring(a) .. tostring(b) end

--- Make `name` with the directories above it; returns its path.
function Directory:mkdir(name)
  local path = self.path
  for part in name:gmatch("[^/]+") do
    path = path .. "/" .. part
    lfs.mkdir(path)
  end
  return path
end

--- Write a file below the directory, with a mode ("0755"). Returns its path.
function Directory:write(name, text, mode)
  if name:find("/") then self:mkdir(name:match("^(.*)/")) end
  local path = self.path .. "/" .. name
  support.write(path, text)
  if mode then assert(require("luactr.sys").chmod(path, mode)) end
  return path
end

function Directory:close()
  remove_tree(self.path)
end
Directory.__close = Directory.close

--- In the names of what specs make: the world check of another run sees that it is not its own.
support.run_id = os.getenv("LUACTR_SPEC_RUN") or lfs.symlinkattributes("/proc/self", "target")

--- A fresh directory: `local dir <close> = support.tmpdir()`, then dir.path, dir:write(...).
function support.tmpdir()
  local path = os.tmpname()
  os.remove(path)
  path = path:gsub("lua_", "luactr-spec-" .. support.run_id .. "-")
  assert(lfs.mkdir(path))
  return setmetatable({ path = path }, Directory)
end

--- A container's name that is this run's own, for one that outlives its luactr.
function support.name(text)
  return ("spec-%s-%s"):format(support.run_id, text)
end

---- programs

---@class support.Run
---@field [integer] string the argument list
---@field stdin? string fed to the program, or "closed"
---@field stdout? "closed" otherwise captured
---@field stderr? "closed" otherwise captured
---@field env? table<string, string> added to the environment
---@field cwd? string
---@field user? integer run as this user and group, without root's privileges
---@field timeout? number seconds until SIGKILL, 300
---@field without? table system calls that it does not have: see support.without

local function argument_list(options)
  local argv = { "timeout", "--signal=KILL", options.timeout or 300 }
  if options.user then
    table.move({ "setpriv", "--reuid", options.user, "--regid", options.user,
      "--clear-groups", "--" }, 1, 7, #argv + 1, argv)
  end
  if options.without then
    argv = require("support.without").wrap(options.without, argv)
  end
  if options.env and next(options.env) then argv[#argv + 1] = "env" end
  for name, value in pairs(options.env or {}) do argv[#argv + 1] = name .. "=" .. value end
  table.move(options, 1, #options, #argv + 1, argv)
  for i, word in ipairs(argv) do argv[i] = tostring(word) end
  return argv
end

-- In the child: streams are files of `dir`, or closed.
local function become(options, argv, dir)
  local sys = require("luactr.sys")
  for number, stream in ipairs { "stdin", "stdout", "stderr" } do
    if options[stream] == "closed" then
      sys.close(number - 1)
    else
      local flags = number == 1 and "rdonly" or "wronly"
      local file = assert(sys.open(dir.path .. "/" .. number - 1, flags))
      assert(sys.dup2(file, number - 1))
    end
  end
  if options.cwd then assert(sys.chdir(options.cwd)) end
  return sys.exec("/usr/bin/timeout", argv)
end

--- Run a program to its end: { code=, signal=, stdout=, stderr= }. For a signal, code is 128+n.
---@param options support.Run
function support.run(options)
  local dir <close> = support.tmpdir()
  dir:write("0", options.stdin or "")
  dir:write("1", "")
  dir:write("2", "")
  local argv = argument_list(options)
  local child <close> = assert(require("luactr.sys").clone({}, function()
    return become(options, argv, dir)
  end))
  local how = assert(child:wait())
  return {
    code = how.signal and 128 + how.signal or how.code,
    signal = how.signal,
    stdout = support.read(dir.path .. "/1"),
    stderr = support.read(dir.path .. "/2"),
  }
end

--- Run a program that has to succeed; what it printed.
---@param options support.Run
function support.must(options)
  local result = support.run(options)
  if result.code ~= 0 then
    error(("%s: status %d: %s"):format(table.concat(options, " "), result.code, result.stderr), 2)
  end
  return result.stdout
end

--- Where the build is: build/, or the directory in LUACTR_BUILD.
support.build = os.getenv("LUACTR_BUILD") or "build"
if support.build:sub(1, 1) ~= "/" then support.build = lfs.currentdir() .. "/" .. support.build end
support.luactr_program = support.build .. "/luactr"

--- Run the luactr executable of this checkout with these arguments.
---@param options support.Run
function support.luactr(options)
  local copy = { support.luactr_program, table.unpack(options) }
  for key, value in pairs(options) do
    if type(key) == "string" then copy[key] = value end
  end
  return support.run(copy)
end

--- A program of spec/support/NAME.c, static so that it runs in an empty root; built when it is
--- older than its source. The new one takes the old one's place at once: others may be running it.
function support.program(name)
  local source, directory = "spec/support/" .. name .. ".c", support.build .. "/spec"
  local path = directory .. "/" .. name
  local made = lfs.attributes(path, "modification")
  if not made or made < lfs.attributes(source, "modification") then
    lfs.mkdir(directory)
    local new = ("%s.%d"):format(path, lfs.symlinkattributes("/proc/self", "target"))
    support.must { "gcc", "-O1", "-static", "-o", new, source }
    assert(os.rename(new, path))
  end
  return path
end

---- fuzzing

local DEFAULT_FUZZ_SECONDS <const> = 0.5

--- Call round(n) with fresh random numbers until LUACTR_FUZZ_SECONDS are over. A
--- failure names the seed, and LUACTR_FUZZ_SEED repeats it. For specs with the tag #fuzz.
---@param round fun(n: integer)
function support.fuzz(round)
  local seconds = tonumber(os.getenv("LUACTR_FUZZ_SECONDS")) or DEFAULT_FUZZ_SECONDS
  local seed = math.tointeger(os.getenv("LUACTR_FUZZ_SEED")) or os.time()
  local deadline = system.monotime() + seconds
  math.randomseed(seed)
  local n = 0
  repeat
    n = n + 1
    local done, problem = xpcall(round, debug.traceback, n)
    if not done then error(("LUACTR_FUZZ_SEED=%d, round %d: %s"):format(seed, n, problem), 0) end
  until system.monotime() > deadline
end

---- what this host can do

local function status_field(name)
  return support.read("/proc/self/status"):match("\n" .. name .. ":%s*(%S+)")
end

local CAP_SYS_ADMIN <const> = 21

local function privileged()
  return tonumber(status_field("CapEff"), 16) & (1 << CAP_SYS_ADMIN) ~= 0
end

-- Mount point, type, and options of each cgroup hierarchy.
local function hierarchies()
  local list = {}
  for line in io.lines("/proc/self/mountinfo") do
    local point, kind, options =
      line:match("^%d+ %d+ %S+ %S+ (%S+) .- %- (cgroup2?) %S+ (%S+)")
    if point then list[#list + 1] = { point = point, v2 = kind == "cgroup2", options = options } end
  end
  return list
end

local function has_word(text, word)
  return (" " .. text:gsub("[,\n]", " ") .. " "):find(" " .. word .. " ", 1, true) ~= nil
end

--- Where a cgroup controller lives: mount point and version; nil if nowhere.
function support.controller(name)
  for _, hierarchy in ipairs(hierarchies()) do
    local controllers = hierarchy.options
    if hierarchy.v2 then
      local root = io.open(hierarchy.point .. "/cgroup.controllers")
      controllers = root and root:read("a") or ""
      if root then root:close() end
    end
    if has_word(controllers, name) then return hierarchy.point, hierarchy.v2 and 2 or 1 end
  end
end

--- "v1", "v2" or "hybrid".
function support.layout()
  local seen = {}
  for _, hierarchy in ipairs(hierarchies()) do seen[hierarchy.v2 and "v2" or "v1"] = true end
  if seen.v1 and seen.v2 then return "hybrid" end
  return seen.v1 and "v1" or "v2"
end

local function program_path(name)
  for directory in (os.getenv("PATH") .. ":/sbin:/usr/sbin"):gmatch("[^:]+") do
    local path = directory .. "/" .. name
    if lfs.attributes(path, "mode") == "file" then return path end
  end
end

--- A user without rights, for specs that run luactr as somebody else.
support.stranger = 65534

-- The checkout may lie in a directory that only root may enter, and the host may keep user
-- namespaces from others.
local function stranger_runs_luactr()
  local probe = { "unshare", "--user", support.luactr_program, "version", user = support.stranger }
  return support.run(probe).code == 0
end

-- Before Linux 6.3 a tmpfs takes no id maps, and an overlay takes none yet.
local function maps_files()
  return require("luactr.cli.probes").idmapped("/tmp") == true
end

-- Some virtual machines have no 32-bit mode: this is a fault there, and no system call.
local function has_int80()
  local machine = support.run({ "uname", "-m" }).stdout
  return machine == "x86_64\n"
    and support.run({ support.program "calls", "int 0x80" }).stdout == "ok\n"
end

-- The node may be there without the kernel's module.
local function opens_fuse()
  local file <close> = io.open("/dev/fuse", "r+b")
  return file ~= nil
end

-- A need is "name" or "name:argument"; a row returns true when the host has it.
local NEEDS <const> = {
  root = privileged,
  user = function() return status_field("Uid") ~= "0" end,
  controller = function(name) return support.controller(name) ~= nil end,
  layout = function(name) return support.layout() == name end,
  devices = function() return support.layout() == "v2" or support.controller("devices") ~= nil end,
  program = function(name) return program_path(name) ~= nil end,
  stranger = stranger_runs_luactr,
  idmapped = maps_files,
  int80 = has_int80,
  fuse = opens_fuse,
  criu = function() return support.run({ "criu", "check" }).code == 0 end,
  file = function(path) return lfs.attributes(path, "mode") ~= nil end,
}

--- The first of the needs that this host does not meet, or nil.
function support.lacks(...)
  for _, need in ipairs { ... } do
    local name, argument = need:match("^(%w+):?(.*)$")
    local row = NEEDS[name] or error("unknown need: " .. need, 2)
    if not row(argument) then return need end
  end
end

--- In an `it`: the rest is pending, with the reason, unless the host meets all the needs:
--- "root", "user" (not root), "stranger" (somebody else can run luactr),
--- "idmapped" (files of temporary directories can be), "int80" (i386's system calls), "fuse",
--- "controller:memory", "devices" (rules for them, which need no controller on v2),
--- "criu" (it knows the kernel),
--- "layout:v2", "program:busybox", "file:/dev/kvm".
function support.needs(...)
  local lacking = support.lacks(...)
  if lacking then compatibility.getfenv(2).pending("this host lacks " .. lacking) end
end

--- An `it` for specs that all have the same needs: `local it = support.it(it, pending, "root")`.
function support.it(it, pending, ...)
  local lacking = support.lacks(...)
  if not lacking then return it end
  return function(name) pending(name .. " (this host lacks " .. lacking .. ")") end
end

return support
