--- Fields of the process that few recipes set: capabilities, rlimits, sysctl, personality, signals.
--
-- Names that the kernel's headers own come from luactr.core, so that no list can drift.
local check = require "luactr.check"
local values = require "luactr.spec.values"

local M = {}

local UNLIMITED <const> = -1 -- RLIM_INFINITY as Lua's signed integer

local function sys()
  return require("luactr.core").sys
end

local function hint(name, known)
  return require("luactr.nearest").hint(name, known)
end

-- ---- capabilities: see values.capability_sets

local ALL <const> = (1 << 41) - 1 -- the capabilities of Linux 5.9 and later, for hints

local SETS <const> = { "bounding", "effective", "permitted", "inheritable", "ambient" }

local capability = check.string {
  what = "capability", max = 64,
  convert = function(name)
    local full = name:upper():gsub("^CAP_", "")
    full = "CAP_" .. full
    if sys().cap_mask { full } then
      return full
    end
    local tail = hint(full, sys().cap_names(ALL))
    return nil, string.format("unknown capability %s%s", check.show(name), tail)
  end,
}

local capability_list = check.list(capability, { max = 64 })

local function changed_defaults(change)
  local dropped, result = {}, {}
  for _, name in ipairs(change.drop) do
    dropped[name] = true
  end
  for _, list in ipairs { values.default_capabilities, change.add } do
    for _, name in ipairs(list) do
      if not dropped[name] then
        dropped[name] = true -- also keeps it from coming twice
        result[#result + 1] = name
      end
    end
  end
  return values.capability_sets(result)
end

-- optional: of those that luactr lacks itself, none is missed.
local function set_rows()
  local rows = { { name = "optional", type = check.boolean() } }
  for _, name in ipairs(SETS) do
    rows[#rows + 1] = { name = name, type = capability_list, default = {} }
  end
  return rows
end

local CHANGE <const> = {
  { name = "add", type = capability_list, default = {} },
  { name = "drop", type = capability_list, default = {} },
}

local change_type = check.record(CHANGE, { convert = changed_defaults })
local change_of_others = check.record(CHANGE)

--- -> { add, drop }: of sets that are known elsewhere
function M.capability_change(value, path, problems)
  return problems:check(change_of_others, value, path)
end

local sets_type = check.record(set_rows())

function M.capabilities(value, path, problems)
  if value == "all" then
    return values.capability_sets("all")
  elseif value == "none" then
    return values.capability_sets {}
  elseif not check.is_plain(value) then
    return problems:add(path,
      "list of names, { add =, drop = }, \"none\" or \"all\" expected, got %s", check.show(value))
  elseif rawget(value, "add") ~= nil or rawget(value, "drop") ~= nil then
    return problems:check(change_type, value, path)
  elseif rawlen(value) > 0 or next(value) == nil then
    local list = problems:check(capability_list, value, path)
    return list and values.capability_sets(list)
  end
  return problems:check(sets_type, value, path)
end


-- ---- securebits: { "noroot", "noroot_locked" } -> { bits = number }

local SECUREBITS <const> = { -- linux/securebits.h
  noroot = 1, no_setuid_fixup = 4, keep_caps = 16, no_cap_ambient_raise = 64,
}

local securebit = check.string {
  what = "securebit", max = 64,
  convert = function(name)
    local short = name:lower():gsub("^secbit_", "")
    local plain = short:gsub("_locked$", "")
    local bit = SECUREBITS[plain]
    if not bit then
      return nil, string.format("unknown securebit %s%s", check.show(name),
        hint(short, check.sorted_keys(SECUREBITS)))
    end
    return short == plain and bit or bit << 1 -- the lock is the next one
  end,
}

local securebits = check.list(securebit, {
  convert = function(bits)
    local mask = 0
    for _, bit in ipairs(bits) do
      mask = mask | bit
    end
    return mask
  end,
})

function M.securebits(value, path, problems)
  return problems:check(securebits, value, path)
end

-- ---- rlimits: { nofile = 1024, as = "64M", core = { soft = 0, hard = "unlimited" } }
--      -> upper-case name to { soft, hard }

local IN_BYTES <const> = {
  AS = true, CORE = true, DATA = true, FSIZE = true, MEMLOCK = true, MSGQUEUE = true, RSS = true,
  STACK = true,
}

local function rlimit_value(name, value)
  if value == "unlimited" then
    return UNLIMITED
  elseif IN_BYTES[name] then
    return require("luactr.units").size(value)
  elseif name == "CPU" and type(value) == "string" then
    local seconds, problem = require("luactr.units").time(value)
    return seconds and math.ceil(seconds), problem
  end
  local whole = type(value) == "number" and math.tointeger(value)
  if not whole or whole < 0 then
    return nil, "number or \"unlimited\" expected, got " .. check.show(value)
  end
  return whole
end

local function rlimit_pair(name, value)
  if not check.is_plain(value) then
    local both, problem = rlimit_value(name, value)
    return both and { soft = both, hard = both }, problem
  end
  local hard, problem = rlimit_value(name, rawget(value, "hard"))
  local soft = hard and rawget(value, "soft")
  if soft ~= nil then
    soft, problem = rlimit_value(name, soft)
  else
    soft = hard
  end
  for key in next, value do
    if key ~= "soft" and key ~= "hard" then
      return nil, "unknown field " .. check.show(key) .. ": soft and hard"
    end
  end
  if soft and hard and math.ult(hard, soft) then
    return nil, "the soft limit is above the hard one"
  end
  return soft and hard and { soft = soft, hard = hard }, problem
end

function M.rlimits(value, path, problems)
  if not check.is_plain(value) then
    return problems:add(path, "table of limits expected, got %s", check.show(value))
  end
  local result, known = {}, sys().rlimits
  for _, key in ipairs(check.sorted_keys(value, path, problems) or {}) do
    local name = type(key) == "string" and key:upper():gsub("^RLIMIT_", "") or ""
    local pair, problem
    if known[name] then
      pair, problem = rlimit_pair(name, rawget(value, key))
    else
      problem = "unknown rlimit" .. hint(name, check.sorted_keys(known)):lower()
    end
    if problem then
      problems:add(check.join(path, key), "%s", problem)
    end
    result[name] = pair
  end
  return result
end


-- ---- sysctl, personality, signals

local sysctl = check.map(
  check.string { what = "sysctl name", pattern = "^[%w_./:-]+$", max = 256,
    convert = function(key)
      if key:find("..", 1, true) or key:find("^[./]") or key:find("//", 1, true) then
        return nil, "not a sysctl's name"
      end
      return key
    end },
  check.union({
    check.string { max = 4096 }, check.integer(),
    check.boolean { convert = function(on) return on and "1" or "0" end },
  }, { what = "string or integer", convert = function(value) return tostring(value) end }))

local PERSONALITIES <const> = { -- personality(2)
  linux = 0, linux32 = 0x8, no_aslr = 0x40000, read_implies_exec = 0x400000, uname26 = 0x20000,
}

local persona = check.enum(check.sorted_keys(PERSONALITIES))

local personality = check.union({
  persona,
  check.list(persona, { convert = function(names) return { names = names } end }),
}, {
  what = "linux, linux32, no_aslr, read_implies_exec, uname26, or a list of them",
  convert = function(value)
    local bits = 0
    for _, name in ipairs(value.names or { value }) do
      bits = bits | PERSONALITIES[name]
    end
    return bits
  end,
})

local signal = check.union({
  check.integer { min = 1, max = 64 },
  check.string {
    max = 32,
    convert = function(name)
      local short = name:upper():gsub("^SIG", "")
      local number_of = sys().signals[short]
      if not number_of then
        return nil, "unknown signal " .. check.show(name)
          .. hint(short, check.sorted_keys(sys().signals))
      end
      return number_of
    end,
  },
}, { what = "signal's name or number" })

for name, t in pairs { sysctl = sysctl, personality = personality, signal = signal } do
  M[name] = function(value, path, problems)
    return problems:check(t, value, path)
  end
end

return M
