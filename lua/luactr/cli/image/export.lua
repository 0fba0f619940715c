--- `luactr image export`: write an image for others to read.
local images = require "luactr.cli.images"
local output = require "luactr.cli.output"
local transport = require "luactr.cli.transport"

local M = {
  name = "image export",
  summary = "write an image as an archive or a directory",
  usage = "IMAGE",
  mixed = true,
  help = [[
Write an image as an archive that podman, Docker and skopeo read: in OCI's layout (oci-archive), or
as docker save writes it (docker-archive). The format oci is a directory, which must not be there
yet. Layers stay as they are, and so do all digests.]],
  options = {
    { "-o --output", argument = "PATH", help = "in place of stdout" },
    { "-f --format", argument = "FORMAT", help = "oci-archive, oci or docker-archive" },
    { "--compress", argument = "HOW", help = "gzip or zstd, for the whole archive" },
    { "-n --name", argument = "NAME", help = "call it NAME or NAME:TAG there" },
    { "-q --quiet", help = "show no progress" },
  },
}

local FILTERS <const> = { gzip = true, zstd = true }
local STDOUT <const> = 1

--- What is wrong with the command line.
local function problem_of(request)
  local options = request.options
  local format, path = options.format, options.output
  local contents <const> = require "luactr.image.export.contents"
  if #request.arguments ~= 1 then
    return #request.arguments == 0 and "which image?" or "one image; where to is --output's to say"
  elseif format and not contents.is_format(format) then
    return "--format: " .. table.concat(contents.formats, ", ")
  elseif options.compress and not FILTERS[options.compress] then
    return "--compress: gzip or zstd"
  elseif format == "oci" and (not path or path == "-" or options.compress) then
    return "--format oci is a directory: -o DIRECTORY, and no --compress"
  end
end

local function destination(path)
  if path and path ~= "-" then
    return path
  elseif require("luactr.core").sys.isatty(STDOUT) then
    return nil, "an archive is not for a terminal: redirect stdout, or use -o FILE"
  end
  return STDOUT
end

---@param request luactr.cli.request
---@return integer status
function M.run(request)
  local problem = problem_of(request)
  if problem then
    return output.usage(problem, M)
  end
  local store <close>, failed = images.open()
  if not store then
    return failed
  end
  return images.each(request.arguments, function(name)
    local to, err = destination(request.options.output)
    local image
    if to then
      image, err = store:find(name)
    end
    if not image then
      return nil, err
    end
    return require("luactr.image.export").run(image, to, {
      format = request.options.format, compression = request.options.compress,
      name = request.options.name, progress = transport.progress(request),
    })
  end)
end

return M
