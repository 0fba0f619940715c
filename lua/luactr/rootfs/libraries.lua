--- Which libraries a program loads, found as its dynamic loader would find them, by reading alone.
---
--- Of ld.so(8)'s search order LD_LIBRARY_PATH is left out, since a container starts with a clean
--- environment, and what a running program asks for with dlopen(3) cannot be known.
local elf = require "luactr.rootfs.elf"
local inspect = require "luactr.rootfs.inspect"
local ldcache = require "luactr.rootfs.ldcache"

local M = {}

M.CACHE_PATH = "/etc/ld.so.cache"

-- Names that are built into each machine's loader, as Debian and as others build it.
local ABIS <const> = {
  [62] = { triplet = "x86_64-linux-gnu", lib = "lib64" },
  [183] = { triplet = "aarch64-linux-gnu", lib = "lib64" },
  [243] = { triplet = "riscv64-linux-gnu", lib = "lib64" },
  [3] = { triplet = "i386-linux-gnu", lib = "lib32" },
  [40] = { triplet = "arm-linux-gnueabihf", lib = "lib" },
}
local MUSL_DIRECTORIES <const> = { "/lib", "/usr/local/lib", "/usr/lib" }

-- musl's loader is its libc too and answers to these names itself.
local MUSL_OWN <const> =
  { c = true, pthread = true, rt = true, m = true, dl = true, util = true, xnet = true }

---@class luactr.rootfs.object a program or library that takes part
---@field path string
---@field elf luactr.elf
---@field loader luactr.rootfs.object? the one that needs it

local function dirname(path)
  local directory = path:match("^(.*)/[^/]*$")
  return directory ~= "" and directory or "/"
end

-- Dynamic string tokens, ld.so(8): $ORIGIN, ${LIB} and the like.
local function expand(text, object)
  local abi = ABIS[object.elf.machine] or {}
  local triplet = abi.triplet or ""
  local values = {
    ORIGIN = dirname(object.path), LIB = "lib/" .. triplet, PLATFORM = triplet:match("^[^-]*"),
  }
  return (text:gsub("%${(%u+)}", values):gsub("%$(%u+)", values))
end

local function add_directories(candidates, text, object, name)
  for directory in text:gmatch("[^:]+") do
    candidates[#candidates + 1] = { path = expand(directory, object) .. "/" .. name }
  end
end

local function add_all(candidates, directories, name)
  for _, directory in ipairs(directories) do
    candidates[#candidates + 1] = { path = directory .. "/" .. name }
  end
end

-- DT_RPATH counts for all that an object loads, unless somebody asked for DT_RUNPATH instead.
local function add_rpaths(candidates, object, name)
  if object.elf.runpath then
    return
  end
  local at = object
  while at do
    if at.elf.rpath and not at.elf.runpath then
      add_directories(candidates, at.elf.rpath, at, name)
    end
    at = at.loader
  end
end

local function default_directories(machine)
  local abi = ABIS[machine]
  local directories = {}
  for _, lib in ipairs(abi and { "lib/" .. abi.triplet, abi.lib, "lib" } or { "lib" }) do
    directories[#directories + 1] = "/" .. lib
    directories[#directories + 1] = "/usr/" .. lib
  end
  return directories
end

-- A dialect is how one loader searches: names that it has itself, and candidates in order.
local glibc <const> = {
  own = function()
    return false
  end,
  candidates = function(search, object, name)
    local candidates = {}
    add_rpaths(candidates, object, name)
    if object.elf.runpath then
      add_directories(candidates, object.elf.runpath, object, name)
    end
    if not object.elf.nodeflib then
      for _, path in ipairs(search:cache_lookup(name)) do
        candidates[#candidates + 1] = { path = path, cached = true }
      end
      add_all(candidates, default_directories(object.elf.machine), name)
    end
    return candidates
  end,
}

local musl <const> = {
  own = function(name)
    return MUSL_OWN[name:match("^lib(%w+)%.") or ""] or false
  end,
  candidates = function(search, object, name)
    local candidates, at = {}, object
    while at do
      add_directories(candidates, at.elf.runpath or at.elf.rpath or "", at, name)
      at = at.loader
    end
    local loader_name = search.interpreter:match("([^/]*)%.so") or ""
    local configured = search.fs.read("/etc/" .. loader_name .. ".path")
    if configured then
      local directories = configured:gsub("\n", ":")
      add_directories(candidates, directories, object, name)
    else
      add_all(candidates, MUSL_DIRECTORIES, name)
    end
    return candidates
  end,
}

local methods = {}
local Search <const> = { __index = methods }

-- Read at most once for a program, looked at again for the next.
function methods:cache_lookup(name)
  if self.cache == nil then
    local stat = self.fs.stat(M.CACHE_PATH)
    self.cache = stat and inspect.remember(self.fs, M.CACHE_PATH, stat, function()
      return ldcache.open(self.fs.read(M.CACHE_PATH) or "")
    end) or false
  end
  return self.cache and self.cache:lookup(name) or {}
end

-- The first candidate that is there and has the program's ABI, as the loader passes over others.
function methods:find(object, name)
  local candidates
  if name:find("/", 1, true) then
    candidates = { { path = expand(name, object) } }
  else
    candidates = self.dialect.candidates(self, object, name)
  end
  local searched, foreign = {}, nil
  for _, candidate in ipairs(candidates) do
    local file = inspect.file(self.fs, candidate.path)
    local parsed = file and file.elf
    if parsed and elf.same_abi(parsed, self.program.elf) then
      return { path = candidate.path, elf = parsed, loader = object, cached = candidate.cached }
    end
    foreign = foreign or parsed and candidate.path
    searched[#searched + 1] = dirname(candidate.path)
  end
  return nil, { name = name, needed_by = object.path, searched = searched, foreign = foreign }
end

-- ld.so finds a library of its own directories without the cache; others only with it.
local function needs_cache(library)
  if not library.cached then
    return false
  end
  local directory = dirname(library.path)
  for _, default in ipairs(default_directories(library.elf.machine)) do
    if default == directory then
      return false
    end
  end
  return true
end

--- All libraries that a program loads when it starts, in the loader's order.
---@param fs table see luactr.rootfs.fs
---@param program { path: string, elf: luactr.elf }
---@return { paths: string[], needs_cache: boolean }? closure
---@return { name: string, needed_by: string, searched: string[], foreign: string? }? missing
function M.closure(fs, program)
  local interpreter = program.elf.interpreter or ""
  local search = setmetatable({
    fs = fs,
    program = program,
    interpreter = interpreter,
    dialect = interpreter:find("ld-musl", 1, true) and musl or glibc,
  }, Search)
  local loaded = { [interpreter:match("[^/]*$")] = true }
  local queue, closure = { program }, { paths = {}, needs_cache = false }
  for _, object in ipairs(queue) do -- grows while it is walked: breadth first, as ld.so
    for _, name in ipairs(object.elf.needed) do
      if not loaded[name] and not search.dialect.own(name) then
        local library, missing = search:find(object, name)
        if not library then
          return nil, missing
        end
        loaded[name] = true
        loaded[library.elf.soname or name] = true
        queue[#queue + 1] = library
        closure.paths[#closure.paths + 1] = library.path
        closure.needs_cache = closure.needs_cache or needs_cache(library)
      end
    end
  end
  return closure
end

return M
