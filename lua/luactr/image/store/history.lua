--- What an image was made of: the entries of its config's history, each with its layer.
local M = {}

---@class luactr.image.step: luactr.image.history
---@field layer? luactr.image.descriptor
---@field diff_id? string

--- The steps, the first one first. Layers that no entry speaks of come last.
---@param image luactr.image
---@return luactr.image.step[]
function M.of(image)
  local steps, at = {}, 0
  local function take(step)
    at = at + 1
    step.layer, step.diff_id = image.layers[at], image.diff_ids[at]
    return step
  end
  for i, entry in ipairs(image.config.history or {}) do
    local step = {}
    for key, value in pairs(entry) do
      step[key] = value
    end
    steps[i] = entry.empty_layer and step or take(step)
  end
  while at < #image.layers do
    steps[#steps + 1] = take {}
  end
  return steps
end

return M
