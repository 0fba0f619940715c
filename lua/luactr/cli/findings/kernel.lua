--- Doctor's section "Kernel": the calls that luactr is made of. Each is called, with arguments that
--- do nothing: a kernel may have a call that a filter round luactr hides.

local function is_since(host, major, minor)
  local kernel = host.kernel
  return kernel[1] > major or (kernel[1] == major and kernel[2] >= minor)
end

local HIDDEN <const> = "the kernel has it, but a system call filter round luactr hides it"

--- A call that has been in the kernel since a version; `without` is what luactr does then.
local function call(name, since, what, options)
  options = options or {}
  return { name = name, required = options.required, check = function(host, _, probes)
    if probes.call(name) then
      return true, what
    end
    local major, minor = since:match("(%d+)%.(%d+)")
    local hidden = is_since(host, tonumber(major), tonumber(minor))
    local why = hidden and HIDDEN or "needs Linux " .. since
    local remedy = hidden and "allow " .. name .. " where luactr runs (in a container: its seccomp "
      .. "profile; in a service: SystemCallFilter=)" or "a kernel from " .. since .. " on"
    return false, what .. ": " .. why .. (options.without and "; " .. options.without or ""), remedy
  end }
end

local REQUIRED <const> = { required = true }

local function kill_file(host)
  local version = host.kernel[1] .. "." .. host.kernel[2]
  if is_since(host, 5, 14) then
    return true, "kill a cgroup v2 at once"
  end
  return false, "kill a cgroup v2 at once: needs Linux 5.14, this is " .. version
    .. "; its processes are killed one by one"
end

return {
  call("openat2", "5.6", "resolve paths inside the root", REQUIRED),
  call("close_range", "5.11", "pass no descriptor by accident", REQUIRED),
  call("mount_setattr", "5.12", "read-only binds that nobody can undo", REQUIRED),
  call("open_tree", "5.2", "bind by descriptor", REQUIRED),
  call("move_mount", "5.2", "mount by descriptor", REQUIRED),
  call("fsopen", "5.2", "file systems that are nowhere yet", REQUIRED),
  call("clone3", "5.7", "be born in a cgroup v2",
    { without = "processes are moved there after their birth" }),
  call("pidfd_open", "5.3", "processes that no other can take the number of"),
  { name = "cgroup.kill", check = kill_file },
}
