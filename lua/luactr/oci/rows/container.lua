--- config.json: what is outside of process, mounts and linux. Pure.
local T = require "luactr.oci.types"

local NEWEST <const> = 3 -- minor version
local LONGEST <const> = 4095 -- a path

local function version(text, b, path)
  local major, minor = text:match("^(%d+)%.(%d+)%.%d+[%w.+-]*$")
  if not major then
    return b:problem(path, "a version as \"1.0.2\" expected, got %q", text)
  elseif major ~= "1" then
    return b:problem(path, "version %s: only the versions 1 are known", text)
  elseif #minor > 4 or tonumber(minor) > NEWEST then
    b:warn("%s %s is newer than 1.%d: what it added is not done", path, text, NEWEST)
  end
end

local function root(value, b, path)
  if value.path == "" then
    return b:problem(path .. ".path", "is empty")
  end
  local place = b:absolute(value.path)
  if place:find("[\n\r\0]") then
    return b:problem(path .. ".path", "contains a line break")
  elseif #place > LONGEST then
    return b:problem(path .. ".path", "longer than %d bytes", LONGEST)
  end
  b:set("rootfs", require("luactr.rootfs").dir(place, { devices = true }), path .. ".path")
  b:set("readonly", value.readonly or nil, path .. ".readonly")
end

-- Names of the hooks here, and in a recipe.
local HOOKS <const> = {
  { "prestart", "prestart" }, { "createRuntime", "create_runtime" },
  { "createContainer", "create_container" }, { "startContainer", "start_container" },
  { "poststart", "poststart" }, { "poststop", "poststop" },
}

local hook <const> = T.object {
  { name = "path", type = T.text, required = true },
  { name = "args", type = T.texts },
  { name = "env", type = T.texts },
  { name = "timeout", type = T.int64 },
}

local function hook_rows()
  local rows = {}
  for i, names in ipairs(HOOKS) do
    rows[i] = { name = names[1], type = T.list(hook), field = "hooks." .. names[2] }
  end
  return rows
end

local function check_hook(one, b, path)
  if one.path:sub(1, 1) ~= "/" then
    b:problem(path .. ".path", "absolute path expected, got %q", one.path)
  elseif one.timeout and one.timeout < 1 then
    b:problem(path .. ".timeout", "is a number of seconds above 0, got %d", one.timeout)
  end
end

local function hooks(value, b, path)
  local result = {}
  for _, names in ipairs(HOOKS) do
    local list = value[names[1]]
    for i, one in ipairs(list or {}) do
      check_hook(one, b, string.format("%s.%s[%d]", path, names[1], i))
    end
    if list and #list > 0 then
      result[names[2]] = list
      b:origin("hooks." .. names[2], path .. "." .. names[1])
    end
  end
  if next(result) then
    b:set("hooks", result, path)
  end
end

local function annotations(value, b, path)
  if value[""] then
    b:problem(path, "a name is empty")
  end
  b:set("labels", value, path)
  local signal = value["org.opencontainers.image.stopSignal"]
  local known = require("luactr.core").sys.signals
  local number = signal and (math.tointeger(tonumber(signal))
    or known[(signal:upper():gsub("^SIG", ""))])
  if number and number >= 1 and number <= 64 then
    b:set("stop_signal", number, path)
  end
end

return {
  { name = "ociVersion", type = T.text, required = true, to = version },
  { name = "root", required = true, to = root, field = "rootfs", type = T.object {
    { name = "path", type = T.text, required = true, field = "rootfs" },
    { name = "readonly", type = T.boolean, field = "readonly" },
  } },
  { name = "hostname", type = T.text, field = "hostname",
    to = function(value, b, path) b.hostname, b.hostname_path = value, path end },
  { name = "domainname", type = T.text, field = "domainname", since = 1,
    to = function(value, b, path) b.domainname, b.domainname_path = value, path end },
  { name = "mounts", type = require("luactr.oci.rows.mounts").type, field = "mounts",
    to = require("luactr.oci.rows.mounts").to },
  { name = "hooks", type = T.object(hook_rows()), field = "hooks", to = hooks },
  { name = "annotations", type = T.map, field = "labels", to = annotations },
}
