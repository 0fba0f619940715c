-- An eBPF machine that is just large enough for device programs, and the meaning of device rules
-- written down a second time, so that specs can hold the one against the other.

local device_program = {}

local SIZE <const> = string.packsize("<I1I1i2i4")

-- struct bpf_cgroup_dev_ctx: access_type, major, minor; by offset
local function context(access)
  local type = access.type == "b" and 1 or 2
  return { [0] = access.bits << 16 | type, [4] = access.major, [8] = access.minor }
end

local CODES <const> = {
  [0x61] = function(r, to, _, offset, _, ctx) r[to] = ctx[offset] end, -- load
  [0x54] = function(r, to, _, _, k) r[to] = r[to] & (k & 0xffffffff) end,
  [0x74] = function(r, to, _, _, k) r[to] = r[to] >> k end,
  [0xb4] = function(r, to, _, _, k) r[to] = k & 0xffffffff end,
  [0xbc] = function(r, to, from) r[to] = r[from] end,
  [0x55] = function(r, to, _, offset, k) return r[to] ~= k and offset or 0 end,
  [0x15] = function(r, to, _, offset, k) return r[to] == k and offset or 0 end,
}

--- What the program returns for an access { type = "c", major, minor, bits }: 1 is yes.
function device_program.run(program, access)
  local registers, ctx, at = {}, context(access), 0
  while true do
    local code, where, offset, k = string.unpack("<I1I1i2i4", program, at * SIZE + 1)
    if code == 0x95 then return registers[0] end
    at = at + 1 + (CODES[code](registers, where & 15, where >> 4, offset, k, ctx) or 0)
  end
end

local LETTERS <const> = { m = 1, r = 2, w = 4 }

local function matches(rule, access)
  if rule.type == "a" then return true end
  return rule.type == access.type and (rule.major == "*" or rule.major == access.major)
    and (rule.minor == "*" or rule.minor == access.minor)
end

--- Whether rules { allow, type, major, minor, access = "rwm" } allow an access: for each kind of
--- access asked for, the last rule that speaks of it decides.
function device_program.allows(rules, access)
  for letter, bit in pairs(LETTERS) do
    local allowed = false
    for _, rule in ipairs(rules) do
      local speaks = rule.type == "a" or rule.access:find(letter)
      if speaks and matches(rule, access) then allowed = rule.allow end
    end
    if access.bits & bit ~= 0 and not allowed then return false end
  end
  return true
end

return device_program
