--- `luactr oci kill`
local M = {
  name = "oci kill",
  summary = "send a signal to a container",
  usage = "CONTAINER [SIGNAL]",
  help = "Send a signal, TERM if none is named, to the program of a container.",
  options = {
    { "-a --all", help = "to all its processes" },
    { "-r --regex", help = "CONTAINER is a pattern: to all containers whose names fit" },
  },
  least = 1, most = 2,
}

--- By name, with or without SIG, or by number; 0 only asks.
local function signal_of(word)
  local number = tonumber(word)
  if number and math.tointeger(number) then
    return math.tointeger(number)
  end
  return word:upper():gsub("^SIG", ""), nil
end

function M.run(request)
  local signal = signal_of(request.arguments[2] or "TERM")
  local how = { all = request.options.all }
  if request.options.regex then
    return require("luactr.cli.oci.several").each(request, function(container)
      return container:kill(signal, how)
    end)
  end
  return request:with(function(container) return container:kill(signal, how) end)
end

return M
