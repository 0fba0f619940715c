--- `luactr diff`: what a container has changed of its files.
local containers = require "luactr.cli.containers"
local output = require "luactr.cli.output"

local M = {
  name = "diff",
  summary = "show what a container has changed of its files",
  usage = "NAME",
  mixed = true,
  help = [[
Show which files a container has added (A), changed (C) and deleted (D), whether it runs or has
ended: of layers (ctr.rootfs.overlay) what is not as below, of copies of the host's programs
(ctr.rootfs.host with copy) what is not as at the start. What is mounted in it does not count.]],
  options = { { "--json", help = "a list of records" } },
}

local LETTERS <const> = { added = "A", changed = "C", deleted = "D" }

---@param request luactr.cli.request
---@return integer status
function M.run(request)
  local found, status = containers.one(request, M)
  if not found then
    return status
  end
  local changes, err = found:diff()
  if not changes then
    output.complain(err)
    return require("luactr.cli").FAILED
  elseif request.options.json then
    return output.print(#changes == 0 and "[]\n" or output.json(changes))
  end
  local lines, escape = {}, require("luactr.error").escape
  for i, change in ipairs(changes) do
    lines[i] = LETTERS[change.kind] .. " " .. escape(change.path) .. "\n"
  end
  return output.print(table.concat(lines))
end

return M
