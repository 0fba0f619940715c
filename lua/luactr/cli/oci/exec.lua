--- `luactr oci exec`
local M = {
  name = "oci exec",
  summary = "run a program in a container",
  usage = "CONTAINER [COMMAND [ARG...]]",
  help = [[
Run a program in a container, beside its own: COMMAND, or the process object of a file. In the
foreground luactr ends with its status; with --detach it returns as soon as the program runs, which
is then a child of who called luactr and is a subreaper.]],
  options = {
    { "-p --process", argument = "FILE", help = "a JSON file with what config.json calls process" },
    { "-d --detach", help = "return as soon as it runs" },
    { "-t --tty", help = "on a terminal of its own" },
    { "--console-socket", argument = "PATH",
      help = "socket that the terminal's master is sent to" },
    { "--pidfd-socket", argument = "PATH",
      help = "socket that a descriptor of its process is sent to" },
    { "--pid-file", argument = "FILE", help = "write the host's pid of its process to FILE" },
    { "-u --user", argument = "UID[:GID]", help = "who runs it" },
    { "-g --additional-gids", argument = "GID", many = true, number = true,
      help = "one group more" },
    { "--cwd", argument = "DIR", help = "working directory" },
    { "-e --env", argument = "VAR=VALUE", many = true, help = "set a variable" },
    { "-c --cap", argument = "CAPABILITY", many = true, help = "a capability more" },
    { "--no-new-privs", help = "no program that it runs has more rights" },
    { "--apparmor", argument = "PROFILE", help = "AppArmor's profile of it" },
    { "--process-label", argument = "LABEL", help = "SELinux's label of it" },
    { "--preserve-fds", argument = "N", number = true,
      help = "give it N descriptors more, from 3 on" },
    { "--ignore-paused", help = "in a paused container: it begins when that is resumed" },
    { "--cgroup", argument = "[CONTROLLER:]PATH", many = true,
      help = "a cgroup below the container's; with CONTROLLER in the hierarchy of that" },
    { "--no-subreaper", help = "is taken and ignored: luactr adopts nobody" },
  },
  least = 1, most = math.huge, ordered = true,
  failed = 255, -- as runc's and crun's: 1 may be the program's
}

function M.run(request)
  local container, err = request:find()
  if not container then
    return nil, err
  end
  local words = table.move(request.arguments, 2, #request.arguments, 1, {})
  local result
  result, err = require("luactr.oci.exec").exec(container, request.options, words,
    function(message) request.log:write("warning", message) end)
  if not result then
    return nil, err
  end
  return result == true and 0 or require("luactr.cli.run").status_of_result(result)
end

return M
