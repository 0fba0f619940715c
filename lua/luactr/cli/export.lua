--- `luactr export`: a container's files as a tar archive.
local containers = require "luactr.cli.containers"
local output = require "luactr.cli.output"

local M = {
  name = "export",
  summary = "write a container's files as a tar archive",
  usage = "NAME",
  mixed = true,
  help = [[
Write the root file system of a container as a tar archive, whether the container runs or, as far as
its root outlives it, has ended. What is mounted in it (/proc, /dev, volumes) is an empty directory
or file there. The same files give the same archive.]],
  options = {
    { "-o --output", argument = "FILE", help = "in place of stdout" },
    { "--compress", argument = "HOW", help = "gzip or zstd" },
  },
}

local FILTERS <const> = { gzip = true, zstd = true }
local STDOUT <const> = 1

local function options_of(request)
  return { filter = request.options.compress, notice = function(path, why)
    output.warn(string.format("left out %s: %s", require("luactr.error").escape(path), why))
  end }
end

local function to_stdout(found, options)
  if require("luactr.core").sys.isatty(STDOUT) then
    return nil, "an archive is not for a terminal: redirect stdout, or use -o FILE"
  end
  return found:export(STDOUT, options)
end

---@param request luactr.cli.request
---@return integer status
function M.run(request)
  local filter, path = request.options.compress, request.options.output
  if filter and not FILTERS[filter] then
    return output.usage("--compress: gzip or zstd", M)
  end
  local found, status = containers.one(request, M)
  if not found then
    return status
  end
  local done, err
  if path and path ~= "-" then
    done, err = require("luactr.files.whole").write(path, function(file)
      return found:export(file, options_of(request))
    end)
  else
    done, err = to_stdout(found, options_of(request))
  end
  if not done then
    output.complain(err)
    return require("luactr.cli").FAILED
  end
  return 0
end

return M
