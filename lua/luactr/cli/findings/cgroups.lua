--- Doctor's section "cgroups": where each controller lives, whether luactr may use it there, and
--- what other luactrs have left.

local TOP <const> = "/luactr"

local CONTROLLERS <const> = {
  { "cpu", "limits.cpu" }, { "cpuset", "limits.cpus" }, { "memory", "limits.memory" },
  { "pids", "limits.pids" }, { "io", "limits.io" }, { "devices", "limits.devices" },
  { "freezer", "pause()" }, { "hugetlb", "limits.hugepages" },
}

-- How a user who is not root comes to write to a hierarchy.
local DELEGATION <const> = {
  [1] = "run luactr as root; cgroup v1 is not for other users",
  [2] = "start luactr in a delegated cgroup: systemd-run --user --scope -p Delegate=yes",
}

--- Where a controller lives, and whether luactr may use it there: see luactr.cgroup.compile.
local function place_of(name, host)
  local home = host.cgroup.controllers[name]
  if not home then
    return false, "not in this kernel, or not mounted"
  elseif not home.parent then
    return false, string.format("v%d at %s, where this user may not write", home.version,
      home.mount), DELEGATION[home.version]
  elseif home.version == 2 and not home.granted[name] then
    return false, string.format("v2 at %s, but not delegated to %s", home.mount, home.parent),
      "systemctl edit user@.service: Delegate=yes"
  end
  return true, string.format("v%d at %s%s", home.version, home.mount, home.parent)
end

local function controller(row)
  return { name = row[1], check = function(host)
    local fine, text, remedy = place_of(row[1], host)
    return fine, fine and text or row[2] .. " refused: " .. text, remedy
  end }
end

-- ---- what is left

--- The directory of luactr in each hierarchy, once.
local function tops(host)
  local known, list = {}, {}
  for _, home in pairs(host.cgroup.controllers) do
    local path = home.parent and home.mount .. home.parent .. TOP
    if path and not known[path] then
      known[path] = true
      list[#list + 1] = path
    end
  end
  table.sort(list)
  return list
end

--- Groups of containers that nobody knows: a container's entry is made before them and goes after.
local function leftovers(host, eyes, probes)
  local found = {}
  for _, top in ipairs(tops(host)) do
    for _, id in ipairs(probes.list(top)) do
      local path = top .. "/" .. id
      local is_known = eyes.lstat(host.state_dir .. "/containers/" .. id)
      local stat = eyes.lstat(path) -- after that: one that just ended has no group any more
      -- the kernel's own files have dots, and so have groups that are not containers'
      if stat and stat.type == "directory" and not id:find(".", 1, true) and not is_known then
        found[#found + 1] = path
      end
    end
  end
  if #found == 0 then
    return true, "no container's group without a container"
  end
  local busy = ""
  for _, path in ipairs(found) do
    if (eyes.read(path .. "/cgroup.procs") or "") ~= "" then
      busy = "; processes still run in " .. path
    end
  end
  return false, #found .. " without a container: " .. table.concat(found, " ") .. busy,
    busy == "" and "rmdir " .. table.concat(found, " ")
      or "end those processes, then rmdir " .. table.concat(found, " ")
end

local function pressure(_, eyes)
  if eyes.lstat("/proc/pressure") then
    return true, "stall times are metered"
  end
  return false, "no stall times", "boot with psi=1"
end

local function layout(host)
  return host.cgroup.kind ~= nil, host.cgroup.kind or "no cgroup file system is mounted",
    not host.cgroup.kind and "mount -t cgroup2 none /sys/fs/cgroup" or nil
end

local rows = { { name = "layout", check = layout } }
for i, row in ipairs(CONTROLLERS) do
  rows[i + 1] = controller(row)
end
rows[#rows + 1] = { name = "pressure", check = pressure }
rows[#rows + 1] = { name = "leftovers", check = leftovers }
return rows
