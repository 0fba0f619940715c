--- A root in a tar archive: unpacked into the container's own directory before each start, gone
--- with the container.
local M = {}

local PUBLIC <const> = 493 -- 0755

local function sys()
  return require("luactr.core").sys
end

---@param path string absolute
---@param options? { limits?: luactr.files.limits }
---@return table fields
function M.new(path, options)
  return { path = path, limits = options and options.limits }
end

local function planned(host)
  return (host and host.state_dir or "") .. "/containers/NAME/rootfs"
end

function M.steps(self, host)
  return { { op = "root_bind", source = self.directory or planned(host), recursive = 0,
    from = "rootfs" } }
end

function M.kept()
  return { kind = "directory", inside = "rootfs" }
end

function M.layers(self)
  return { { path = self.directory or planned() } }
end

--- Before it is unpacked nothing is known of it.
function M.find(self, path)
  return self.directory and { root = self.directory, path = path }
end

local function make_directory(path)
  for position in path:gmatch("()/") do
    if position > 1 then
      sys().mkdir(path:sub(1, position - 1), PUBLIC)
    end
  end
  local done, _, errno = sys().mkdir(path, PUBLIC)
  local fd
  if done then
    fd, _, errno = sys().open(path, sys().O_RDONLY | sys().O_DIRECTORY)
  end
  return fd, errno
end

local function unpack_into(self, file, fd, warnings)
  local reader <close>, err = require("luactr.files.archive").reader(file)
  if not reader then
    return nil, err
  end
  local is_root = sys().geteuid() == 0
  local target <close> = require("luactr.files.target").open(fd, {
    owner = not is_root and { uid = sys().geteuid(), gid = sys().getegid() } or nil,
    keep = true, top = true, privileges = true, limits = self.limits,
    notice = function(path, why)
      warnings[#warnings + 1] = string.format("%s: %s is left out: %s", self.path, path, why)
    end,
  })
  return target:put_all(reader)
end

--- Unpack it.
---@param directory string the container's own
function M.prepare(self, directory)
  local file <close>, _, errno = sys().open(self.path, sys().O_RDONLY)
  if not file then
    return nil, { op = "open", path = self.path, errno = errno,
      message = "cannot unpack " .. self.path,
      cause = errno == sys().errno.ENOENT and "there is no such file on this host" or nil }
  end
  local path, warnings = directory .. "/rootfs", {}
  local fd <close>, number = make_directory(path)
  if not fd then
    return nil, { op = "mkdir", path = path, errno = number,
      message = "cannot make a directory to unpack " .. self.path }
  end
  local done, err = unpack_into(self, file, fd, warnings)
  if not done then
    return nil, err:wrap("cannot unpack " .. self.path)
  end
  self.directory = path
  return require("luactr.rootfs.resource").join({}, warnings)
end

return M
