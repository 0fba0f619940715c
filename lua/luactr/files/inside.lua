--- Paths inside a root that somebody else may be changing: what they lead to is found by descriptor
--- and never outside of it.
local sys <const> = require("luactr.core").sys

local M = {}

--- Without openat2: from directory to directory, through no link at all.
local function open_by_components(root, path, flags)
  local directory, last = root, nil
  for part in path:gmatch("[^/]+") do
    if last then
      local below, message, errno =
        sys.open(last, { "path", "directory", "nofollow" }, nil, { dir = directory })
      if directory ~= root then
        directory:close()
      end
      if not below then
        return nil, message, errno
      end
      directory = below
    end
    last = part
    if part == ".." then
      if directory ~= root then
        directory:close()
      end
      return nil, "open " .. path .. ": no way through \"..\" without openat2", sys.errno.EXDEV
    end
  end
  local fd, message, errno =
    sys.open(last or ".", { flags, "nofollow" }, nil, { dir = directory })
  if directory ~= root then
    directory:close()
  end
  if fd and flags & sys.O_NOFOLLOW == 0 and sys.stat(fd).type == "symlink" then
    fd:close()
    return nil, "open " .. path .. ": no way through a link without openat2", sys.errno.ELOOP
  end
  return fd, message, errno
end

--- Open a path as a process with that root would; ".." and symbolic links stay inside, and links of
--- procfs are not followed.
---@param root luactr.fd
---@param path string
---@param flags integer of open(2)
---@return luactr.fd? fd
---@return string? message
---@return integer? errno
function M.open(root, path, flags)
  local relative = path:gsub("^/+", "")
  relative = relative == "" and "." or relative
  local fd, message, errno = sys.open(relative, flags, nil,
    { dir = root, resolve = { "in_root", "no_magiclinks" } })
  if errno == sys.errno.ENOSYS or errno == sys.errno.EPERM then
    return open_by_components(root, relative, flags)
  end
  return fd, message, errno
end

--- The file behind a descriptor that is only its place, opened for more.
---@param place luactr.fd
---@param flags luactr.flags
---@return luactr.fd? fd
---@return string? message
---@return integer? errno
function M.reopen(place, flags)
  return sys.open("/proc/self/fd/" .. place:fileno(), flags)
end

-- ---- names in archives

--- The components of a relative path; a leading "/" and "." mean nothing. nil where ".." would lead
--- out of what is named.
---@param path string
---@return string[]?
function M.components(path)
  local list = {}
  for part in path:gmatch("[^/]+") do
    if part == ".." then
      return nil
    end
    list[#list + 1] = part ~= "." and part or nil
  end
  return list
end

-- ---- file systems that are no storage

-- By the magic numbers of statfs(2). Their files tell host's root what no container may know, and
-- writing to one is a command to the kernel.
local KERNELS_OWN <const> = {
  [0x9fa0] = "procfs", [0x62656572] = "sysfs", [0x27e0eb] = "a cgroup hierarchy",
  [0x63677270] = "a cgroup hierarchy", [0x64626720] = "debugfs", [0x74726163] = "tracefs",
  [0x73636673] = "securityfs", [0xcafe4a11] = "a BPF file system", [0x62656570] = "configfs",
  [0xde5e81e4] = "efivarfs", [0x6e736673] = "a namespace", [0x6165676c] = "pstore",
  [0x42494e4d] = "binfmt_misc",
}

--- What it is that a file belongs to, when that is a view of the kernel and no place for files.
---@param fd luactr.fd
---@return string?
function M.kernels_own(fd)
  local system = sys.statfs(fd)
  return system and KERNELS_OWN[system.type & 0xffffffff]
end

return M
