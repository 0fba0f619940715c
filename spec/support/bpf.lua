-- A classic BPF machine that is just large enough for seccomp filters, so that specs can ask a
-- compiled profile what it thinks of a system call.

local bpf = {}

local SIZE <const> = string.packsize("<I2I1I1I4")

-- struct seccomp_data: nr, arch, instruction pointer, six arguments; little-endian
local function data_of(call)
  local arguments = {}
  for i = 1, 6 do arguments[i] = call[i] or 0 end
  return string.pack("<I4I4i8i8i8i8i8i8i8", call.nr, call.arch, 0, table.unpack(arguments))
end

local LOAD <const>, AND <const>, JUMP <const>, RETURN <const> = 0x20, 0x54, 0x05, 0x06

local TESTS <const> = {
  [0x15] = function(a, k) return a == k end,
  [0x25] = function(a, k) return a > k end,
  [0x35] = function(a, k) return a >= k end,
  [0x45] = function(a, k) return a & k ~= 0 end,
}

--- What the filter returns for a call { nr =, arch =, first argument, ... }, and after how many
--- instructions.
function bpf.run(program, call)
  local data, accumulator, at = data_of(call), 0, 0
  for count = 1, 4096 do
    local code, jt, jf, k = string.unpack("<I2I1I1I4", program, at * SIZE + 1)
    at = at + 1
    if code == LOAD then
      accumulator = string.unpack("<I4", data, k + 1)
    elseif code == AND then
      accumulator = accumulator & k
    elseif code == JUMP then
      at = at + k
    elseif code == RETURN then
      return k, count
    else
      local test = TESTS[code] or error(("no instruction 0x%x"):format(code))
      at = at + (test(accumulator, k) and jt or jf)
    end
  end
  error("the filter does not end")
end

local RESULTS <const> = {
  [0x7fff0000] = "allow", [0x7ffc0000] = "log", [0x80000000] = "kill", [0x00000000] = "kill_thread",
  [0x00030000] = "trap", [0x7fc00000] = "notify",
}

--- The same in words: "allow", "kill", "errno 1".
function bpf.verdict(program, call)
  local value, count = bpf.run(program, call)
  if value >> 16 == 5 then return "errno " .. (value & 0xffff), count end
  if value >> 16 == 0x7ff0 then return "trace " .. (value & 0xffff), count end
  return RESULTS[value] or ("0x%x"):format(value), count
end

return bpf
