--- `luactr oci spec`
local M = {
  name = "oci spec",
  summary = "write a config.json",
  usage = "[RECIPE [ARG...]]",
  help = [[
Write a config.json into the bundle's directory: one to begin with, or what a recipe says. There
must not be one already.]],
  options = {
    { "-b --bundle", argument = "DIR", help = "the bundle, in place of the working directory" },
    { "-f --config", argument = "FILE", help = "the file to write, or -, in place of config.json" },
    { "--rootless", help = "for who is not root" },
  },
  most = math.huge, ordered = true,
}

local NAME <const> = "config.json"

local function facts()
  return require("luactr.host").facts()
end

local function template(request)
  local host = facts()
  return require("luactr.oci.template").document(require("luactr.oci.features").VERSION,
    request.options.rootless, host.uid, host.gid)
end

local function from_recipe(request)
  local words = request.arguments
  local outcome, err = require("luactr.cli.recipe").run(table.remove(words, 1), words)
  if not outcome then
    return nil, err
  elseif not outcome.container then
    return nil, require("luactr.error").new { code = "EUSAGE", op = "spec",
      message = "only a container becomes a bundle, and the recipe returned none" }
  end
  local document, lost = require("luactr.oci.back").document(outcome.container.spec)
  for _, one in ipairs(lost) do
    request.log:write("warning",
      string.format("%s is not in the bundle: %s", one.path, one.message))
  end
  return document
end

--- Nothing that is there is written over.
local function write_new(path, text)
  local sys = require("luactr.core").sys
  local file <close>, message, errno = sys.open(path,
    sys.O_WRONLY | sys.O_CREAT | sys.O_EXCL | sys.O_NOFOLLOW, "0666")
  local count = #text
  while file and text ~= "" do
    count, message, errno = file:write(text)
    if not count then
      break
    end
    text = text:sub(count + 1)
  end
  if not file or not count then
    return nil, require("luactr.error").from_sys("cannot write the configuration: " .. message,
      errno, "open", path)
  end
  return true
end

function M.run(request)
  local make = request.arguments[1] and from_recipe or template
  local document, err = make(request)
  local done
  if document and request.options.config == "-" then
    return require("luactr.cli.output").print(require("luactr.cli.output").pretty(document))
  elseif document then
    local path = request.options.config or (request.options.bundle or ".") .. "/" .. NAME
    done, err = write_new(path, require("luactr.cli.output").pretty(document))
  end
  return done and 0, err
end

return M
