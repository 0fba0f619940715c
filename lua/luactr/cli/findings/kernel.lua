--- Doctor's section "Kernel": the calls that luactr is made of. Each is called, with arguments that
--- do nothing: a kernel may have a call that a filter round luactr hides.

local function is_since(host, version)
  local major, minor = version:match("(%d+)%.(%d+)")
  major, minor = tonumber(major), tonumber(minor)
  local kernel = host.kernel
  return kernel[1] > major or (kernel[1] == major and kernel[2] >= minor)
end

local HIDDEN <const> = "a system call filter round luactr hides it, which the kernel has"

--- Calls that have been in the kernel since a version, what luactr needs them for, and what it does
--- without.
local function calls(name, since, what, without, list)
  return { name = name, check = function(host, _, probes)
    local lacking = {}
    for _, call in ipairs(list or { name }) do
      lacking[#lacking + 1] = not probes.call(call) and call or nil
    end
    if #lacking == 0 then
      return true, what
    end
    local hidden = is_since(host, since)
    return false, string.format("%s: %s; %s", what, hidden and HIDDEN or "needs Linux " .. since,
      without), hidden and string.format("allow %s where luactr runs (in a container: its seccomp "
      .. "profile; in a service: SystemCallFilter=)", table.concat(lacking, ", "))
      or "a kernel from " .. since .. " on"
  end }
end

local function kill_file(host)
  if is_since(host, "5.14") then
    return true, "end a cgroup v2 at once"
  end
  return false, "end a cgroup v2 at once: needs Linux 5.14; its processes are killed one by one",
    "a kernel from 5.14 on"
end

return {
  calls("openat2", "5.6", "resolve paths inside the root",
    "they are walked name by name, which takes longer"),
  calls("mount calls", "5.2", "mount by descriptor", "mount(2) takes their place, on a stage",
    { "fsopen", "fsconfig", "fsmount", "open_tree", "move_mount" }),
  calls("mount_setattr", "5.12", "restrict mounts before anybody sees them",
    "they are remounted, and an id map cannot be given to them"),
  calls("close_range", "5.9", "pass no descriptor by accident", "they are closed one by one"),
  calls("clone3", "5.7", "be born in a cgroup v2", "processes are moved there after their birth"),
  calls("pidfd_open", "5.3", "processes whose number no other can take",
    "what a command without namespace and cgroup leaves behind is not ended"),
  { name = "cgroup.kill", check = kill_file },
}
