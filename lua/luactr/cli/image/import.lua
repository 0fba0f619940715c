--- `luactr image import`: take an image from a file or directory into the store.
local output = require "luactr.cli.output"
local transport = require "luactr.cli.transport"

local M = {
  name = "image import",
  summary = "take an image from an archive or a directory",
  usage = "PATH",
  mixed = true,
  help = [[
Take an image into the store and print its name. PATH, or stdin for "-", is an OCI layout (a
directory or an archive), what docker save and podman save write, or a tar archive of a root file
system, which becomes an image of one layer; archives may be compressed by gzip, zstd, xz or bzip2.
Without --name the image is called what the archive says, or as the file.]],
  options = {
    { "-n --name", argument = "NAME", help = "call it NAME or NAME:TAG" },
    { "--image", argument = "NAME", help = "which one, of an archive with several" },
    { "--platform", argument = "PLATFORM", help = "linux/arm64, in place of the host's" },
    { "-q --quiet", help = "show no progress" },
    table.unpack(transport.limits),
  },
}

---@param request luactr.cli.request
---@return integer status
function M.run(request)
  local path, options = request.arguments[1], request.options
  if #request.arguments ~= 1 then
    return output.usage("what to import?", M)
  elseif not transport.is_platform(options.platform) then
    return output.usage("--platform: OS/ARCHITECTURE[/VARIANT], as linux/arm64", M)
  end
  local limits, mistake = transport.limits_of(request)
  if not limits then
    return output.usage(mistake, M)
  end
  return transport.finish(require("luactr.image.import").run(path, {
    name = options.name, image = options.image, platform = options.platform, limits = limits,
    progress = transport.progress(request), notice = transport.notice,
  }))
end

return M
