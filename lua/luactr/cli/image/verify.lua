--- `luactr image verify`: look whether images are whole.
local cli = require "luactr.cli"
local containers = require "luactr.cli.containers"
local images = require "luactr.cli.images"
local output = require "luactr.cli.output"

local M = {
  name = "image verify",
  summary = "look whether images are whole",
  usage = "[IMAGE...]",
  mixed = true,
  help = [[
Read all that images are made of and compare it with the digests: all images, or those that are
named. Status 1 says that something is missing or damaged. With --files also the unpacked layers are
compared with what their blobs say; --repair unpacks those again that differ or are missing, unless
a container uses them.]],
  options = {
    { "--files", help = "compare the files of unpacked layers, too" },
    { "--repair", help = "the same, and unpack again what is not as it should be" },
    { "--json", help = "a record" },
  },
}

local FOUND <const> = 1

local function merge(report, other)
  for key, value in pairs(other) do
    if type(value) == "number" then
      report[key] = report[key] + value
    else
      table.move(value, 1, #value, #report[key] + 1, report[key])
    end
  end
end

local function has_problems(report)
  for _, problem in ipairs(report.problems) do
    if not problem.repaired then
      return true
    end
  end
  return false
end

local function print(report, as_json)
  if as_json then
    report.problems = #report.problems > 0 and report.problems or nil -- JSON's {} is no list
    return output.json(report)
  end
  local lines = {}
  for i, problem in ipairs(report.problems) do
    lines[i] = require("luactr.error").escape(string.format("%s: %s%s", problem.name,
      problem.message, problem.repaired and " (repaired)" or "")) .. "\n"
  end
  lines[#lines + 1] = string.format("%d images, %d layers (%s), %d problems\n", report.images,
    report.blobs, containers.bytes(report.bytes), #report.problems)
  return table.concat(lines)
end

---@param request luactr.cli.request
---@return integer status
function M.run(request)
  local options = { files = request.options.files, repair = request.options.repair }
  local store <close>, failed = images.open { write = options.files or options.repair }
  if not store then
    return failed
  end
  local report = { images = 0, blobs = 0, bytes = 0, problems = {} }
  local function verify(name)
    local part, err = store:verify(name, options)
    if part then
      merge(report, part)
    end
    return part, err
  end
  local status
  if #request.arguments > 0 then
    status = images.each(request.arguments, verify)
  else
    local done, err = verify()
    if not done then
      output.complain(err)
      return cli.FAILED
    end
    status = 0
  end
  status = has_problems(report) and status == 0 and FOUND or status
  return output.print(print(report, request.options.json), status)
end

return M
