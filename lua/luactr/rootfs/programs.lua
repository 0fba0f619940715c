--- Finds host programs and all that they need to run: loader, libraries, interpreters of scripts.
local core = require "luactr.core"
local elf = require "luactr.rootfs.elf"
local inspect = require "luactr.rootfs.inspect"
local libraries = require "luactr.rootfs.libraries"

local M = {}

local EXECUTABLE <const> = 73 -- 0111
local MAX_INTERPRETERS <const> = 4 -- the kernel's own limit on scripts that run scripts

-- Why a program cannot be had, as the fields of an error object.
local function problem(code, path, cause, remedy)
  return { code = code, path = path, cause = cause, remedy = remedy }
end

local function is_executable(fs, path)
  local stat = fs.stat(path)
  return stat ~= nil and stat.type == "file" and stat.mode & EXECUTABLE ~= 0
end

-- A relative directory in PATH means another thing in every place, so it does not count.
local function path_directories(search_path)
  local directories, seen = {}, {}
  for directory in (search_path or core.plan.default_path):gmatch("[^:]+") do
    if directory:sub(1, 1) == "/" and not seen[directory] then
      seen[directory] = true
      directories[#directories + 1] = directory
    end
  end
  return directories
end

local function not_found(fs, name, directories)
  local names = {}
  for _, directory in ipairs(directories) do
    table.move(fs.list(directory), 1, #fs.list(directory), #names + 1, names)
  end
  local nearest = require("luactr.nearest").find(name, names)
  return problem("ENOENT", name,
    string.format("no program %s in %s", name, table.concat(directories, ":")),
    nearest and nearest .. ", which is there" or "install it, or give its path")
end

--- The absolute host path of a program.
---@param name string as a shell takes it: looked up in PATH unless it has a slash
---@param search_path string? PATH
function M.find(fs, name, search_path)
  if name:find("/", 1, true) then
    local path = name:sub(1, 1) == "/" and name or fs.getcwd() .. "/" .. name
    local stat, message = fs.stat(path)
    if not stat then
      return nil, problem("ENOENT", path, message)
    elseif not is_executable(fs, path) then
      return nil, problem("EACCES", path, "it is not an executable file", "chmod +x " .. path)
    end
    return path
  end
  local directories = path_directories(search_path)
  for _, directory in ipairs(directories) do
    if is_executable(fs, directory .. "/" .. name) then
      return directory .. "/" .. name
    end
  end
  return nil, not_found(fs, name, directories)
end

-- The program that env(1) will look for: the first word that is neither option nor assignment.
local function env_program(argument)
  for word in argument:gmatch("[^ \t]+") do
    if word:sub(1, 1) ~= "-" and not word:find("=", 1, true) then
      return word
    end
  end
end

local function add_path(gathering, path, needed_by)
  local real, message = gathering.tree:add(path)
  if not real then
    return nil, problem("ENOENT", path, needed_by .. " needs it: " .. message)
  end
  return real
end

local add

local function add_script(gathering, path, script, depth)
  if depth == MAX_INTERPRETERS then
    return nil, problem("ELOOP", path, "scripts that run scripts: the kernel gives up after "
      .. MAX_INTERPRETERS)
  end
  local ok, err = add(gathering, script.interpreter, path, depth + 1)
  if ok and script.interpreter:match("[^/]*$") == "env" then
    local name = env_program(script.argument)
    local found
    found, err = nil, problem("ENOENT", path, "its first line names no program for env")
    if name then
      found, err = M.find(gathering.fs, name, gathering.search_path)
    end
    ok = found and add(gathering, found, path, depth + 1)
  end
  return ok, err
end

local function missing_library(program, missing)
  local seen, places = {}, {}
  for _, directory in ipairs(missing.searched) do
    if not seen[directory] then
      seen[directory] = true
      places[#places + 1] = directory
    end
  end
  local cause = string.format("%s needs the library %s", missing.needed_by, missing.name)
  if missing.foreign then
    cause = cause .. ", and " .. missing.foreign .. " is for another machine"
  else
    cause = cause .. ", which is not in " .. table.concat(places, ", ")
  end
  return problem("ENOENT", program, cause, "install the library, or run ldconfig if it is new")
end

local function add_elf(gathering, path, parsed)
  if not elf.runs_on(parsed, gathering.machine) then
    return nil, problem("ENOEXEC", path, string.format("it is built for %s, this host is %s",
      elf.machine_name(parsed), elf.machine_name(gathering.machine)))
  end
  local closure, missing = libraries.closure(gathering.fs, { path = path, elf = parsed })
  if not closure then
    return nil, missing_library(path, missing)
  end
  if parsed.interpreter then
    closure.paths[#closure.paths + 1] = parsed.interpreter
  end
  if closure.needs_cache then
    closure.paths[#closure.paths + 1] = libraries.CACHE_PATH
  end
  for _, library in ipairs(closure.paths) do
    local ok, err = add_path(gathering, library, path)
    if not ok then
      return nil, err
    end
  end
  return true
end

-- Add one executable file by absolute path, with what it needs.
function add(gathering, path, needed_by, depth)
  if gathering.done[path] then
    return true
  end
  gathering.done[path] = true
  local real, err = add_path(gathering, path, needed_by)
  if not real then
    return nil, err
  end
  local file, reason, errno = inspect.file(gathering.fs, path)
  if not file and errno then
    return nil, problem("EACCES", path, reason)
  elseif not file then
    return nil, problem("ENOEXEC", path, "it is " .. reason)
  elseif file.script then
    return add_script(gathering, path, file.script, depth)
  end
  return add_elf(gathering, real, file.elf) -- its $ORIGIN is that of the real path
end

--- Add programs and their needs to a tree.
---@param tree table see luactr.rootfs.tree
---@param names string[]
---@param search_path string? PATH
---@return true? ok nil, problem (fields of an error object)
function M.gather(tree, names, search_path)
  local own, reason = inspect.file(tree.fs, "/proc/self/exe")
  if not own then
    return nil, problem("ENOENT", "/proc/self/exe", "cannot tell the host's machine: " .. reason)
  end
  local gathering =
    { tree = tree, fs = tree.fs, machine = own.elf, search_path = search_path, done = {} }
  for _, name in ipairs(names) do
    local path, err = M.find(tree.fs, name, search_path)
    local ok = path and true
    if path then
      ok, err = add(gathering, path, "the recipe", 0)
    end
    if not ok then
      return nil, err
    end
  end
  return true
end

return M
