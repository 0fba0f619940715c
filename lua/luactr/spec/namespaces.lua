--- The fields `namespaces` and `clock`. Pure.
--
-- Normalized: kind to "new", "host", "auto", "try", or a namespace to join: { join = "container",
-- name = }, { join = "path", path = } or { join = "fd", fd = }.
local check = require "luactr.check"
local values = require "luactr.spec.values"

local M = {}

local KINDS <const> = { "mount", "pid", "uts", "ipc", "network", "cgroup", "user", "time" }

-- ---- one namespace

local function joined(value)
  if type(value) == "string" then
    local name = value:match("^container:(.*)$")
    if name then
      return { join = "container", name = name }
    end
    return value:sub(1, 1) == "/" and { join = "path", path = value } or nil
  end
  return check.class(value) == "luactr.fd" and { join = "fd", fd = value } or nil
end

local number <const> = check.integer { what = "file descriptor", min = 0, max = 0x7fffffff }
local longest <const> = check.string { max = 4095 }

--- A namespace in the words that its kind knows, or one to join.
local function one_of(words)
  local word = check.enum(words, { what = "\"" .. table.concat(words, "\", \"")
    .. "\", \"container:NAME\", a path or an fd" })
  return check.custom(word.what, function(value, path, problems)
    if type(value) == "number" then
      local fd = problems:check(number, value, path)
      return fd and { join = "fd", fd = fd }
    end
    local to = joined(value)
    if not to then
      return problems:check(word, value, path)
    elseif to.path and not problems:check(longest, value, path) then
      return nil
    elseif to.name and not problems:check(values.name, to.name, path) then
      return nil
    end
    return to
  end)
end

local MOUNT <const> = check.enum { "new", "host" }

local function mount(value, path, problems)
  if joined(value) or type(value) == "number" then
    return problems:add(path, "cannot be another container's: a container mounts its own root")
  end
  return problems:check(MOUNT, value, path)
end

local WORDS <const> = { "new", "host", "try" }

-- What the kernel and other tools call a kind.
local ELSEWHERE <const> = { net = "network", mnt = "mount", userns = "user" }

local namespace_table <const> = check.record({
  { name = "mount", type = check.custom("\"new\" or \"host\"", mount) },
  { name = "pid", type = one_of(WORDS) },
  { name = "uts", type = one_of(WORDS) },
  { name = "ipc", type = one_of(WORDS) },
  { name = "network", type = one_of(WORDS) },
  { name = "cgroup", type = one_of(WORDS) },
  { name = "user", type = one_of { "new", "host", "try", "auto" } },
  { name = "time", type = one_of(WORDS) },
}, { elsewhere = ELSEWHERE })

for _, row in ipairs(namespace_table.fields) do
  row.default = values.namespace_defaults[row.name]
end

-- ---- all of them

local function new_ones(kinds)
  local result = {}
  for _, kind in ipairs(KINDS) do
    result[kind] = "host"
  end
  result.mount = "new" -- there is no container without it
  for _, kind in ipairs(kinds) do
    result[kind] = "new"
  end
  return result
end

local namespace_list <const> = check.list(check.enum(KINDS), { convert = new_ones })

function M.namespaces(value, path, problems)
  if value == "all" then
    return new_ones(KINDS)
  end
  local is_list = check.is_plain(value) and rawlen(value) > 0
  return problems:check(is_list and namespace_list or namespace_table, value, path)
end

-- ---- clock: { monotonic = "1h", boottime = "-5s" } -> clock to { seconds, nanoseconds }

local NANOSECONDS <const> = 1000000000

--- As the kernel has it: the nanoseconds always count forward.
local function split(seconds)
  local whole = math.floor(seconds)
  return { seconds = whole, nanoseconds = (seconds - whole) * NANOSECONDS // 1 | 0 }
end

local MOST <const> = 1 << 33 -- seconds, of which the kernel's clocks count about 2^33

local exact <const> = check.record {
  { name = "seconds", type = check.integer { min = -MOST, max = MOST }, required = true },
  { name = "nanoseconds", type = check.integer { min = 0, max = NANOSECONDS - 1 }, default = 0 },
}

local function offset(value, path, problems)
  if check.is_plain(value) then
    return problems:check(exact, value, path)
  end
  local text = type(value) == "string" and value:match("^%s*%-(.*)$")
  local negative = text or (type(value) == "number" and value < 0)
  local seconds, problem = require("luactr.units").time(text or (negative and -value) or value)
  if not seconds then
    return problems:add(path, "%s", problem)
  elseif seconds >= MOST then
    return problems:add(path, "time out of range: %s", check.show(value))
  end
  return split(negative and -seconds or seconds)
end

local clock <const> = check.record {
  { name = "monotonic", type = check.custom("time, as \"1h\" or \"-5s\"", offset) },
  { name = "boottime", type = check.custom("time, as \"1h\" or \"-5s\"", offset) },
}

function M.clock(value, path, problems)
  if check.is_plain(value) and next(value) == nil then
    return problems:add(path, "changes nothing: name monotonic or boottime")
  end
  return problems:check(clock, value, path)
end

return M
