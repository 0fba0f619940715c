--- `luactr oci features`
local M = {
  name = "oci features",
  summary = "print what this runtime supports",
  usage = "",
  help = "Print, as JSON, which parts of the OCI runtime specification there are.",
  options = {},
}

function M.run()
  local output = require "luactr.cli.output"
  return output.print(output.pretty(require("luactr.oci.features").document()))
end

return M
