--- Overlays: layers of directories that look like one. Pure.
local M = {}

---@class luactr.overlay
---@field lower string|string[] layers that are only read, the topmost first
---@field upper? string what is written goes here; without it the overlay is read-only
---@field work? string an empty directory on the file system of upper
---@field options? string[] more of them

local FIELDS <const> = { lower = true, upper = true, work = true, options = true }

-- In a list of layers the kernel splits at colons, and everywhere at commas.
local function escaped(path, special)
  return (path:gsub("[\\" .. special .. "]", "\\%0"))
end

local function is_path(value)
  return type(value) == "string" and value ~= "" and not value:find("\0", 1, true)
end

--- Layers as given, the topmost first: a path or a list of them.
local function layers_of(lower)
  local list = type(lower) == "table" and lower or { lower }
  for _, path in ipairs(list) do
    if not is_path(path) then
      return nil
    end
  end
  return #list > 0 and list or nil
end

--- What is wrong with the description of an overlay.
---@param layers luactr.overlay
---@param more? table<string, boolean> fields beside those of every overlay
---@return string? mistake
function M.mistake(layers, more)
  if type(layers) ~= "table" then
    return "table with lower, upper and work expected"
  end
  for name in pairs(layers) do
    if not FIELDS[name] and not (more and more[name]) then
      return "unknown field " .. tostring(name)
    end
  end
  if not layers_of(layers.lower) then
    return "lower: path or list of paths expected"
  elseif (layers.upper == nil) ~= (layers.work == nil) then
    return "upper and work go together: work is an empty directory beside upper"
  elseif layers.upper and not (is_path(layers.upper) and is_path(layers.work)) then
    return "upper and work: paths expected"
  end
end

--- All directories, the topmost first.
---@param layers luactr.overlay
---@param absolute fun(path: string): string
---@return string[]
function M.directories(layers, absolute)
  local list = { layers.upper and absolute(layers.upper) }
  for _, path in ipairs(layers_of(layers.lower)) do
    list[#list + 1] = absolute(path)
  end
  return list
end

--- The options of an overlay, as mount(2) takes them.
---@param layers luactr.overlay
---@param absolute fun(path: string): string
---@return string[]
function M.options(layers, absolute)
  local lower, list = {}, {}
  for i, path in ipairs(layers_of(layers.lower)) do
    lower[i] = escaped(absolute(path), ":,")
  end
  list[1] = "lowerdir=" .. table.concat(lower, ":")
  if layers.upper then
    list[2] = "upperdir=" .. escaped(absolute(layers.upper), ",")
    list[3] = "workdir=" .. escaped(absolute(layers.work), ",")
  end
  return table.move(layers.options or {}, 1, #(layers.options or {}), #list + 1, list)
end

return M
