--- `luactr image history`: what an image was made of.
local containers = require "luactr.cli.containers"
local images = require "luactr.cli.images"
local output = require "luactr.cli.output"

local M = {
  name = "image history",
  summary = "show what an image was made of",
  usage = "IMAGE",
  mixed = true,
  help = "Show the steps in which an image was made, the last one first, and what each has added.",
  options = { { "--json", help = "a list of records" } },
}

local HEADS <const> = { "LAYER", "CREATED", "SIZE", "MADE BY" }
local LONGEST <const> = 100

local function made_by(step)
  local text = (step.created_by or step.comment or "-"):gsub("%s+", " ")
  return #text > LONGEST and text:sub(1, LONGEST - 3) .. "..." or text
end

---@param request luactr.cli.request
---@return integer status
function M.run(request)
  if #request.arguments ~= 1 then
    return output.usage(#request.arguments == 0 and "which image?" or "one image at a time", M)
  end
  local store <close>, failed = images.open()
  if not store then
    return failed
  end
  local image, err = store:find(request.arguments[1])
  if not image then
    output.complain(err)
    return require("luactr.cli").FAILED
  end
  local steps, rows = store:history(image), {}
  if request.options.json then
    return output.print(#steps == 0 and "[]\n" or output.json(steps))
  end
  for i = #steps, 1, -1 do
    local step = steps[i]
    rows[#rows + 1] = { step.layer and images.short(step.layer.digest) or "-",
      images.age(step.created), containers.bytes(step.layer and step.layer.size), made_by(step) }
  end
  return output.print(containers.columns(HEADS, rows))
end

return M
