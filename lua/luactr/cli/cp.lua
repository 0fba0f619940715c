--- `luactr cp`: copy files into and out of containers.
local containers = require "luactr.cli.containers"
local output = require "luactr.cli.output"

local M = {
  name = "cp",
  summary = "copy files into or out of a container",
  usage = "NAME:PATH DEST | SRC NAME:PATH",
  mixed = true,
  help = [[
Copy a file, or a directory with all that is in it, from a container to the host or the other way,
whether the container runs or has ended. Into a directory that exists, or to a name that does not; a
source that ends in /. means what is in the directory. "-" in place of a path of the host is a tar
archive on stdin or stdout. Modes, times, links, holes and extended attributes are kept; what is
copied belongs to the container's root, and on the host to you.]],
  options = {
    { "-a --archive", help = "keep users and groups, as the other side numbers them" },
    { "-L --follow", help = "copy what a symbolic link leads to, not the link" },
    { "-q --quiet", help = "do not tell what is left out" },
  },
}

local STDIN <const>, STDOUT <const> = 0, 1

--- NAME:PATH; a path of the host that has a colon begins with "/" or "./".
local function place_of(word)
  local name, path = word:match("^([^/:.][^/:]*):(.*)$")
  if name then
    return { name = name, path = path ~= "" and path or "/" }
  end
  return { path = word }
end

local function mistake(from, to)
  if from.name and to.name then
    return "from one container to another: copy to the host first, or pipe two luactr cp with -"
  elseif not from.name and not to.name then
    return "one side is NAME:PATH, a path in a container"
  elseif from.path == "" or to.path == "" then
    return "a path is empty"
  end
end

local function notice(path, why)
  output.warn(string.format("left out %s: %s", require("luactr.error").escape(path), why))
end

local function copy(found, from, to, options)
  local sys <const> = require("luactr.core").sys
  if from.name then
    if to.path == "-" and sys.isatty(STDOUT) then
      return nil, "an archive is not for a terminal: redirect stdout"
    end
    return found:copy_out(from.path, to.path == "-" and STDOUT or to.path, options)
  end
  return found:copy_in(from.path == "-" and STDIN or from.path, to.path, options)
end

---@param request luactr.cli.request
---@return integer status
function M.run(request)
  if #request.arguments ~= 2 then
    return output.usage("what to copy and where to expected", M)
  end
  local from, to = place_of(request.arguments[1]), place_of(request.arguments[2])
  local problem = mistake(from, to)
  if problem then
    return output.usage(problem, M)
  end
  local options = { archive = request.options.archive, follow = request.options.follow,
    notice = not request.options.quiet and notice or nil }
  return containers.each({ arguments = { from.name or to.name } }, M, function(found)
    return copy(found, from, to, options)
  end)
end

return M
