--- What an image says of itself: the changes that steps of a build make. Pure.
local M = {}

---@param value any
---@return any
local function copy(value)
  if type(value) ~= "table" then
    return value
  end
  local result = {}
  for key, element in pairs(value) do
    result[key] = copy(element)
  end
  return result
end

M.copy = copy

-- ---- variables: a list in the order in which they were set

--- The value of a variable.
---@param config luactr.image.run_config
---@param name string
---@return string?
function M.get_env(config, name)
  for _, entry in ipairs(config.Env or {}) do
    if entry:sub(1, #name + 1) == name .. "=" then
      return entry:sub(#name + 2)
    end
  end
end

---@param config luactr.image.run_config
---@param name string
---@param value string
function M.set_env(config, name, value)
  config.Env = config.Env or {}
  for i, entry in ipairs(config.Env) do
    if entry:sub(1, #name + 1) == name .. "=" then
      config.Env[i] = name .. "=" .. value
      return
    end
  end
  table.insert(config.Env, name .. "=" .. value)
end

-- ---- sets

--- Add a key to a set such as `Volumes`.
---@param config luactr.image.run_config
---@param field string
---@param key string
function M.add(config, field, key)
  config[field] = config[field] or {}
  config[field][key] = {}
end

---@param config luactr.image.run_config
---@param name string
---@param value string
function M.label(config, name, value)
  config.Labels = config.Labels or {}
  config.Labels[name] = value
end

--- The names of ports, "80" or "8000-8002/udp", one each; nil and what is wrong.
---@param text string
---@return string[]?
---@return string? mistake
function M.ports(text)
  local first, last, protocol = text:match("^(%d+)%-?(%d*)/?(%a*)$")
  local low, high = tonumber(first), tonumber(last ~= "" and last or first)
  protocol = protocol and (protocol ~= "" and protocol:lower() or "tcp")
  local known = protocol == "tcp" or protocol == "udp" or protocol == "sctp"
  if not low or not known or low < 1 or high > 65535 or high < low then
    return nil, string.format("%s is no port: 80, 53/udp or 8000-8002 expected", text)
  end
  local list = {}
  for port = low, high do
    list[#list + 1] = math.tointeger(port) .. "/" .. protocol
  end
  return list
end

--- A path below the working directory, or the path itself when it is absolute; "." and ".." done.
---@param config luactr.image.run_config
---@param path string
---@return string
function M.absolute(config, path)
  local from = path:sub(1, 1) == "/" and "" or config.WorkingDir or ""
  local parts = {}
  for part in (from .. "/" .. path):gmatch("[^/]+") do
    if part == ".." then
      parts[#parts] = nil
    elseif part ~= "." then
      parts[#parts + 1] = part
    end
  end
  return "/" .. table.concat(parts, "/")
end

return M
