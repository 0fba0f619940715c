--- `luactr image ls`: list images.
local containers = require "luactr.cli.containers"
local images = require "luactr.cli.images"
local output = require "luactr.cli.output"

local M = {
  name = "image ls",
  summary = "list images",
  usage = "",
  mixed = true,
  help = "List the images of the store: their names, the size of their blobs, their age.",
  options = {
    { "-q --quiet", help = "only the names" },
    { "--digests", help = "digests in full" },
    { "--json", help = "a list of records" },
  },
}

local HEADS <const> = { "NAME", "DIGEST", "LAYERS", "SIZE", "CREATED" }

local function record_of(image)
  if image.error then
    return { name = image.name, digest = image.digest, error = image.error }
  end
  return {
    name = image.name, digest = image.digest, size = image.size, created = image.created,
    layers = #image.layers, named = image.time,
    platform = require("luactr.image.document").platform_text(image.config),
  }
end

local function row_of(image, in_full)
  local digest = in_full and image.digest or images.short(image.digest)
  if image.error then
    return { image.name, digest, "-", "-", "damaged" }
  end
  return { image.name, digest, tostring(#image.layers), containers.bytes(image.size),
    images.age(image.created) }
end

local function map(list, of, ...)
  local result = {}
  for i, element in ipairs(list) do
    result[i] = of(element, ...)
  end
  return result
end

---@param request luactr.cli.request
---@return integer status
function M.run(request)
  if #request.arguments > 0 then
    return output.usage("image ls takes no names: see luactr image inspect", M)
  end
  local store <close>, status = images.open()
  if not store then
    return status
  end
  local list, err = store:list()
  if not list then
    output.complain(err)
    return require("luactr.cli").FAILED
  elseif request.options.json then
    return output.print(#list == 0 and "[]\n" or output.json(map(list, record_of)))
  elseif request.options.quiet then
    return output.print(table.concat(map(list, function(image) return image.name .. "\n" end)))
  end
  return output.print(containers.columns(HEADS, map(list, row_of, request.options.digests)))
end

return M
