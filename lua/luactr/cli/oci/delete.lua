--- `luactr oci delete`
local M = {
  name = "oci delete",
  summary = "remove a container",
  usage = "CONTAINER",
  help = "Remove a container whose program has ended.",
  options = {
    { "-f --force", help = "end it first if it runs; it is no error if there is none" },
    { "-r --regex", help = "CONTAINER is a pattern: all containers whose names fit" },
  },
  least = 1,
}

function M.run(request)
  local how = { force = request.options.force }
  if request.options.regex then
    return require("luactr.cli.oci.several").each(request, function(container)
      return container:delete(how)
    end)
  end
  local status, err = request:with(function(container) return container:delete(how) end)
  if not status and how.force and err.code == "ENOENT" then
    return 0
  end
  return status, err
end

return M
