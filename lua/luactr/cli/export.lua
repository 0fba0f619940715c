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

local function failure(path, errno)
  return nil, require("luactr.error").new { op = "open", path = path, errno = errno,
    message = "cannot write " .. path }
end

--- Beside the file and renamed: it is whole, or as it was.
local function to_file(found, path, options)
  local sys <const> = require("luactr.core").sys
  local known = sys.stat(path)
  local beside = (not known or known.type == "file") and string.format("%s.%d.new", path,
    sys.getpid())
  local flags = sys.O_WRONLY | (beside and sys.O_CREAT | sys.O_EXCL or 0)
  local file <close>, _, errno = sys.open(beside or path, flags)
  if not file then
    return failure(path, errno)
  end
  local done, err = found:export(file, options)
  if done and beside then
    done, _, errno = sys.rename(beside, path)
    if not done then
      err = select(2, failure(path, errno))
    end
  end
  if not done and beside then
    sys.unlink(beside)
  end
  return done, err
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
    done, err = to_file(found, path, options_of(request))
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
