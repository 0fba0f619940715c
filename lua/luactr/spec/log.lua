--- The field `log`: what a detached container's output is kept in. Pure.
local check = require "luactr.check"

local M = {}

local record <const> = check.record {
  { name = "size", type = check.size(), default = 10 << 20,
    help = "of one file; then the next is begun" },
  { name = "files", type = check.integer { min = 1, max = 100 }, default = 3,
    help = "how many are kept" },
}

M.fields = record.fields

--- -> { size =, files = }
function M.log(value, path, problems)
  local result = problems:check(record, value, path)
  if result and result.size < 4096 then
    return problems:add(path .. ".size", "at least 4K expected")
  end
  return result
end

return M
