--- A root of Debian's packages: made once by debootstrap or mmdebstrap, kept in a cache, and below
--- a layer of each container that takes what it writes.
local overlay = require "luactr.rootfs.overlay"

local sys <const> = require("luactr.core").sys

local M = setmetatable({}, { __index = overlay })

---@class luactr.rootfs.debootstrap_options
---@field suite string "bookworm"
---@field mirror? string an URL, or the tool's default
---@field variant? string "minbase"
---@field include? string[] more packages
---@field cache? string the directory where roots are kept
---@field tool? "debootstrap"|"mmdebstrap" the first of them that is installed
---@field size? string|integer how much a container may write to memory

local TOOLS <const> = { "mmdebstrap", "debootstrap" }
local WORD <const> = "^%w[%w.+:~-]*$"
local PRIVATE <const>, PUBLIC <const> = 448, 493 -- 0700, 0755
local LAST_WORDS <const> = 400 -- bytes of what the tool said

local OPTIONS <const> = { suite = true, mirror = true, variant = true, include = true,
  cache = true, tool = true, size = true }

-- ---- what the recipe says

local function is_word(value)
  return type(value) == "string" and value:find(WORD) ~= nil
end

local function is_text(value)
  return type(value) == "string" and value:find("^[^%c%s-][^%c%s]*$") ~= nil
end

local function include_mistake(list)
  if type(list) ~= "table" then
    return "include: list of packages expected"
  end
  for _, name in ipairs(list) do
    if not is_word(name) then
      return "include: no package's name: " .. tostring(name)
    end
  end
end

local function mistake_of(options)
  if type(options) ~= "table" then
    return "table with suite expected"
  end
  for name in pairs(options) do
    if not OPTIONS[name] then
      return "unknown option " .. tostring(name)
    end
  end
  if not is_word(options.suite) then
    return "suite: a word like \"bookworm\" expected"
  elseif options.variant ~= nil and not is_word(options.variant) then
    return "variant: a word like \"minbase\" expected"
  elseif options.mirror ~= nil and not is_text(options.mirror) then
    return "mirror: an URL expected"
  elseif options.cache ~= nil and not is_text(options.cache) then
    return "cache: a directory's path expected"
  elseif options.tool ~= nil and options.tool ~= TOOLS[1] and options.tool ~= TOOLS[2] then
    return "tool: \"debootstrap\" or \"mmdebstrap\" expected"
  end
  return options.include and include_mistake(options.include)
end

local function default_cache()
  if sys.geteuid() == 0 then
    return "/var/cache/luactr/debootstrap"
  end
  local home = os.getenv("XDG_CACHE_HOME") or (os.getenv("HOME") or "/nonexistent") .. "/.cache"
  return home .. "/luactr/debootstrap"
end

--- Where the root of these options is kept: others have another name.
local function place_of(options)
  local words = { options.variant or "minbase", options.mirror or "",
    table.concat(options.include or {}, ",") }
  local digest = require("luactr.files.digest").of(table.concat(words, "\0"))
  return string.format("%s-%s", options.suite, digest:match("%x+$"):sub(1, 16))
end

---@param options luactr.rootfs.debootstrap_options
---@return table? fields
---@return string? mistake
function M.new(options)
  local mistake = mistake_of(options)
  if mistake then
    return nil, mistake
  end
  local cache = options.cache or default_cache()
  cache = cache:sub(1, 1) == "/" and cache or sys.getcwd() .. "/" .. cache
  local tree = cache .. "/" .. place_of(options)
  local fields
  fields, mistake = overlay.new { lower = tree, size = options.size }
  if fields then
    fields.wanted, fields.cache, fields.tree = options, cache, tree
  end
  return fields, mistake
end

-- ---- making it

local function failure(self, fields)
  fields.op, fields.path = fields.op or "debootstrap", fields.path or self.tree
  fields.message = string.format("cannot make a root of %s", self.wanted.suite)
  return nil, fields
end

local function find_tool(self)
  local program = require "luactr.program"
  for _, name in ipairs(self.wanted.tool and { self.wanted.tool } or TOOLS) do
    local path = program.find(name)
    if path then
      return path
    end
  end
  return failure(self, { code = "ENOENT",
    cause = (self.wanted.tool or "neither mmdebstrap nor debootstrap") .. " is "
      .. (self.wanted.tool and "not " or "") .. "installed",
    remedy = "apt install " .. (self.wanted.tool or "mmdebstrap") })
end

local function argv_of(self, tool, target)
  local wanted = self.wanted
  local argv = { tool, "--variant=" .. (wanted.variant or "minbase") }
  if wanted.include and #wanted.include > 0 then
    argv[#argv + 1] = "--include=" .. table.concat(wanted.include, ",")
  end
  argv[#argv + 1], argv[#argv + 2] = wanted.suite, target
  argv[#argv + 1] = wanted.mirror
  return argv
end

local function run(self, tool, target)
  local program = require "luactr.program"
  local argv = argv_of(self, tool, target)
  argv.env = program.environment { "PATH", "HOME", "http_proxy", "https_proxy", "no_proxy",
    "TMPDIR", "SOURCE_DATE_EPOCH" }
  local ending, err = program.run(argv)
  if not ending then
    return nil, err
  elseif ending.code == 0 then
    return true
  end
  local said = (ending.stdout .. ending.stderr):gsub("%s+$", "")
  return failure(self, { code = "EIO", cause = string.format("%s ended with status %s: %s",
    tool:match("[^/]+$"), ending.code or "of a signal", said:sub(-LAST_WORDS):match("[^\n]*$")) })
end

local function make_parents(path)
  for position in path:gmatch("()/") do
    if position > 1 then
      sys.mkdir(path:sub(1, position - 1), PUBLIC)
    end
  end
  sys.mkdir(path, PRIVATE)
end

--- One at a time makes a root; who waited finds it made.
local function locked(self, act)
  make_parents(self.cache)
  local path = self.tree .. ".lock"
  local file <close>, _, errno = sys.open(path, sys.O_RDWR | sys.O_CREAT | sys.O_NOFOLLOW, 384)
  if not file then
    return failure(self, { errno = errno, path = path, op = "open" })
  end
  while not require("luactr.core").supervise.lock(file) do
    sys.nanosleep(0.05)
  end
  return act()
end

--- In a directory beside its place, so that half of a root is never taken for one.
local function make(self)
  if sys.stat(self.tree) then
    return true
  end
  local tool, fields = find_tool(self)
  if not tool then
    return nil, fields
  end
  local target = self.tree .. ".new"
  local program = require "luactr.program"
  program.run { program.find("rm") or "/bin/rm", "-rf", "--one-file-system", target }
  local done
  done, fields = run(self, tool, target)
  if not done then
    program.run { program.find("rm") or "/bin/rm", "-rf", "--one-file-system", target }
    return nil, fields
  end
  local renamed, _, errno = sys.rename(target, self.tree)
  return renamed or nil, not renamed and select(2, failure(self, { errno = errno })) or nil
end

function M.prepare(self, directory)
  if not sys.stat(self.tree) then
    local done, fields = locked(self, function() return make(self) end)
    if not done then
      return nil, fields
    end
  end
  return overlay.prepare(self, directory)
end

return M
