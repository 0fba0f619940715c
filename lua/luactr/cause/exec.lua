--- Why a program does not start: rows for exec and chdir.
local access = require "luactr.cause.access"
local elf = require "luactr.rootfs.elf"

local MAX_CHAIN <const> = 5 -- the kernel follows no more interpreters of interpreters
local MS_NOEXEC <const>, MOUNT_ATTR_NOEXEC <const>, ST_NOEXEC <const> = 8, 8, 8

-- ---- the program

local function absolute(case, path)
  return path:sub(1, 1) == "/" and path or case.plan.spec.cwd .. "/" .. path
end

--- Walks to the places where exec has looked, in its order.
local function places(case)
  local step, list = case.step, {}
  if step.file:find("/", 1, true) then
    return { case.view:walk(absolute(case, step.file)) }
  end
  for directory in (step.path or ""):gmatch("[^:]+") do
    list[#list + 1] = case.view:walk(absolute(case, directory .. "/" .. step.file))
  end
  return list
end

--- The first that has something; else the first.
local function program(case)
  local list = places(case)
  for _, walk in ipairs(list) do
    if walk.node then
      return walk
    end
  end
  return list[1] or { passed = {} }
end

local function inspect(case, walk)
  local node = walk.node
  return node and node.kind == "file" and node.host and case.eyes.program(node.host) or nil
end

--- What has to be there for a program to run, from the program on: { path, of, what } where
--- `what` is "loader" or "interpreter".
local function needed(case, walk)
  local list = {}
  for _ = 1, MAX_CHAIN do
    local file = inspect(case, walk)
    local next_path = file and (file.script and file.script.interpreter
      or file.elf and file.elf.interpreter)
    if not next_path then
      return list
    end
    list[#list + 1] = { path = next_path, of = walk.path,
      what = file.script and "interpreter" or "loader" }
    walk = case.view:walk(absolute(case, next_path))
    list[#list].walk = walk
  end
  return list
end

local function missing(case, what)
  for _, need in ipairs(needed(case, program(case))) do
    if not need.walk.node and need.what == what then
      return need
    end
  end
end

local function host_program(case, name)
  for directory in (case.host.environment.PATH or ""):gmatch("[^:]+") do
    local stat = case.eyes.stat(directory .. "/" .. name)
    if stat and stat.type == "file" then
      return directory .. "/" .. name
    end
  end
end

-- ---- ENOENT

local function missing_with_path(case)
  local file = case.step.file
  local walk = program(case)
  if not file:find("/", 1, true) or walk.node then
    return nil
  end
  return { file = file, path = walk.missing or walk.path or file }
end

local function missing_from_search(case)
  local file = case.step.file
  if file:find("/", 1, true) or program(case).node then
    return nil
  end
  local outside = host_program(case, file)
  local remedy = outside and string.format("ctr.rootfs.host { %q } brings %s", file, outside)
    or "put it into the root, or set env = { PATH = ... }"
  return { file = file, search = case.step.path, remedy = remedy }
end

local function interpreter_with_return(case)
  local need = missing(case, "interpreter")
  return need and need.path:sub(-1) == "\r" and need or nil
end

-- ---- ENOEXEC

local function wrong_machine(case)
  local walk = program(case)
  local file, own = inspect(case, walk), case.eyes.program("/proc/self/exe")
  if not (file and file.elf and own and own.elf) or elf.runs_on(file.elf, own.elf) then
    return nil
  end
  return { path = walk.path, machine = elf.machine_name(file.elf), own = elf.machine_name(own.elf) }
end

local function no_program(case)
  local walk = program(case)
  local node = walk.node
  if not node or node.kind ~= "file" or inspect(case, walk) then
    return nil
  end
  return { path = walk.path, empty = node.stat and node.stat.size == 0 }
end

local function empty_program(case)
  local found = no_program(case)
  return found and found.empty and found or nil
end

-- ---- EACCES

local function barrier(case)
  return access.barrier(program(case), case)
end

local function not_a_file(case)
  local walk = program(case)
  if walk.node and walk.node.kind ~= "file" and walk.node.kind ~= "unknown" then
    return { path = walk.path, kind = walk.node.kind }
  end
end

local function refused_mode(case, walk)
  local stat = walk.node and walk.node.stat
  if stat and stat.type == "file" and not access.allowed(stat, access.payload(case), 1) then
    return { path = walk.path, mode = string.format("%04o", stat.mode),
      user = case.plan.spec.user.uid }
  end
end

local function not_executable(case)
  return refused_mode(case, program(case))
end

local function interpreter_not_executable(case)
  for _, need in ipairs(needed(case, program(case))) do
    local found = refused_mode(case, need.walk)
    if found then
      found.of, found.what = need.of, need.what
      return found
    end
  end
end

--- By the step's own flags, or those that its source has on the host.
local function is_noexec(case, node)
  local step = node.step
  if step.op == "mount" and step.flags & MS_NOEXEC ~= 0 then
    return true
  elseif step.op == "bind" and step.set & MOUNT_ATTR_NOEXEC ~= 0 then
    return true
  elseif not node.host or (step.op == "bind" and step.clear & MOUNT_ATTR_NOEXEC ~= 0) then
    return false
  end
  local fs = case.eyes.statfs(node.host)
  return fs ~= nil and fs.flags & ST_NOEXEC ~= 0
end

local function noexec(case)
  local walk = program(case)
  if walk.node and walk.node.step and is_noexec(case, walk.node) then
    return { path = walk.path, target = walk.node.step.target or "/" }
  end
end

local function not_allowed_by_landlock(case)
  local walk = program(case)
  local walks = { walk }
  for i, need in ipairs(needed(case, walk)) do
    walks[i + 1] = need.walk
  end
  return require("luactr.cause.landlock").refused(case, walks)
end

-- ---- E2BIG

local function all_arguments(case)
  local size = 0
  for _, list in ipairs { case.step.argv, case.step.env } do
    for _, text in ipairs(list) do
      size = size + #text + 1
    end
  end
  return { size = size }
end

-- ---- chdir

local function directory(case)
  return case.view:walk(case.step.path)
end

-- ---- the rows

local M = {}

M.exec = {
  { code = "ENOENT", find = interpreter_with_return,
    cause = "the #! line of {of} ends with a carriage return, which belongs to the name {path}",
    remedy = "store the script with Unix line ends" },
  { code = "ENOENT", find = function(case) return missing(case, "interpreter") end,
    cause = "{of} is there, but the interpreter of its #! line is not: {path}",
    remedy = "put {path} into the root" },
  { code = "ENOENT", find = function(case) return missing(case, "loader") end,
    cause = "{of} is there, but the loader that it was linked for is not: {path}",
    remedy = "put the loader and its libraries into the root; ctr.rootfs.host brings them along" },
  { code = { "ENOENT", "ENOTDIR" }, find = missing_with_path,
    cause = "there is no {path} in the root",
    remedy = "put the program into the root, or correct its path in `command`" },
  { code = "ENOENT", find = missing_from_search,
    cause = "no directory of PATH has {file}: {search}", remedy = "{remedy}" },
  { code = "ENOEXEC", find = wrong_machine,
    cause = "{path} is a program for {machine}, this machine is {own}",
    remedy = "use a root for {own}, or register an emulator with binfmt_misc" },
  { code = "ENOEXEC", find = empty_program, cause = "{path} is empty" },
  { code = "ENOEXEC", find = no_program,
    cause = "{path} is neither an ELF program nor a script: no #! line names an interpreter",
    remedy = "begin it with #!/bin/sh, or name the interpreter in `command`" },
  { code = "EACCES", find = barrier,
    cause = "user {user} may not pass the directory {path} (mode {mode}, owner {uid}:{gid})",
    remedy = "chmod +x it for that user, or change `user`" },
  { code = "EACCES", find = not_a_file, cause = "{path} is a {kind}, not a program" },
  { code = "EACCES", find = not_executable,
    cause = "user {user} may not execute {path} (mode {mode})", remedy = "chmod +x it" },
  { code = "EACCES", find = noexec,
    cause = "{path} lies on a mount with noexec: {target}",
    remedy = "leave noexec out of the mount's options, or put the program elsewhere" },
  { code = "EACCES", find = interpreter_not_executable,
    cause = "{of} needs the {what} {path}, which user {user} may not execute (mode {mode})",
    remedy = "chmod +x it" },
  { code = "EACCES", find = not_allowed_by_landlock,
    cause = "no directory of landlock.{word} has {path}",
    remedy = "name one that has it: a program, and the loader that it was linked for" },
  { code = "E2BIG", find = all_arguments,
    cause = "arguments and environment are {size} bytes; a quarter of the stack limit is allowed",
    remedy = "raise rlimits.stack, or pass less" },
  { code = "ETXTBSY", guess = true, cause = "something has the program open for writing" },
  { code = "EAGAIN", guess = true,
    cause = "the user runs more processes than its limit allows (rlimits.nproc)" },
}

M.chdir = {
  { code = "ENOENT", find = function(case)
    local walk = directory(case)
    return walk.missing and { path = walk.missing }
  end, cause = "there is no {path} in the root", remedy = "correct `cwd`, or make the directory" },
  { code = "ENOTDIR", find = function(case)
    local walk = directory(case)
    local path = walk.not_directory or walk.path
    return path and { path = path }
  end, cause = "{path} is not a directory", remedy = "correct `cwd`" },
  { code = "EACCES", find = function(case)
    local walk = directory(case)
    walk.passed[#walk.passed + 1] = walk.node and { path = walk.path, node = walk.node }
    return access.barrier(walk, case)
  end,
    cause = "user {user} may not enter {path} (mode {mode}, owner {uid}:{gid})",
    remedy = "chmod +x it for that user, or change `user` or `cwd`" },
}

return M
