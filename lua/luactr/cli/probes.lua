--- What doctor asks the kernel to do, so as to see whether it does. Each leaves nothing behind.
local sys = require("luactr.core").sys

---@class luactr.probes
local M = {}

--- Whether the kernel has a call: true, or false and the errno's name. See luactr.sys.probe.
---@param name string
---@return boolean
---@return string? code
function M.call(name)
  local has, _, errno = sys.probe(name)
  return has == true, errno and sys.errname(errno)
end

--- Whether a process can be born in new namespaces.
---@param flags string[]
---@return boolean? made nil, message, errno
function M.clone(flags)
  local child, message, errno = sys.clone(flags, function() return 0 end)
  if not child then
    return nil, message, errno
  end
  child:wait()
  return true
end

local function write(path, text)
  local file <close> = sys.open(path, sys.O_WRONLY)
  return file and file:write(text)
end

--- A user namespace with a map of its own, while `use` runs.
local function with_user_namespace(use)
  local reader, writer = sys.pipe()
  local child <close>, message = sys.clone({ "newuser" }, function()
    writer:close()
    reader:read(1)
    return 0
  end)
  reader:close()
  local result
  if child then
    local proc = "/proc/" .. child:pid()
    write(proc .. "/uid_map", "0 100000 1")
    write(proc .. "/gid_map", "0 100000 1")
    local namespace <close> = sys.open(proc .. "/ns/user", sys.O_RDONLY)
    result, message = use(namespace)
  end
  writer:close()
  if child then
    child:wait()
  end
  return result, message
end

--- Whether the file system at a path takes an id map: true, or nil and why not.
---@param path string
---@return true?
---@return string? message
function M.idmapped(path)
  return with_user_namespace(function(namespace)
    local tree <close>, message = sys.open_tree(path, { "open_tree_clone", "open_tree_cloexec" })
    if not tree then
      return nil, message
    end
    return sys.mount_setattr(tree, { userns = namespace })
  end)
end

--- Names in a directory, none where there is no such directory.
---@param path string
---@return string[]
function M.list(path)
  local names = {}
  for i, entry in ipairs(sys.readdir(path) or {}) do
    names[i] = entry.name
  end
  table.sort(names)
  return names
end

return M
