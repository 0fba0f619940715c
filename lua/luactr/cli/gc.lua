--- `luactr gc`: remove what killed luactrs left, and say what that was.
local containers = require "luactr.cli.containers"
local output = require "luactr.cli.output"

local M = {
  name = "gc",
  summary = "remove what killed luactrs left behind",
  usage = "",
  mixed = true,
  help = [[
Every command for containers cleans up first after luactrs and monitors that were killed; this one
does only that, looks for cgroups without a container, too, and tells what it has found.]],
  options = {
    { "-a --all", help = "remove also what is kept of containers that have ended" },
    { "--json", help = "a list of records" },
  },
}

local HEADS <const> = { "NAME", "WHAT" }

--- Empty cgroups in which nobody runs a container; one that is about to is held by its luactr.
local function sweep_cgroups(host, done)
  local alive = {}
  for _, record in ipairs(require("luactr.state.list").all(host)) do
    alive[record.id] = true
  end
  for _, id in ipairs(require("luactr.cgroup").sweep(host.cgroup, { alive = alive })) do
    done[#done + 1] = { id = id, what = "cgroup removed" }
  end
end

local function remove_ended(done)
  for _, found in ipairs(require("luactr.container.found").all()) do
    if found:state() == "exited" and found:remove() then
      done[#done + 1] = { id = found.id, what = "ended, removed" }
    end
  end
end

local WORDS <const> = { removed = "leftover removed", lost = "monitor was killed: lost" }

---@param request luactr.cli.request
---@return integer status
function M.run(request)
  if #request.arguments > 0 then
    return output.usage("gc takes no names: see luactr rm", M)
  end
  local host = require("luactr.host").facts()
  local done = {}
  for _, swept in ipairs(require("luactr.state").sweep(host)) do
    done[#done + 1] = { id = swept.id, what = WORDS[swept.what] }
  end
  sweep_cgroups(host, done)
  if request.options.all then
    remove_ended(done)
  end
  if request.options.json then
    return output.print(#done == 0 and "[]\n" or output.json(done))
  end
  local rows = {}
  for i, row in ipairs(done) do
    rows[i] = { row.id, row.what }
  end
  return output.print(#rows > 0 and containers.columns(HEADS, rows) or "")
end

return M
