--- `luactr oci restore`
local creation = require "luactr.cli.oci.creation"

local M = {
  name = "oci restore",
  summary = "make a container of saved processes by CRIU",
  usage = "CONTAINER",
  help = "Make a container of what luactr oci checkpoint has saved, by CRIU.",
  least = 1,
}

M.options = creation.options(table.move(require "luactr.cli.oci.criu", 1,
  #require "luactr.cli.oci.criu", 1, {}))
for _, row in ipairs {
  { "-d --detach", help = "return as soon as they run" },
  { "--lsm-profile", argument = "TYPE:NAME", help = "another label of the security module" },
  { "--lsm-mount-context", argument = "CONTEXT", help = "another label of mounts" },
} do
  M.options[#M.options + 1] = row
end

function M.run(request)
  local made = creation.of(request)
  local result, err = require("luactr.oci.restore").restore(made, request.options,
    request.global.criu)
  if not result then
    return nil, err
  elseif request.options.detach then
    return 0
  end
  return require("luactr.cli.run").status_of_result(result)
end

return M
