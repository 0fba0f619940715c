-- Build step: precompile lua/luactr/**.lua and write what csrc/main.c embeds.
--
--   lua5.4 embed.lua SOURCE_ROOT OUTPUT_DIRECTORY FILE...
--
-- embedded.bin is all bytecode end to end; embedded.inc has one row for each module, sorted by
-- name: { "luactr.plan", offset, size }. Line information stays, for tracebacks; the names of local
-- variables and upvalues go, since to read them takes a good part of the time that a start takes.

local source_root, output = arg[1], arg[2]

local function read_all(path)
  local file <close> = assert(io.open(path, "rb"))
  return file:read("a")
end

local function write_all(path, text)
  local file <close> = assert(io.open(path, "wb"))
  assert(file:write(text))
end

-- "luactr/cli/init.lua" is the module "luactr.cli"
local function module_name(relative)
  return (relative:gsub("%.lua$", ""):gsub("/init$", ""):gsub("/", "."))
end

-- ---- bytecode without the names of variables (ldump.c of Lua 5.4 writes what this reads)

local HEADER_SIZE <const> = 32 -- signature, version, formats, check values, number of upvalues
local INSTRUCTION_SIZE <const>, UPVALUE_SIZE <const> = 4, 3
local LAST <const> = 0x80 -- marks the last byte of a number, which has 7 bits in each
local EMPTY_LIST <const> = string.char(LAST)

local function read_number(code, at)
  local number = 0
  while true do
    local byte = code:byte(at)
    number, at = number << 7 | byte & 0x7f, at + 1
    if byte & LAST ~= 0 then
      return number, at
    end
  end
end

-- A string is its length plus one, and its bytes; 0 is no string.
local function skip_string(code, at)
  local size
  size, at = read_number(code, at)
  return at + math.max(size - 1, 0)
end

local function skip_bytes(size)
  return function(_, at) return at + size end
end

local function skip_numbers(code, at)
  local _
  _, at = read_number(code, at)
  _, at = read_number(code, at)
  return at
end

local CONSTANTS <const> = { -- by the tag that stands before each
  [0x00] = skip_bytes(0), [0x01] = skip_bytes(0), [0x11] = skip_bytes(0), -- nil, false, true
  [0x03] = skip_bytes(8), [0x13] = skip_bytes(8), -- integer, float
  [0x04] = skip_string, [0x14] = skip_string, -- short, long
}

local function skip_constant(code, at)
  return CONSTANTS[code:byte(at)](code, at + 1)
end

local function skip_variable(code, at)
  return skip_numbers(code, skip_string(code, at))
end

local function skip_list(code, at, skip)
  local count
  count, at = read_number(code, at)
  for _ = 1, count do
    at = skip(code, at)
  end
  return at
end

-- Append a function's bytes to `out`, without names. Returns where the next one begins.
local function thin_function(code, at, out)
  local start = at
  at = skip_string(code, at) -- source
  at = skip_numbers(code, at) + 3 -- lines; parameters, vararg, stack
  at = skip_list(code, at, skip_bytes(INSTRUCTION_SIZE))
  at = skip_list(code, at, skip_constant)
  at = skip_list(code, at, skip_bytes(UPVALUE_SIZE))
  local count
  count, at = read_number(code, at)
  out[#out + 1] = code:sub(start, at - 1)
  for _ = 1, count do
    at = thin_function(code, at, out)
  end
  start = at
  at = skip_list(code, at, skip_bytes(1)) -- line of each instruction
  at = skip_list(code, at, skip_numbers)
  out[#out + 1] = code:sub(start, at - 1) .. EMPTY_LIST .. EMPTY_LIST
  at = skip_list(code, at, skip_variable)
  return skip_list(code, at, skip_string) -- names of upvalues
end

local function thin(code)
  local out = { code:sub(1, HEADER_SIZE) }
  local last = thin_function(code, HEADER_SIZE + 1, out)
  assert(last == #code + 1, "bytecode of another Lua than 5.4")
  return table.concat(out)
end

local function compile(path, relative)
  local chunk, message = load(read_all(path), "@" .. relative, "t")
  if not chunk then
    io.stderr:write(message, "\n")
    os.exit(1)
  end
  return thin(string.dump(chunk))
end

local modules = {}
for i = 3, #arg do
  local relative = arg[i]:sub(#source_root + 2)
  modules[#modules + 1] = { name = module_name(relative), code = compile(arg[i], relative) }
end
table.sort(modules, function(a, b) return a.name < b.name end)

local rows, blob, offset = {}, {}, 0
for i, module in ipairs(modules) do
  rows[i] = ('{"%s", %d, %d},\n'):format(module.name, offset, #module.code)
  blob[i] = module.code
  offset = offset + #module.code
end

write_all(output .. "/embedded.bin", table.concat(blob))
write_all(output .. "/embedded.inc", table.concat(rows))
