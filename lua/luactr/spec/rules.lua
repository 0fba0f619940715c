--- What no single field can know: rules between fields. Pure.
--
-- A rule looks at the normalized spec (fields with problems are nil) and returns the path that is
-- at fault and why, or nothing.
local check = require "luactr.check"

local M = {}

local LONGEST_OPTIONS <const> = 4095 -- mount(2) takes one page

local function captured(stream)
  return stream and stream.kind ~= "inherit"
end

local function tty_with_redirected_output(spec)
  if spec.tty ~= true then
    return
  end
  for _, name in ipairs { "stdin", "stdout", "stderr" } do
    if captured(spec[name]) then
      return name, "a tty takes all three streams: leave it out, or say tty = false"
    end
  end
end

local function names_without_uts(spec)
  if spec.namespaces and spec.namespaces.uts ~= "host" then
    return
  end
  for _, name in ipairs { "hostname", "domainname" } do
    if spec[name] then
      return name, "needs a uts namespace of its own: it would rename the host"
    end
  end
end

-- Which namespace a kernel parameter belongs to; all others are the host's. First match wins.
local SYSCTL_HOMES <const> = {
  { "^kernel%.hostname$", "uts" }, { "^kernel%.domainname$", "uts" },
  { "^kernel%.shm", "ipc" }, { "^kernel%.msg", "ipc" }, { "^kernel%.sem$", "ipc" },
  { "^fs%.mqueue%.", "ipc" }, { "^net%.", "network" }, { "^user%.", "user" },
}

local function sysctl_home(key)
  local dotted = key:gsub("/", ".")
  for _, home in ipairs(SYSCTL_HOMES) do
    if dotted:find(home[1]) then
      return home[2]
    end
  end
end

local function sysctl_of_the_host(spec)
  for key in pairs(spec.sysctl or {}) do
    local home = sysctl_home(key)
    if not home then
      return "sysctl." .. key, "is not namespaced: it would change the host"
    elseif spec.namespaces and spec.namespaces[home] == "host" then
      return "sysctl." .. key, string.format("needs a namespace of its own: %s is the host's", home)
    end
  end
end

local function maps_without_user_namespace(spec)
  if spec.idmap and spec.namespaces and spec.namespaces.user == "host" then
    return "idmap", "needs a user namespace of its own: leave namespaces.user out"
  end
end

local function output_without_capture(spec)
  local limit = spec.limits and spec.limits.output
  if not limit or not spec.stdout or not spec.stderr then
    return
  end
  if spec.stdout.kind ~= "capture" and spec.stderr.kind ~= "capture" then
    return "limits.output", "counts captured output: say stdout = \"capture\""
  end
end

local function mount_without_source(spec)
  for i, mount in ipairs(spec.mounts or {}) do
    local at = "mounts[" .. i .. "]"
    if (mount.type == "bind" or mount.type == "symlink") and not mount.source then
      return at .. ".source", "is missing: a " .. mount.type .. " has a source"
    elseif mount.type == "file" and not mount.content then
      return at .. ".content", "is missing: a file has content"
    elseif mount.target == "/" then
      return at .. ".target", "is the root itself: that is rootfs"
    end
  end
end

-- Fields of a mount, and the types that they are for.
local MOUNT_FIELDS <const> = {
  content = { file = true }, mode = { file = true, dir = true },
  uid = { file = true, dir = true }, gid = { file = true, dir = true },
}

local PLACED <const> = { file = true, dir = true, symlink = true }

--- What a mount's type has no use for.
local function useless_mount_fields(spec, problems)
  for i, mount in ipairs(spec.mounts or {}) do
    local path = "mounts[" .. i .. "]."
    for name, types in pairs(MOUNT_FIELDS) do
      if mount[name] ~= nil and not types[mount.type] then
        problems:add(path .. name, "is not for a mount of type %s", mount.type)
      end
    end
    if PLACED[mount.type] and (#mount.options > 0 or mount.create or mount.optional) then
      problems:add(path .. "type", "a %s has no options", mount.type)
    elseif mount.source and type(mount.source) ~= "string" and mount.type ~= "bind" then
      problems:add(path .. "source", "a descriptor is the source of a bind alone")
    end
  end
end

--- Every wrong option of every mount; what the right ones mean is not needed yet.
local function mount_options(spec, problems)
  for i, mount in ipairs(spec.mounts or {}) do
    local path = "mounts[" .. i .. "].options"
    if #mount.options > 0 then
      require("luactr.mount.options").parse(mount.type, mount.options, function(index, message)
        problems:add(path .. "[" .. index .. "]", "%s", message)
      end)
    end
    if #table.concat(mount.options, ",") > LONGEST_OPTIONS then
      problems:add(path, "longer than %d bytes together, where mount(2) cuts them off",
        LONGEST_OPTIONS)
    end
  end
end

local function mounts_on_the_host(spec)
  local bare = spec.rootfs and spec.rootfs.bare
  if not bare and spec.namespaces and spec.namespaces.mount == "host" then
    return "namespaces.mount", "cannot be the host's: a container never mounts there"
  end
end

local RULES <const> = {
  mounts_on_the_host, maps_without_user_namespace,
  tty_with_redirected_output, names_without_uts, sysctl_of_the_host, output_without_capture,
  mount_without_source,
}

--- `network` is the short word for namespaces.network: whichever was said decides both.
local function settle_network(spec, raw, problems)
  local namespaces = spec.namespaces
  if not namespaces or not spec.network then
    return
  elseif rawget(raw, "network") == nil then
    spec.network = namespaces.network == "host" and "host" or "none"
    return
  end
  local word = spec.network == "host" and "host" or "new"
  if rawget(raw, "namespaces") ~= nil and namespaces.network ~= word then
    problems:add("network", "%s contradicts namespaces.network = %q", check.show(spec.network),
      namespaces.network)
  end
  spec.namespaces = {}
  for kind, chosen in pairs(namespaces) do
    spec.namespaces[kind] = chosen
  end
  spec.namespaces.network = word
end

---@param spec table normalized
---@param raw table as given
---@param problems luactr.problems
function M.apply(spec, raw, problems)
  if spec.rootfs and spec.rootfs.bare and spec.namespaces then
    require("luactr.spec.bare").settle(spec, raw, problems)
  end
  settle_network(spec, raw, problems)
  for _, rule in ipairs(RULES) do
    local path, message = rule(spec, raw)
    if path then
      problems:add(path, "%s", message)
    end
  end
  useless_mount_fields(spec, problems)
  mount_options(spec, problems)
end

return M
