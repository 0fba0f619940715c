--- From a checked recipe back to the document of a config.json. Pure. The values are those of the
--- functions beside this file, by the names of the rows.
local check = require "luactr.check"
local config = require "luactr.oci.config"

local M = {}

-- Fields of a recipe that the rows read, besides those that they name.
local ALSO_READ <const> = {
  groups = true, umask = true, readonly = true, nice = true, network = true, stop_signal = true,
  default_mounts = true, name = true, entrypoint = true, tty = true,
}

-- What engines do without being told.
local WITHOUT_WORDS <const> = { keyring = "new", init = false, nesting = true }

local Writer = {}
Writer.__index = Writer

--- Something that config.json cannot say.
function Writer:lose(path, message)
  if not self.named[path] then
    self.named[path] = true
    self.lost[#self.lost + 1] = { path = path, message = message }
  end
end

local function name_in(spec)
  local own = spec.namespaces.uts == "new" or spec.namespaces.uts == "try"
  if not own or spec.hostname == false then
    return nil
  end
  return spec.hostname or spec.name and spec.name:sub(1, 64) or nil
end

--- Fields that were given and have no row.
local function lose_the_others(b, spec)
  local read = {}
  for _, section in ipairs(config.sections) do
    for _, row in ipairs(section.rows) do
      read[(row.field or ""):match("^[^.]*")] = true
    end
  end
  for _, name in ipairs(check.sorted_keys(spec.given)) do
    local is_said = read[name] or ALSO_READ[name] or spec[name] == WITHOUT_WORDS[name]
    if not is_said then
      b:lose(name, "not known there")
    end
  end
end

--- The document that says the same as a recipe, as far as config.json can.
---@param spec luactr.spec
---@return table document
---@return luactr.problem[] lost what it cannot say
function M.document(spec)
  local newest = 0
  local b = setmetatable({ lost = {}, named = {}, hostname = name_in(spec) }, Writer)
  local document = { process = {}, linux = {} }
  for _, section in ipairs(config.sections) do
    local place = section.name == "" and document or document[section.name]
    local back = require("luactr.oci.back." .. (section.name == "" and "container" or section.name))
    for _, row in ipairs(section.rows) do
      local from = back[row.name]
      place[row.name] = from and from(spec, b) or nil
      newest = place[row.name] and row.since and math.max(newest, row.since) or newest
    end
  end
  document.ociVersion = newest == 0 and "1.0.2" or string.format("1.%d.0", newest)
  lose_the_others(b, spec)
  return document, b.lost
end

return M
