--- What an image says of itself, for fields that a recipe leaves out. Pure.
---
--- The command is the entrypoint and what follows it. As with other tools a recipe's `command`
--- takes the place of the image's Cmd and keeps its Entrypoint; a recipe's `entrypoint` takes the
--- place of that, and then the image's Cmd, which was made for the other one, does not count.
local check = require "luactr.check"

local M = {}

-- ---- from the words of a config to those of a recipe

local REAL_TIME <const> = 34 -- SIGRTMIN, as programs with libc see it

local function signal(text)
  local offset = text:upper():match("^S?I?G?RTMIN%+?(%d*)$")
  return tonumber(text) or offset and REAL_TIME + (tonumber(offset) or 0) or text
end

local function named(list)
  local variables = {}
  for _, text in ipairs(list) do
    local name, value = text:match("^([^=]+)=(.*)$")
    if name then
      variables[name] = value
    end
  end
  return variables
end

--- A recipe's variables over those of the image. In a recipe they may be a list.
local function over(given, below)
  local merged = {}
  for name, value in pairs(below) do
    merged[name] = value
  end
  for key, value in next, given do
    local is_item = math.type(key) == "integer" and type(value) == "string"
    local name, text = (is_item and value or ""):match("^([^=]+)=?(.*)$")
    if name then
      merged[name] = value:find("=", 1, true) and text or true
    else
      merged[key] = value
    end
  end
  return merged
end

local function has_mount(mounts, path)
  for _, mount in ipairs(mounts) do
    if check.is_plain(mount) and rawget(mount, "target") == path then
      return true
    end
  end
end

--- Volumes are what no layer holds: they begin with what the image has there.
local function volumes(given, set)
  local mounts = table.move(given, 1, #given, 1, {})
  for _, path in ipairs(check.sorted_keys(set)) do
    if not has_mount(given, path) then
      mounts[#mounts + 1] = { type = "tmpfs", source = "tmpfs", target = path,
        options = { "tmpcopyup" } }
    end
  end
  return mounts
end

-- ---- the rows

--- A config's name; the recipe's field; how its value becomes one; how both become one where the
--- recipe has one, too.
local ROWS <const> = {
  { config = "Env", field = "env", value = named, both = over },
  { config = "User", field = "user" },
  { config = "WorkingDir", field = "cwd" },
  { config = "StopSignal", field = "stop_signal", value = signal },
  { config = "Labels", field = "labels", both = over },
}

M.rows = ROWS

local function command(raw, config)
  local entrypoint = rawget(raw, "entrypoint")
  local words = rawget(raw, "command")
  if words == nil and entrypoint == nil then
    words = config.Cmd
  end
  entrypoint = entrypoint == nil and config.Entrypoint or entrypoint
  if not check.is_plain(entrypoint) or not (words == nil or check.is_plain(words)) then
    return words
  end
  local all = table.move(entrypoint, 1, #entrypoint, 1, {})
  return table.move(words or {}, 1, #(words or {}), #all + 1, all)
end

--- A working directory that the image names and does not have is made, as its layers may rely on.
local function with_directory(raw, config, mounts)
  local cwd = config.WorkingDir
  if rawget(raw, "cwd") == nil and cwd and cwd:sub(1, 1) == "/" and cwd ~= "/" then
    mounts[#mounts + 1] = { type = "dir", target = cwd }
  end
  return mounts
end

--- The recipe with what the image adds.
---@param raw table
---@param rootfs luactr.rootfs
---@return table raw a copy
function M.apply(raw, rootfs)
  local config, result = rootfs.config or {}, {}
  for name, value in next, raw do
    result[name] = value
  end
  for _, row in ipairs(ROWS) do
    local said = config[row.config]
    if said ~= nil and said ~= "" then
      said = row.value and row.value(said) or said
      local given = rawget(raw, row.field)
      if given == nil then
        result[row.field] = said
      elseif row.both and check.is_plain(given) then
        result[row.field] = row.both(given, said)
      end
    end
  end
  result.command = command(raw, config)
  local mounts = rawget(raw, "mounts") or {}
  if rootfs.config and check.is_plain(mounts) then
    mounts = volumes(mounts, rootfs.volumes and config.Volumes or {})
    result.mounts = with_directory(raw, config, mounts)
  end
  return result
end

return M
