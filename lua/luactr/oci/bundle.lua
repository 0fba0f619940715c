--- A bundle: a directory with a config.json, and the root that it names.
local M = {}

---@class luactr.oci.bundle
---@field spec luactr.spec
---@field document table as luactr.oci.config.check normalizes it
---@field warnings string[]

--- A path that means the same in any directory, without what makes it longer than it needs to be.
--- What .. leads to is known by the kernel alone.
---@param path string
---@return string
function M.absolute(path)
  path = path:sub(1, 1) == "/" and path or require("luactr.core").sys.getcwd() .. "/" .. path
  path = path:gsub("/%.%f[/\0]", ""):gsub("//+", "/")
  return #path > 1 and path:gsub("/$", "") or "/"
end

--- What a bundle's config.json is as a recipe.
---@param context luactr.oci.context
---@param file? string the config's path, when it is not config.json in the bundle
---@return table? raw what ctr.container takes
---@return luactr.where|luactr.error where its fields come from, or what is wrong
---@return table? document as luactr.oci.config.check normalizes it
---@return string[]? warnings
function M.recipe(context, file)
  local config = require "luactr.oci.config"
  file = file or context.bundle .. "/config.json"
  local document, err = require("luactr.oci.document").read(file)
  if not document then
    return nil, err
  end
  local raw, origins, warnings = config.recipe(document, context)
  if not raw then
    return nil, origins
  end
  return raw, config.where(context, origins), document, warnings
end

--- Read, map and check a bundle's config.json.
---@param context luactr.oci.context its bundle may be relative
---@param file? string the config's path, when it is not config.json in the bundle
---@return luactr.oci.bundle?
---@return luactr.error?
function M.load(context, file)
  context = setmetatable({ bundle = M.absolute(context.bundle) }, { __index = context })
  local raw, where, document, warnings = M.recipe(context, file)
  if not raw then
    return nil, where
  end
  local spec, err = require("luactr.spec").check(raw, where)
  if not spec then
    return nil, err
  end
  return { spec = spec, document = document, warnings = warnings }
end

return M
