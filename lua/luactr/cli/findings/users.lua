--- Doctor's section "Users": what luactr may do as who it is, and which ids it may map.

local function sys()
  return require("luactr.core").sys
end

local function lacking_capabilities(host)
  local default = require("luactr.spec.values").default_capabilities
  return sys().cap_names(sys().cap_mask(default) & ~host.capabilities)
end

-- ---- user namespaces

--- What keeps a user from making one is found by the rows that explain a failed start.
local function cause_of(errno, message, host, eyes)
  local err = require("luactr.error").from_sys(message, errno, "clone")
  local plan = { steps = {}, spec = { namespaces = { user = "new" }, limits = {} } }
  require("luactr.cause").explain(err, plan, host, eyes)
  return err
end

local function user_namespace(host, eyes, probes)
  local made, message, errno = probes.clone { "newuser" }
  if made then
    return true, "can be made by this user"
  end
  local err = cause_of(errno, message, host, eyes)
  return false, err.cause or message, err.remedy
end

--- Root can look what keeps them from others, but not try.
local function rootless(host, eyes)
  if not host.privileged then
    return true, "this user's, see above"
  end
  for _, lock in ipairs(require "luactr.cause.locks") do
    if eyes.sysctl(lock.name) == lock.off then
      local name = lock.name:gsub("/", ".")
      return false, string.format("other users cannot run containers: %s is %d", name, lock.off),
        string.format("sysctl -w %s=%s", name, lock.on)
    end
  end
  if eyes.read("/sys/fs/selinux/booleans/deny_userns") == "1 1" then
    return false, "other users cannot run containers: SELinux has deny_userns on",
      "setsebool -P deny_userns off"
  end
  return true, "nothing keeps other users from making user namespaces"
end

-- ---- ranges of ids

local PACKAGE <const> = "apt install uidmap"

local function helper(name, kind)
  return { name = name, check = function(host, eyes)
    local path = host.ids.helpers[kind]
    if not path then
      return false, "not installed: without root only one " .. kind .. " can be mapped", PACKAGE
    end
    local stat = eyes.stat(path)
    if stat and stat.uid == 0 and stat.mode & 2048 ~= 0 then -- 04000
      return true, path
    end
    return true, path .. " (not set-user-id: it needs the file capability cap_set" .. kind .. ")"
  end }
end

local function text_of(ranges)
  local parts = {}
  for i, range in ipairs(ranges) do
    parts[i] = string.format("%d+%d", range.first, range.count)
  end
  return table.concat(parts, ", ")
end

local FILES <const> = { uid = "/etc/subuid", gid = "/etc/subgid" }

local function granted(name, kind)
  return { name = name, check = function(host)
    local ids, file = host.ids, FILES[kind]
    local ranges = ids.granted[kind]
    if #ranges > 0 then
      return true, string.format("%s: %s", ids.name, text_of(ranges))
    elseif host.privileged then
      return true, "root needs none"
    end
    return false, file .. " grants none to " .. ids.name,
      string.format("echo %s:100000:65536 >> %s (as root)", ids.name, file)
  end }
end

local function pool(host)
  if not host.privileged then
    return true, "for root only"
  elseif host.ids.pool then
    return true, #host.ids.pool .. " ranges for containers with idmap = \"range\""
  end
  return false, "luactr's own user namespace has no range of ids to spare",
    "idmap = \"single\", or start luactr where all ids are mapped"
end

return {
  { name = "root", check = function(host)
    if host.privileged then
      return true, "with CAP_SYS_ADMIN"
    end
    return false, "user " .. host.uid .. ": containers get a user namespace"
  end },
  { name = "capabilities", check = function(host)
    local lacking = host.privileged and lacking_capabilities(host) or {}
    if #lacking == 0 then
      return true, "all of the default list"
    end
    return false, "luactr has no " .. table.concat(lacking, ", ") .. ", nor will its containers"
  end },
  { name = "user namespaces", check = user_namespace,
    required = function(host) return not host.privileged end },
  { name = "rootless", check = rootless },
  helper("newuidmap", "uid"), helper("newgidmap", "gid"),
  granted("subuid", "uid"), granted("subgid", "gid"),
  { name = "id pool", check = pool },
}
