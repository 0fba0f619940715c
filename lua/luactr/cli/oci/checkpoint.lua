--- `luactr oci checkpoint`
local M = {
  name = "oci checkpoint",
  summary = "save the processes of a container by CRIU",
  usage = "CONTAINER",
  help = [[
Save the processes of a container, with their memory, in files of CRIU, which has to be installed.
They end thereby, unless --leave-running is said.]],
  least = 1,
}

M.options = table.move(require "luactr.cli.oci.criu", 1, #require "luactr.cli.oci.criu", 1, {})
for _, row in ipairs {
  { "--parent-path", argument = "DIR", help = "images of an earlier --pre-dump" },
  { "--leave-running", help = "let them go on" },
  { "--pre-dump", help = "memory alone, and let them go on" },
  { "--page-server", argument = "ADDRESS:PORT", help = "send memory there" },
  { "--status-fd", argument = "FD", number = true, help = "descriptor that CRIU tells when ready" },
  { "--tcp-skip-in-flight", help = "without connections that are being made" },
  { "--network-lock", argument = "METHOD", help = "iptables, nftables or skip" },
} do
  M.options[#M.options + 1] = row
end

function M.run(request)
  return request:with(function(container)
    return require("luactr.oci.criu").checkpoint(container, request.options, request.global.criu)
  end)
end

return M
