--- What the dynamic loader would read from an ELF file, found without running it. Pure.
local M = {}

--- Facts of an ELF file that decide what it needs to run.
---@class luactr.elf
---@field class 32|64
---@field little boolean byte order
---@field machine integer e_machine
---@field interpreter string? PT_INTERP: the loader; nil for static programs and libraries
---@field needed string[] DT_NEEDED, in order
---@field rpath string? DT_RPATH, unexpanded
---@field runpath string? DT_RUNPATH, unexpanded
---@field soname string?
---@field nodeflib boolean linked with -z nodeflib: no cache, no default directories

local PT_LOAD <const>, PT_DYNAMIC <const>, PT_INTERP <const> = 1, 2, 3
local DT_NULL <const>, DT_NEEDED <const>, DT_STRTAB <const>, DT_SONAME <const> = 0, 1, 5, 14
local DT_RPATH <const>, DT_RUNPATH <const>, DT_FLAGS_1 <const> = 15, 29, 0x6ffffffb
local DF_1_NODEFLIB <const> = 0x800
local MAX_STRING <const> = 4096 -- PATH_MAX: the kernel refuses longer interpreters as well
local MAX_DYNAMIC <const> = 1 << 20

-- e_machine of what Debian and its neighbours ship, for messages.
local MACHINES <const> = {
  [3] = "i386", [8] = "mips", [20] = "powerpc", [21] = "powerpc64", [22] = "s390x", [40] = "arm",
  [62] = "x86-64", [183] = "aarch64", [243] = "riscv", [258] = "loongarch",
}

-- Where the fields are, by class: the header after e_ident, a program header, an entry of .dynamic.
local LAYOUTS <const> = {
  [32] = {
    header = "I2I2I4I4I4I4I4I2I2I2",
    segment = "I4I4I4I4I4I4I4I4",
    dynamic = "I4I4",
    fields = function(type, offset, vaddr, _, filesz) return type, offset, vaddr, filesz end,
  },
  [64] = {
    header = "I2I2I4i8i8i8I4I2I2I2",
    segment = "I4I4i8i8i8i8i8i8",
    dynamic = "i8i8",
    fields = function(type, _, offset, vaddr, _, filesz) return type, offset, vaddr, filesz end,
  },
}

-- The string at `offset` up to its NUL, or nil when there is none within MAX_STRING bytes.
local function read_string(read, offset, limit)
  local bytes = read(offset, limit or MAX_STRING)
  return bytes and bytes:match("^([^\0]*)\0")
end

local function read_segments(read, layout, order, elf)
  local format = order .. layout.header
  local header = read(16, string.packsize(format))
  if not header or #header < string.packsize(format) then
    return nil, "the ELF header is cut off"
  end
  local _, machine, _, _, phoff, _, _, _, phentsize, phnum = string.unpack(format, header)
  elf.machine = machine
  local size = string.packsize(order .. layout.segment)
  if phnum > 0 and phentsize ~= size then return nil, "the program headers have a strange size" end
  local table_bytes = phnum == 0 and "" or read(phoff, phnum * size)
  if not table_bytes or #table_bytes < phnum * size then
    return nil, "the program headers are cut off"
  end
  local segments = {}
  for i = 1, phnum do
    local type, offset, vaddr, filesz =
      layout.fields(string.unpack(order .. layout.segment, table_bytes, (i - 1) * size + 1))
    segments[i] = { type = type, offset = offset, vaddr = vaddr, filesz = filesz }
  end
  return segments
end

local function first_segment(segments, type)
  for _, segment in ipairs(segments) do
    if segment.type == type then return segment end
  end
end

-- .dynamic names its string table by address; the segment that holds it tells the offset.
local function file_offset(segments, address)
  for _, s in ipairs(segments) do
    if s.type == PT_LOAD and address >= s.vaddr and address < s.vaddr + s.filesz then
      return address - s.vaddr + s.offset
    end
  end
end

-- Entries of .dynamic as tag, value up to DT_NULL.
local function dynamic_entries(bytes, format)
  local position, size = 1, string.packsize(format)
  return function()
    if position + size - 1 > #bytes then return nil end
    local tag, value
    tag, value, position = string.unpack(format, bytes, position)
    if tag ~= DT_NULL then return tag, value end
  end
end

local STRING_TAGS <const> =
  { [DT_RPATH] = "rpath", [DT_RUNPATH] = "runpath", [DT_SONAME] = "soname" }

local function read_dynamic(read, segments, format, elf)
  local segment = first_segment(segments, PT_DYNAMIC)
  if not segment then return true end
  local bytes = segment.filesz <= MAX_DYNAMIC and read(segment.offset, segment.filesz)
  if not bytes then return nil, "the dynamic section is cut off" end
  local values, strings = {}, nil
  for tag, value in dynamic_entries(bytes, format) do
    if tag == DT_STRTAB then
      strings = file_offset(segments, value)
    elseif tag == DT_FLAGS_1 then
      elf.nodeflib = value & DF_1_NODEFLIB ~= 0
    elseif tag == DT_NEEDED or STRING_TAGS[tag] then
      values[#values + 1] = { tag = tag, offset = value }
    end
  end
  for _, value in ipairs(values) do
    local text = strings and read_string(read, strings + value.offset)
    if not text then return nil, "the dynamic section names a string that is not there" end
    if value.tag == DT_NEEDED then
      elf.needed[#elf.needed + 1] = text
    else
      elf[STRING_TAGS[value.tag]] = text
    end
  end
  return true
end

local function read_interpreter(read, segments, elf)
  local segment = first_segment(segments, PT_INTERP)
  if not segment then return true end
  local size = segment.filesz
  elf.interpreter = size <= MAX_STRING and read_string(read, segment.offset, size)
  if not elf.interpreter then return nil, "the name of its loader is cut off" end
  return true
end

--- Parse an ELF file.
---@param read fun(offset: integer, size: integer): string? bytes; fewer at the end, nil behind it
---@return luactr.elf? elf nil when it is no ELF file or a broken one
---@return string? reason
function M.parse(read)
  local ident = read(0, 16)
  if not ident or #ident < 16 or ident:sub(1, 4) ~= "\127ELF" then return nil, "not an ELF file" end
  local class = ({ 32, 64 })[ident:byte(5)]
  local order = ({ "<", ">" })[ident:byte(6)]
  if not class or not order then return nil, "an ELF file of unknown class or byte order" end
  local layout = LAYOUTS[class]
  local elf = { class = class, little = order == "<", needed = {}, nodeflib = false }
  local segments, reason = read_segments(read, layout, order, elf)
  local ok = segments
  if ok then ok, reason = read_interpreter(read, segments, elf) end
  if ok then ok, reason = read_dynamic(read, segments, order .. layout.dynamic, elf) end
  if not ok then return nil, reason end
  return elf
end

--- The machine in words: "x86-64", "32-bit arm, big endian".
function M.machine_name(elf)
  local name = MACHINES[elf.machine] or ("machine " .. elf.machine)
  if elf.class == 32 and elf.machine ~= 3 then name = "32-bit " .. name end
  return elf.little and name or name .. ", big endian"
end

-- 32-bit machines whose programs a 64-bit kernel of the key also runs.
local COMPATIBLE <const> = { [62] = 3, [183] = 40 }

--- Can a host whose own programs look like `host` run this one without an emulator?
function M.runs_on(elf, host)
  if elf.little ~= host.little then return false end
  return elf.machine == host.machine or elf.machine == COMPATIBLE[host.machine]
end

--- Can a program load this library into itself?
function M.same_abi(a, b)
  return a.class == b.class and a.little == b.little and a.machine == b.machine
end

return M
