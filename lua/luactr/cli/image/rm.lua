--- `luactr image rm`: take names of images away, and what only they needed.
local cli = require "luactr.cli"
local images = require "luactr.cli.images"
local output = require "luactr.cli.output"

local M = {
  name = "image rm",
  summary = "remove images",
  usage = "IMAGE...",
  mixed = true,
  help = [[
Take the names of images away. Blobs and layers that no other name needs are removed as well; those
of containers' images stay until these are gone, those that an import or a build may just be using
until the next rm or gc, and those that builds remember until gc.]],
  options = {
    { "-k --keep", help = "only the names: leave blobs and layers to luactr image gc" },
  },
}

--- Not worth waiting for: others may work with the store for minutes.
local function collect(store, status)
  local report, err = store:gc { patience = 0, keep_steps = true }
  if not report and err.code ~= "EBUSY" then
    output.complain(err)
    return cli.FAILED
  end
  for _, failure in ipairs(report and report.failures or {}) do
    output.complain(failure)
    status = cli.FAILED
  end
  return status
end

---@param request luactr.cli.request
---@return integer status
function M.run(request)
  if #request.arguments == 0 then
    return output.usage("which image?", M)
  end
  local store <close>, failed = images.open { write = true }
  if not store then
    return failed
  end
  local status = images.each(request.arguments, function(name) return store:remove(name) end)
  return request.options.keep and status or collect(store, status)
end

return M
