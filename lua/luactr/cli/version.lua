--- `luactr version`
local M = {
  name = "version",
  summary = "print the version",
  usage = "",
  help = "Print the versions of luactr, Lua and the kernel.",
  options = {},
}

---@return string
function M.text()
  local core = require "luactr.core"
  local system = core.sys.uname()
  return string.format("luactr %s (%s, %s %s %s)\n", core.version, _VERSION, system.sysname,
    system.release, system.machine)
end

function M.run(request)
  local output = require "luactr.cli.output"
  if #request.arguments > 0 then
    return output.usage("version takes no arguments", M)
  end
  return output.print(M.text())
end

return M
