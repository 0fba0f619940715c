--- Bundles of OCI's runtime specification as containers of a program.
---@class luactr.oci
local M = {}

--- The container of a bundle. It is as any other; what only an engine needs of it (a pid file, a
--- console socket, the state between create and start) has `luactr oci`. Raises an error that lists
--- all that is wrong, by its path in config.json.
---@param directory string with a config.json
---@param options? { id?: string, config?: string } its name; another file in place of config.json
---@return luactr.container
---@return string[] warnings
function M.bundle(directory, options)
  if type(directory) ~= "string" or directory == "" then
    error("oci.bundle: a directory's path expected", 2)
  end
  options = options or {}
  local bundle, err = require("luactr.oci.bundle").load({ bundle = directory, id = options.id },
    options.config)
  if not bundle then
    error(err)
  end
  return require("luactr.container").of(bundle.spec), bundle.warnings
end

return M
