--- `luactr image gc`: remove what no image and no container needs.
local cli = require "luactr.cli"
local containers = require "luactr.cli.containers"
local images = require "luactr.cli.images"
local output = require "luactr.cli.output"

local M = {
  name = "image gc",
  summary = "remove what no image and no container needs",
  usage = "",
  mixed = true,
  help = [[
Remove blobs and layers that no name and no container needs, also those that builds remember, and
what killed luactrs have left half done. It waits until nobody else works with the store.]],
  options = {
    { "-k --keep", help = "not what builds remember" },
    { "-t --time", argument = "TIME", help = "wait so long for others, 10s by default" },
    { "--json", help = "a record" },
  },
}

local function text_of(report)
  return string.format("%d blobs (%s), %d layers, %d steps of builds, %d unfinished\n",
    report.blobs, containers.bytes(report.bytes), report.layers, report.steps, report.stages)
end

---@param request luactr.cli.request
---@return integer status
function M.run(request)
  if #request.arguments > 0 then
    return output.usage("image gc takes no names: see luactr image rm", M)
  end
  local time, problem = request.options.time, nil
  if time then
    time, problem = containers.seconds(time)
  end
  if problem then
    return output.usage("--time: " .. problem, M)
  end
  local store <close>, failed = images.open { write = true }
  if not store then
    return failed
  end
  local report, err = store:gc { patience = time, keep_steps = request.options.keep }
  if not report then
    output.complain(err)
    return cli.FAILED
  end
  local status = 0
  for _, failure in ipairs(report.failures) do
    output.complain(failure)
    status = cli.FAILED
  end
  report.failures = #report.failures > 0 and report.failures or nil -- JSON's {} is no list
  return output.print(request.options.json and output.json(report) or text_of(report), status)
end

return M
