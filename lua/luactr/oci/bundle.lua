--- A bundle: a directory with a config.json, and the root that it names.
local M = {}

---@class luactr.oci.bundle
---@field spec luactr.spec
---@field document table as luactr.oci.config.check normalizes it
---@field warnings string[]

local function absolute(path)
  if path:sub(1, 1) == "/" then
    return path
  end
  return require("luactr.core").sys.getcwd() .. "/" .. path
end

M.absolute = absolute

--- Read, map and check a bundle's config.json.
---@param context luactr.oci.context its bundle may be relative
---@param file? string the config's path, when it is not config.json in the bundle
---@return luactr.oci.bundle?
---@return luactr.error?
function M.load(context, file)
  local config = require "luactr.oci.config"
  context = setmetatable({ bundle = absolute(context.bundle) }, { __index = context })
  file = file or context.bundle .. "/config.json"
  local document, err = require("luactr.oci.document").read(file)
  if not document then
    return nil, err
  end
  local raw, origins, warnings = config.recipe(document, context)
  if not raw then
    return nil, origins
  end
  local spec
  spec, err = require("luactr.spec").check(raw, config.where(context, origins))
  if not spec then
    return nil, err
  end
  return { spec = spec, document = document, warnings = warnings }
end

return M
