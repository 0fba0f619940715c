--- A compiled filter, checked as the kernel does when it takes one: bpf_check_classic() and
--- seccomp_check_filter(). Pure.
--
-- The kernel would answer EINVAL when the container starts; here the reason has a name.
local M = {}

local SIZE <const> = 8 -- struct sock_filter: code, jt, jf, k
local MAX_INSTRUCTIONS <const> = 4096
local DATA_SIZE <const> = 64 -- struct seccomp_data
local MEMORY_WORDS <const> = 16

-- linux/bpf_common.h
local LOAD_ABSOLUTE <const> = 0x20
local RETURN <const> = { [0x06] = true, [0x16] = true }
local JUMP_ALWAYS <const> = 0x05
local DIVIDE_BY_K <const> = 0x34
local SHIFT_BY_K <const> = { [0x64] = true, [0x74] = true }
local MEMORY_LOAD <const> = { [0x60] = true, [0x61] = true } -- LD and LDX
local MEMORY_STORE <const> = { [0x02] = true, [0x03] = true } -- ST and STX

local function set(list)
  local result = {}
  for _, code in ipairs(list) do
    result[code] = true
  end
  return result
end

-- by number and by X: equal, greater, not less, any bit
local JUMPS <const> = set { 0x15, 0x1d, 0x25, 0x2d, 0x35, 0x3d, 0x45, 0x4d }

-- What seccomp allows beside loads of its data, returns and jumps: arithmetic but the remainder,
-- constants, the length of the data, memory, copies between the registers.
local OTHERS <const> = set {
  0x04, 0x0c, 0x14, 0x1c, 0x24, 0x2c, 0x34, 0x3c, 0x54, 0x5c, 0x44, 0x4c, 0xa4, 0xac, 0x64, 0x6c,
  0x74, 0x7c, 0x84, 0x00, 0x01, 0x80, 0x81, 0x07, 0x87, 0x60, 0x61, 0x02, 0x03,
}

-- ---- one instruction; `left` is how many follow

local function jump_problem(code, jt, jf, k, left)
  local farthest = code == JUMP_ALWAYS and k or math.max(jt, jf)
  return farthest >= left and "jumps past the end" or nil
end

local function operand_problem(code, k)
  if code == DIVIDE_BY_K and k == 0 then
    return "divides by 0"
  elseif SHIFT_BY_K[code] and k >= 32 then
    return "shifts by " .. k .. " bits"
  elseif (MEMORY_LOAD[code] or MEMORY_STORE[code]) and k >= MEMORY_WORDS then
    return "uses memory word " .. k .. " of " .. MEMORY_WORDS
  end
end

local function problem_of(code, jt, jf, k, left)
  if code == LOAD_ABSOLUTE then
    return (k >= DATA_SIZE or k % 4 ~= 0) and "loads from offset " .. k
      .. ", not a word of struct seccomp_data" or nil
  elseif code == JUMP_ALWAYS or JUMPS[code] then
    return jump_problem(code, jt, jf, k, left)
  elseif RETURN[code] then
    return nil
  elseif not OTHERS[code] then
    return string.format("has the code 0x%x, which seccomp does not take", code)
  end
  return operand_problem(code, k)
end

-- ---- memory: a word is written on every way to where it is read

--- Masks of the words that are surely written, by instruction; jumps go forward only.
local function memory_problem(program, count)
  local masks, known = {}, 0
  local function reach(at, mask)
    masks[at] = (masks[at] or -1) & mask
  end
  for at = 0, count - 1 do
    local code, jt, jf, k = string.unpack("<I2I1I1I4", program, at * SIZE + 1)
    known = known & (masks[at] or -1)
    if MEMORY_STORE[code] then
      known = known | 1 << k
    elseif MEMORY_LOAD[code] and known & 1 << k == 0 then
      return string.format("instruction %d reads memory word %d before it is written", at, k)
    elseif code == JUMP_ALWAYS then
      reach(at + 1 + k, known)
      known = -1
    elseif JUMPS[code] then
      reach(at + 1 + jt, known)
      reach(at + 1 + jf, known)
      known = -1
    end
  end
end

--- Why the kernel would refuse the program, or nothing.
---@param program string
---@return string? problem
function M.check(program)
  local count = #program // SIZE
  if count == 0 or #program % SIZE ~= 0 then
    return string.format("is no BPF program: %d bytes, not a multiple of %d", #program, SIZE)
  elseif count > MAX_INSTRUCTIONS then
    return string.format("has %d instructions, the kernel takes %d", count, MAX_INSTRUCTIONS)
  end
  for at = 0, count - 1 do
    local code, jt, jf, k = string.unpack("<I2I1I1I4", program, at * SIZE + 1)
    local problem = problem_of(code, jt, jf, k, count - 1 - at)
    if problem then
      return string.format("instruction %d %s", at, problem)
    end
  end
  if not RETURN[string.unpack("<I2", program, #program - SIZE + 1)] then
    return "does not end with a return"
  end
  return memory_problem(program, count)
end

return M
