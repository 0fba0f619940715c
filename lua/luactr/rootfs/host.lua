--- A root file system of the host's own programs: what they need, bound read-only on a tmpfs or
--- copied into a directory.
local M = {}

---@class luactr.rootfs.host_options the list part names the programs: "bash", "/opt/x/tool"
---@field copy boolean|string? copy instead of bind: into this directory, or (true) a temporary one
---@field files table? more files and directories: paths, or [path inside] = path on the host
---@field path string? where programs are looked for, in place of PATH

local OPTIONS <const> = { copy = "boolean or string", files = "table", path = "string" }

-- Directories that are links into /usr where that is merged: recipes say /bin/sh on any host.
local MERGED <const> = { "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32" }

local function check_option(key, value)
  if math.type(key) == "integer" then
    return type(value) == "string" and value ~= "" or nil, "a program is a string"
  end
  local expected = OPTIONS[key]
  if not expected then
    local hint = require("luactr.nearest").hint(tostring(key), { "copy", "files", "path" })
    return nil, string.format("unknown option %s%s", tostring(key), hint)
  end
  local fits = expected:find(type(value), 1, true) ~= nil
  return fits or nil, string.format("%s is a %s, %s expected", key, type(value), expected)
end

local function check_files(files)
  for key, value in pairs(files) do
    local named = type(key) == "string"
    if type(value) ~= "string" or (named and key or value):sub(1, 1) ~= "/" then
      return nil, "files are absolute paths, or [path inside] = path on the host"
    end
  end
  return true
end

local function check(options)
  if type(options) ~= "table" then
    return nil, "a list of programs expected, as ctr.rootfs.host { \"bash\", \"ls\" }"
  end
  for key, value in pairs(options) do
    local ok, mistake = check_option(key, value)
    if not ok then
      return nil, mistake
    end
  end
  return check_files(options.files or {})
end

local function add_files(tree, files)
  for key, path in pairs(files) do
    local ok, message
    if type(key) == "string" then
      ok, message = tree:add_as(key, path)
    else
      ok, message = tree:add(path)
    end
    if not ok then
      return nil, { code = "ENOENT", path = path, cause = message }
    end
  end
  return true
end

local function add_merged_directories(tree)
  for _, path in ipairs(MERGED) do
    local stat = tree.fs.lstat(path)
    local target = stat and stat.type == "symlink" and tree.fs.readlink(path)
    if target and tree:has("/" .. target:gsub("^/", "")) then
      tree:add_directory(path)
    end
  end
end

-- The tree of what was asked for; nil, fields of an error object.
local function gather(options, fs)
  local tree = require("luactr.rootfs.tree").new(fs)
  local search_path = options.path or os.getenv("PATH")
  local ok, problem = require("luactr.rootfs.programs").gather(tree, options, search_path)
  if ok then
    ok, problem = add_files(tree, options.files or {})
  end
  if not ok then
    return nil, problem
  end
  add_merged_directories(tree)
  tree:add_directory("/tmp")
  return tree:list()
end

--- What a rootfs.host value consists of.
---
--- What the host lacks is kept as `problem` until the value is used: a constructor inside a
--- recipe's table that returned nil would look like a field that is not there.
---@param options luactr.rootfs.host_options
---@param fs table? see luactr.rootfs.fs
---@return table? fields nil, message when the caller is wrong
function M.new(options, fs)
  local ok, mistake = check(options)
  if not ok then
    return nil, mistake
  end
  fs = fs or require "luactr.rootfs.fs"
  local list, problem = gather(options, fs)
  if problem then
    problem.op = "rootfs.host"
    problem.message = "cannot build a root file system from the host's programs"
  end
  local copy = options.copy or nil
  if type(copy) == "string" and copy:sub(1, 1) ~= "/" then
    copy = fs.getcwd() .. "/" .. copy
  end
  return { list = list, problem = problem, copy = copy }
end

local function read_only_bind(path, entry)
  local sys = require("luactr.core").sys
  return {
    op = "bind", source = entry.source, target = path,
    recursive = entry.kind == "subtree" and 1 or 0,
    set = sys.MOUNT_ATTR_RDONLY | sys.MOUNT_ATTR_NOSUID | sys.MOUNT_ATTR_NODEV, clear = 0,
  }
end

-- The step that puts an entry in place, by its kind.
local PLACE <const> = {
  dir = function(path, entry)
    return { op = "mkdir", path = path, mode = entry.mode }
  end,
  link = function(path, entry)
    return { op = "symlink", link = entry.link, path = path }
  end,
  file = read_only_bind,
  subtree = read_only_bind,
}

function M.steps(self, host)
  if self.copy then
    local planned = self.copy == true and host.state_dir .. "/containers/NAME/rootfs" or self.copy
    local source = self.directory or planned
    return { { op = "root_bind", source = source, recursive = 0, from = "rootfs" } }
  end
  local steps = { { op = "root_tmpfs", stage = host.stage, data = "mode=0755", from = "rootfs" } }
  for _, item in ipairs(self.list) do
    if not item.implied then
      local step = PLACE[item.entry.kind](item.path, item.entry)
      step.from = "rootfs"
      steps[#steps + 1] = step
    end
  end
  return steps
end

--- What was copied stays; the rest is mounts on a tmpfs.
function M.kept(self)
  if not self.copy then
    return { kind = "memory" }
  elseif self.copy == true then
    return { kind = "directory", inside = "rootfs", copied = true }
  end
  return { kind = "directory", path = self.copy, copied = true }
end

--- Copies are files in a directory; binds are nothing that could be a layer.
function M.layers(self)
  local planned = self.copy == true and "/containers/NAME/rootfs" or self.copy
  return self.copy and { { path = self.directory or planned } } or nil
end

function M.find(self, path)
  return require("luactr.rootfs.tree").find(self.list, path)
end

--- What is in a directory before a container changes it. nil when it cannot be read.
local function snapshot(directory)
  local sys = require("luactr.core").sys
  local place = sys.open(directory, sys.O_PATH | sys.O_DIRECTORY)
  local source <close> = place and require("luactr.files.source").open(place)
  return source and require("luactr.files.changes").snapshot(source)
end

--- Copy, where that was asked for.
---@param directory string the container's own on the host: what is in it goes with the container
---@return true? ok nil, fields of an error object
function M.prepare(self, directory)
  if not self.copy then
    return true
  end
  self.directory = self.copy == true and directory .. "/rootfs" or self.copy
  local done, fields = require("luactr.rootfs.copy").into(self.directory, self.list)
  if done then
    self.copied = snapshot(self.directory)
  end
  return done, fields
end

return M
