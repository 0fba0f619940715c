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

---@class luactr.overlay.rules what a root may have beside paths
---@field fields table<string, boolean> more of them
---@field is_layer fun(value: any): boolean
---@field is_upper fun(value: any): boolean
---@field no_work boolean upper may be alone

local NO_RULES <const> = {
  fields = {}, no_work = false,
  is_layer = function() return false end, is_upper = function() return false end,
}

--- Layers as given, the topmost first: one or a list.
---@param lower any
---@return any[]
function M.list(lower)
  local is_list = type(lower) == "table" and getmetatable(lower) == nil
  return is_list and table.move(lower, 1, #lower, 1, {}) or { lower }
end

local function has_layers(lower, rules)
  local list = M.list(lower)
  for _, layer in ipairs(list) do
    if not is_path(layer) and not rules.is_layer(layer) then
      return false
    end
  end
  return #list > 0
end

local function upper_mistake(layers, rules)
  if rules.is_upper(layers.upper) then
    return layers.work and "work: is for an upper directory" or nil
  elseif layers.work and not layers.upper or layers.upper and not layers.work
    and not rules.no_work then
    return "upper and work go together: work is an empty directory beside upper"
  elseif layers.upper and not (is_path(layers.upper) and is_path(layers.work or "/")) then
    return "upper and work: paths expected"
  end
end

--- What is wrong with the description of an overlay.
---@param layers luactr.overlay
---@param rules? luactr.overlay.rules
---@return string? mistake
function M.mistake(layers, rules)
  rules = rules or NO_RULES
  if type(layers) ~= "table" then
    return "table with lower, upper and work expected"
  end
  for name in pairs(layers) do
    if not FIELDS[name] and not rules.fields[name] then
      return "unknown field " .. tostring(name)
    end
  end
  if not has_layers(layers.lower, rules) then
    return "lower: path or list of paths expected"
  end
  return upper_mistake(layers, rules)
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
  for i, path in ipairs(M.list(layers.lower)) do
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
