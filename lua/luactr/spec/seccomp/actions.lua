--- What a filter can answer, as words and as the kernel's number (SECCOMP_RET_* and 16 bits of
--- data, seccomp(2)). Pure.
local M = {}

local ERRNO <const>, TRACE <const>, DATA <const> = 0x50000, 0x7ff00000, 0xffff
local MAX_ERRNO <const> = 4095 -- the kernel's

M.ALLOW, M.NOTIFY = 0x7fff0000, 0x7fc00000

-- name, number; the first name of a number is the one that luactr writes
local WORDS <const> = {
  { "allow", M.ALLOW }, { "log", 0x7ffc0000 }, { "notify", M.NOTIFY }, { "trap", 0x30000 },
  { "kill", 0x80000000 }, { "kill_process", 0x80000000 }, { "kill_thread", 0 },
}

--- What linux.seccomp of OCI calls them.
M.OCI = {
  SCMP_ACT_ALLOW = "allow", SCMP_ACT_LOG = "log", SCMP_ACT_NOTIFY = "notify",
  SCMP_ACT_TRAP = "trap", SCMP_ACT_KILL = "kill_thread", SCMP_ACT_KILL_THREAD = "kill_thread",
  SCMP_ACT_KILL_PROCESS = "kill_process", SCMP_ACT_ERRNO = "errno", SCMP_ACT_TRACE = "trace",
}

M.WHAT = "action (allow, log, notify, trace, trap, kill_process, kill_thread or an errno's name)"

local function errnos()
  return require("luactr.core").sys.errno
end

local function known_names()
  local list = { "trace", "errno" }
  for _, row in ipairs(WORDS) do
    list[#list + 1] = row[1]
  end
  for name in pairs(M.OCI) do
    list[#list + 1] = name
  end
  for name in pairs(errnos()) do
    list[#list + 1] = name
  end
  table.sort(list)
  return list
end

--- An errno's number.
---@param value string|integer "ENOSPC" or 28
---@return integer?
---@return string? problem
function M.errno(value)
  local number = type(value) == "string" and errnos()[value] or math.tointeger(value)
  if number and number >= 0 and number <= MAX_ERRNO then
    return number
  elseif type(value) ~= "string" then
    return nil, "errno's name or number expected"
  end
  local list = {}
  for name in pairs(errnos()) do
    list[#list + 1] = name
  end
  table.sort(list)
  return nil, "unknown errno " .. require("luactr.check").show(value)
    .. require("luactr.nearest").hint(value, list)
end

local function with_data(word, data)
  if word == "errno" then
    local number, problem = M.errno(data or "EPERM")
    return number and ERRNO | number, problem
  elseif data and (math.type(data) ~= "integer" or data < 0 or data > DATA) then
    return nil, "trace takes a number of 16 bits, got " .. require("luactr.check").show(data)
  end
  return TRACE | (data or 0)
end

--- The kernel's number for an action.
---@param name string
---@param data? string|integer which errno, or what a tracer is told
---@return integer?
---@return string? problem
function M.parse(name, data)
  local word = M.OCI[name] or name
  if word == "errno" or word == "trace" then
    return with_data(word, data)
  end
  for _, row in ipairs(WORDS) do
    if row[1] == word then
      return row[2]
    end
  end
  if errnos()[word] then
    return ERRNO | errnos()[word]
  end
  return nil, "unknown action " .. require("luactr.check").show(name)
    .. require("luactr.nearest").hint(name, known_names())
end

--- The number in words: "EPERM", "allow", "trace 7".
---@param action integer
---@return string
function M.text(action)
  local data = action & DATA
  if action & ~DATA == TRACE then
    return data == 0 and "trace" or "trace " .. data
  elseif action & ~DATA == ERRNO then
    return require("luactr.core").sys.errname(data) or "errno " .. data
  end
  for _, row in ipairs(WORDS) do
    if row[2] == action then
      return row[1]
    end
  end
  return string.format("0x%x", action)
end

--- Whether a call with this answer is carried out in the end.
---@param action integer
---@return boolean
function M.lets_pass(action)
  local kind = action & ~DATA
  return kind == M.ALLOW or kind == TRACE or kind == M.NOTIFY or kind == 0x7ffc0000
end

return M
