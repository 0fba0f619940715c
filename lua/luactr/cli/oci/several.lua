--- What --regex means: the same for each container whose name fits a pattern.
local M = {}

local function matching(request)
  local regex <close>, problem = require("luactr.core").regex.new(request.arguments[1])
  if not regex then
    return nil, require("luactr.error").new { code = "EUSAGE", op = "regex",
      message = string.format("wrong regular expression %s: %s",
        require("luactr.oci.options").show(request.arguments[1]), problem) }
  end
  local found, containers, err = {}, require("luactr.oci.life").list(request:host())
  for _, container in ipairs(containers or {}) do
    found[#found + 1] = regex:fits(container.id) and container or nil
  end
  return containers and found, err
end

--- All of them, also when one refuses; the first error counts.
---@param request luactr.cli.oci.request
---@param act fun(container: luactr.oci.container): boolean?, luactr.error?
---@return integer? status
---@return luactr.error?
function M.each(request, act)
  local containers, first = matching(request)
  if not containers then
    return nil, first
  end
  for _, container in ipairs(containers) do
    container.report = request:reporter()
    local done, err = act(container)
    first = first or not done and err or nil
  end
  return not first and 0 or nil, first
end

return M
