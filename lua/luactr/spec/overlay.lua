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

local ONE <const> = "lowerdir+="
local LONGEST <const> = 4000 -- mount(2) takes a page, and more options may follow

local function with_upper(list, layers, absolute, special)
  if layers.upper then
    list[#list + 1] = "upperdir=" .. escaped(absolute(layers.upper), special)
    list[#list + 1] = "workdir=" .. escaped(absolute(layers.work), special)
  end
  return table.move(layers.options or {}, 1, #(layers.options or {}), #list + 1, list)
end

--- The options of an overlay: as mount(2) takes them, or if they are too long for it, with each
--- layer by itself, as fsconfig(2) does.
---@param layers luactr.overlay
---@param absolute fun(path: string): string
---@return string[]
function M.options(layers, absolute)
  local lower, single = {}, {}
  for i, path in ipairs(layers_of(layers.lower)) do
    lower[i] = escaped(absolute(path), ":,")
    single[i] = ONE .. absolute(path)
  end
  local list = with_upper({ "lowerdir=" .. table.concat(lower, ":") }, layers, absolute, ",")
  if #table.concat(list, ",") <= LONGEST then
    return list
  end
  return with_upper(single, layers, absolute, "")
end

--- Whether options have layers by themselves, which mount(2) does not take.
---@param options string[]
---@return boolean
function M.is_single(options)
  for _, option in ipairs(options) do
    if option:sub(1, #ONE) == ONE then
      return true
    end
  end
  return false
end

return M
