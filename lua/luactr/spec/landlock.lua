--- The field `landlock`: which paths, ports and processes the command may reach. Pure.
--
-- A word that is left out restricts nothing, an empty list allows it nowhere. Normalized: paths are
-- { path =, optional = }.
local check = require "luactr.check"
local values = require "luactr.spec.values"

local M = {}

local MAX_PORT <const> = 65535
local MAX_RULES <const> = 4096

local place = check.union({
  check.string {
    what = "absolute path", pattern = "^/", max = 4095, line = true,
    convert = function(path) return { path = path, optional = false } end,
  },
  check.record {
    { name = "path", type = values.path, required = true },
    { name = "optional", type = check.boolean(), default = false },
  },
}, { what = "absolute path or { path =, optional = true }" })

local places = check.list(place, { what = "list of paths", max = MAX_RULES })
local ports = check.list(check.integer { what = "port", min = 0, max = MAX_PORT },
  { what = "list of ports", max = MAX_RULES })

M.fields = {
  { name = "read", type = places, help = "read files and list directories there" },
  { name = "write", type = places,
    help = "change, make, move, remove files there (no device nodes), and read what is there" },
  { name = "execute", type = places, help = "run programs there, and read what is there" },
  { name = "ioctl", type = places, help = "control devices there, by ioctl(2)" },
  { name = "tcp", type = check.record {
    { name = "bind", type = ports }, { name = "connect", type = ports },
  }, help = "the ports that may be bound and connected to; port 0 is any free one" },
  { name = "scope", type = check.list(check.enum { "signal", "abstract_unix_socket" }),
    help = "what reaches no process outside" },
  { name = "optional", type = check.boolean(), default = false,
    help = "what this kernel's Landlock lacks is a warning, not an error" },
}

-- What the kernel and other tools call them.
local ELSEWHERE <const> = {
  exec = "execute", rx = "execute", ro = "read", rw = "write", fs = "read", net = "tcp",
  scoped = "scope",
}

local record <const> = check.record(M.fields, { elsewhere = ELSEWHERE })

local function restricts(landlock)
  for _, row in ipairs(M.fields) do
    local value = row.name ~= "optional" and landlock[row.name]
    if value and (row.name ~= "tcp" or value.bind or value.connect)
      and (row.name ~= "scope" or #value > 0) then
      return true
    end
  end
  return false
end

function M.check(value, path, problems)
  local total = problems.total
  local result = problems:check(record, value, path)
  if problems.total == total and not restricts(result) then
    return problems:add(path, "restricts nothing: name read, write, execute, ioctl, tcp or scope")
  end
  return result
end

return M
