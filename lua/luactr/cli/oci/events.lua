--- `luactr oci events`
local M = {
  name = "oci events",
  summary = "print what a container uses",
  usage = "CONTAINER",
  help = [[
Print what a container uses as lines of JSON, one each interval until it ends, and when memory ran
out in it.]],
  options = {
    { "--stats", help = "print one line and return" },
    { "--interval", argument = "TIME", help = "the time between two lines, 5s" },
  },
  least = 1,
}

local DEFAULT <const> = "5s"

function M.run(request)
  local text = request.options.interval or DEFAULT
  local seconds, problem = require("luactr.units").time(text)
  if not seconds or seconds <= 0 then
    return nil, require("luactr.error").new { code = "EUSAGE", op = "events",
      message = "--interval: " .. (problem or "a time above 0 expected") }
  end
  local container, err = request:find()
  if not container then
    return nil, err
  end
  local output = require "luactr.cli.output"
  local done
  done, err = require("luactr.oci.events").follow(container, {
    stats = request.options.stats, interval = seconds,
    print = function(event)
      return output.print(require("luactr.state").json(event) .. "\n") == 0
    end,
  })
  return done and 0, err
end

return M
