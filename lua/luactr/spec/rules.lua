--- What no single field can know: rules between fields. Pure.
--
-- A rule looks at the normalized spec (fields with problems are nil) and returns the path that is
-- at fault and why, or nothing.
local check = require "luactr.check"

local M = {}

local function captured(stream)
  return stream and stream.kind ~= "inherit"
end

--- What keeps a container from a terminal of its own.
---@param spec luactr.spec
---@return string? path
---@return string? message
function M.no_terminal(spec)
  if spec.rootfs and spec.rootfs.bare then
    return "tty", "needs a root of the container's own, for its devpts"
  end
  for _, name in ipairs { "stdin", "stdout", "stderr" } do
    if captured(spec[name]) then
      return name, "a tty takes all three streams: leave it out, or say tty = false"
    end
  end
end

local function tty_without_place(spec)
  if spec.tty == true then
    return M.no_terminal(spec)
  end
end

local function names_without_uts(spec)
  local uts = spec.namespaces and spec.namespaces.uts
  if uts == "new" or uts == "try" then
    return
  end
  for _, name in ipairs { "hostname", "domainname" } do
    if spec[name] then
      return name, "needs a uts namespace of its own: it would rename "
        .. (uts == "host" and "the host" or "others")
    end
  end
end

-- Which namespace a kernel parameter belongs to; all others are the host's. First match wins.
local SYSCTL_HOMES <const> = {
  { "^kernel%.hostname$", "uts" }, { "^kernel%.domainname$", "uts" },
  { "^kernel%.shm", "ipc" }, { "^kernel%.msg", "ipc" }, { "^kernel%.sem$", "ipc" },
  { "^fs%.mqueue%.", "ipc" }, { "^net%.", "network" }, { "^user%.", "user" },
}

--- The kind of namespace that a kernel parameter belongs to; nil for the host's.
---@param key string
---@return string?
function M.sysctl_home(key)
  local dotted = key:gsub("/", ".")
  for _, home in ipairs(SYSCTL_HOMES) do
    if dotted:find(home[1]) then
      return home[2]
    end
  end
end

-- One that somebody made for whoever joins it. Whether it is luactr's own is looked at when it is
-- opened.
local function has_a_name(namespace)
  return namespace.join == "path" and not namespace.path:find("^/+proc/")
end

local function sysctl_of_the_host(spec)
  for key in pairs(spec.sysctl or {}) do
    local home = M.sysctl_home(key)
    local of = spec.namespaces and spec.namespaces[home]
    if not home then
      return "sysctl." .. key, "is not namespaced: it would change the host"
    elseif home == "user" and spec.namespaces and spec.namespaces.user ~= "new" then
      -- "auto" is the host's for root
      return "sysctl." .. key, "needs namespaces.user = \"new\", or it is the host's"
    elseif of == "host" or of == "try" then
      return "sysctl." .. key, string.format("needs a namespace of its own: %s is the host's", home)
    elseif type(of) == "table" and not has_a_name(of) then
      return "sysctl." .. key, string.format("needs a namespace of its own: %s is another's", home)
    end
  end
end

local function maps_without_user_namespace(spec)
  local user = spec.idmap and spec.namespaces and spec.namespaces.user
  if user == "host" or type(user) == "table" then
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

local function health_without_checks(spec)
  if spec.on and spec.on.health and not spec.health then
    return "on.health", "needs health = { command = ... } or a check"
  end
end

local function mounts_on_the_host(spec)
  local bare = spec.rootfs and spec.rootfs.bare
  if not bare and spec.namespaces and spec.namespaces.mount == "host" then
    return "namespaces.mount", "cannot be the host's: a container never mounts there"
  end
end

local function nice_twice(spec)
  if spec.nice and spec.scheduler then
    return "nice", "belongs into the scheduler's policy: scheduler = { policy =, nice = }"
  end
end

local function two_places(spec)
  if spec.scope and spec.cgroup then
    return "cgroup", "systemd decides where a scope is: leave it out, or say scope.slice"
  end
end

local function devices_without_network(spec)
  local network = spec.namespaces and spec.namespaces.network
  if not spec.net_devices or next(spec.net_devices) == nil then
    return
  elseif network and network ~= "new" and type(network) ~= "table" then
    return "net_devices", "needs a network namespace other than the host's"
  elseif spec.restart and spec.restart ~= "no" then
    return "restart", "cannot be with net_devices: they went with the first life"
  end
end

local function resctrl_again(spec)
  if spec.resctrl and spec.restart and spec.restart ~= "no" then
    return "restart", "cannot be with resctrl: nobody would put the next life in"
  end
end

local RULES <const> = {
  two_places,
  devices_without_network, resctrl_again,
  nice_twice,
  mounts_on_the_host, maps_without_user_namespace,
  tty_without_place, names_without_uts, sysctl_of_the_host, output_without_capture,
  health_without_checks,
}

--- A clock that is ahead is ahead in a time namespace only.
local function settle_clock(spec, raw, problems)
  if not spec.clock or not spec.namespaces or spec.namespaces.time == "new" then
    return
  end
  local said = check.is_plain(rawget(raw, "namespaces")) and rawget(raw.namespaces, "time")
  if said then
    problems:add("clock", "needs a time namespace of its own: namespaces.time = \"new\"")
  end
  local settled = {}
  for kind, word in pairs(spec.namespaces) do
    settled[kind] = word
  end
  settled.time = "new"
  spec.namespaces = settled
end

--- `network` is the short word for namespaces.network: whichever was said decides both.
local function settle_network(spec, raw, problems)
  local namespaces = spec.namespaces
  if not namespaces or not spec.network then
    return
  elseif rawget(raw, "network") == nil then
    spec.network = namespaces.network == "host" and "host" or "none"
    return
  elseif type(namespaces.network) == "table" then
    problems:add("network", "says the same as namespaces.network, which joins another")
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

-- Those about a process alone.
local OF_A_COMMAND <const> = { nice_twice, tty_without_place, output_without_capture }

--- The rules for a command that enters a container.
---@param spec table normalized
---@param problems luactr.problems
function M.apply_to_command(spec, problems)
  for _, rule in ipairs(OF_A_COMMAND) do
    local path, message = rule(spec)
    if path then
      problems:add(path, "%s", message)
    end
  end
end

---@param spec table normalized
---@param raw table as given
---@param problems luactr.problems
function M.apply(spec, raw, problems)
  if spec.rootfs and spec.rootfs.bare and spec.namespaces then
    require("luactr.spec.bare").settle(spec, raw, problems)
  end
  settle_network(spec, raw, problems)
  settle_clock(spec, raw, problems)
  for _, rule in ipairs(RULES) do
    local path, message = rule(spec, raw)
    if path then
      problems:add(path, "%s", message)
    end
  end
  if spec.mounts and #spec.mounts > 0 then
    require("luactr.spec.mount_rules").apply(spec.mounts, problems)
  end
end

return M
