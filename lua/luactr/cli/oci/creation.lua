--- What the verbs that make a container have in common: their options, and the request that
--- luactr.oci.life takes.
local M = {}

M.OPTIONS = {
  { "-b --bundle", argument = "DIR", help = "the bundle, in place of the working directory" },
  { "-f --config", argument = "FILE", help = "its configuration, in place of config.json" },
  { "--console-socket", argument = "PATH", help = "socket that the terminal's master is sent to" },
  { "--pidfd-socket", argument = "PATH",
    help = "socket that a descriptor of its process is sent to" },
  { "--pid-file", argument = "FILE", help = "write the host's pid of its process to FILE" },
  { "--no-pivot", help = "change the root without pivot_root(2)" },
  { "--no-new-keyring", help = "leave it the caller's session keyring" },
  { "--no-subreaper", help = "is taken and ignored: luactr adopts nobody" },
  { "--preserve-fds", argument = "N", number = true,
    help = "give it N descriptors more, from 3 on" },
}

--- A verb's options: those above and its own.
---@param own luactr.oci.option[]
---@return luactr.oci.option[]
function M.options(own)
  return table.move(M.OPTIONS, 1, #M.OPTIONS, #own + 1, own)
end

---@param request luactr.cli.oci.request
---@return luactr.oci.creation
function M.of(request)
  local options, host = request.options, request:host()
  return {
    id = request.arguments[1], host = host, bundle = options.bundle or ".",
    config = options.config, pid_file = options.pid_file, console_socket = options.console_socket,
    pidfd_socket = options.pidfd_socket, preserve_fds = options.preserve_fds or 0,
    no_pivot = options.no_pivot, no_new_keyring = options.no_new_keyring,
    systemd = request:wants_systemd(),
    no_cgroup = request.global.cgroup_manager == "disabled", rootless = request.global.rootless,
    detach = options.detach, keep = options.keep,
    warn = function(message) request.log:write("warning", message) end,
    report = request:reporter(),
  }
end

return M
