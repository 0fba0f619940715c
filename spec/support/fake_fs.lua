-- A host file system made of tables, with the interface of luactr.rootfs.fs, and ELF files for it.
--
--   fake_fs.new { ["/bin"] = { link = "usr/bin" }, ["/usr/bin/tool"] = fake_fs.program { ... } }
--
-- A string is a file's content (mode 0755); parents are directories of mode 0755.
local fake_fs = {}

local ENOENT, ENOTDIR = 2, 20

local function components(path)
  local list = {}
  for name in path:gmatch("[^/]+") do
    if name ~= "." then list[#list + 1] = name end
  end
  return list
end

-- The real path, following the last link or not.
local function resolve(nodes, path, follow, depth)
  local at = ""
  local names = components(path)
  for i, name in ipairs(names) do
    local here = at .. "/" .. name
    local node = nodes[here]
    if name == ".." then
      here = at:match("^(.*)/[^/]*$") or ""
    elseif not node then
      return nil, path .. ": No such file or directory", ENOENT
    elseif node.link and (follow or i < #names) then
      if depth > 40 then return nil, path .. ": Too many levels of symbolic links", 40 end
      local above = node.link:sub(1, 1) == "/" and "" or at .. "/"
      local rest = table.concat(names, "/", i + 1)
      return resolve(nodes, above .. node.link .. "/" .. rest, follow, depth + 1)
    elseif i < #names and node.data then
      return nil, path .. ": Not a directory", ENOTDIR
    end
    at = here
  end
  return at == "" and "/" or at
end

local function stat_of(nodes, path, follow)
  local real, message, errno = resolve(nodes, path, follow, 0)
  if not real then return nil, message, errno end
  local node = nodes[real]
  local type = node.link and "symlink" or node.data and "file" or "directory"
  return {
    type = type, mode = node.mode or 493, dev = 1, ino = node.ino, mtime = node.mtime or 0,
    size = node.data and #node.data or 0,
  }, real
end

function fake_fs.new(files)
  local nodes, count = { ["/"] = { ino = 1 } }, 1
  local function add(path, node)
    count = count + 1
    node.ino = count
    nodes[path] = node
  end
  for path, node in pairs(files) do
    local above = path
    repeat
      above = above:match("^(.*)/[^/]*$")
      if above ~= "" and not nodes[above] and not files[above] then add(above, {}) end
    until above == ""
    add(path, type(node) == "string" and { data = node } or node)
  end
  local fs = { nodes = nodes, reads = 0 }

  function fs.stat(path)
    local stat, message, errno = stat_of(nodes, path, true)
    if not stat then return nil, message, errno end
    return stat
  end
  function fs.lstat(path)
    local stat, message, errno = stat_of(nodes, path, false)
    if not stat then return nil, message, errno end
    return stat
  end
  function fs.readlink(path) return nodes[resolve(nodes, path, false, 0)].link end
  function fs.getcwd() return "/home/user" end
  function fs.list(path)
    local real, names = resolve(nodes, path, true, 0), {}
    for node in pairs(nodes) do
      local above, name = node:match("^(.*)/([^/]+)$")
      if above == real then names[#names + 1] = name end
    end
    return names
  end
  function fs.read(path)
    local real, message, errno = resolve(nodes, path, true, 0)
    if not real then return nil, message, errno end
    return nodes[real].data
  end
  function fs.with_reader(path, use)
    local data, message, errno = fs.read(path)
    if not data then return nil, message, errno end
    fs.reads = fs.reads + 1
    return use(function(offset, size)
      if offset < 0 or size <= 0 or offset >= #data then return nil end
      return data:sub(offset + 1, offset + size)
    end)
  end
  return fs
end

---- ELF files: header, program headers, then interpreter, strings and .dynamic in one segment

local BASE <const> = 0x400000

local FORMATS <const> = {
  [32] = {
    header = "I2I2I4I4I4I4I4I2I2I2I2I2I2", dynamic = "I4I4", header_size = 52, segment_size = 32,
    segment = function(order, type, offset, size)
      return string.pack(order .. "I4I4I4I4I4I4I4I4",
        type, offset, BASE + offset, 0, size, size, 5, 1)
    end,
  },
  [64] = {
    header = "I2I2I4I8I8I8I4I2I2I2I2I2I2", dynamic = "I8I8", header_size = 64, segment_size = 56,
    segment = function(order, type, offset, size)
      return string.pack(order .. "I4I4I8I8I8I8I8I8",
        type, 5, offset, BASE + offset, 0, size, size, 1)
    end,
  },
}

local DT = { needed = 1, strtab = 5, soname = 14, rpath = 15, runpath = 29, flags_1 = 0x6ffffffb }

-- options: class, big, machine, interpreter, needed, rpath, runpath, soname, nodeflib
function fake_fs.elf(options)
  local class = options.class or 64
  local order, format = options.big and ">" or "<", FORMATS[class]
  local strings, tags = "\0", {}
  local function add(tag, text)
    tags[#tags + 1] = { tag, #strings }
    strings = strings .. text .. "\0"
  end
  for _, name in ipairs(options.needed or {}) do add(DT.needed, name) end
  for _, tag in ipairs { "soname", "rpath", "runpath" } do
    if options[tag] then add(DT[tag], options[tag]) end
  end
  local count = options.interpreter and 3 or 2
  local body = format.header_size + count * format.segment_size
  local interpreter = options.interpreter and options.interpreter .. "\0" or ""
  tags[#tags + 1] = { DT.strtab, BASE + body + #interpreter }
  if options.nodeflib then tags[#tags + 1] = { DT.flags_1, 0x800 } end
  tags[#tags + 1] = { 0, 0 }
  local dynamic = ""
  for _, tag in ipairs(tags) do
    dynamic = dynamic .. string.pack(order .. format.dynamic, tag[1], tag[2])
  end
  local size = body + #interpreter + #strings + #dynamic
  local segments = format.segment(order, 1, 0, size)
    .. format.segment(order, 2, size - #dynamic, #dynamic)
  if options.interpreter then
    segments = segments .. format.segment(order, 3, body, #interpreter)
  end
  return "\127ELF" .. string.char(class // 32, options.big and 2 or 1, 1) .. ("\0"):rep(9)
    .. string.pack(order .. format.header, 3, options.machine or 62, 1, 0, format.header_size, 0, 0,
      format.header_size, format.segment_size, count, 0, 0, 0)
    .. segments .. interpreter .. strings .. dynamic
end

fake_fs.LOADER = "/lib64/ld-linux-x86-64.so.2"

-- A dynamically linked program that needs these libraries.
function fake_fs.program(...)
  return fake_fs.elf { interpreter = fake_fs.LOADER, needed = { ... } }
end

function fake_fs.library(name, ...)
  return fake_fs.elf { soname = name, needed = { ... } }
end

-- A merged-/usr host with a loader and libc; `files` are added.
function fake_fs.host(files)
  local all = {
    ["/bin"] = { link = "usr/bin" },
    ["/lib"] = { link = "usr/lib" },
    ["/lib64"] = { link = "usr/lib64" },
    ["/usr/lib64/ld-linux-x86-64.so.2"] = { link = "/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2" },
    ["/usr/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2"] = fake_fs.library("ld-linux-x86-64.so.2"),
    ["/usr/lib/x86_64-linux-gnu/libc.so.6"] = fake_fs.library("libc.so.6", "ld-linux-x86-64.so.2"),
    ["/proc/self/exe"] = fake_fs.program("libc.so.6"),
    ["/usr/bin/sh"] = fake_fs.program("libc.so.6"),
    ["/usr/bin/env"] = fake_fs.program("libc.so.6"),
    ["/tmp"] = { mode = 1023 },
  }
  for path, node in pairs(files or {}) do all[path] = node end
  return fake_fs.new(all)
end

-- An ld.so.cache of { name, path, hwcap = bits } rows, which must be in the cache's order.
function fake_fs.cache(rows)
  local header_size, entry_size = 48, 24
  local strings, entries = "", ""
  local base = header_size + #rows * entry_size
  for _, row in ipairs(rows) do
    local key = base + #strings
    strings = strings .. row[1] .. "\0"
    local value = base + #strings
    strings = strings .. row[2] .. "\0"
    entries = entries .. string.pack("=I4I4I4I4I8", 0x303, key, value, 0, row.hwcap or 0)
  end
  local header = "glibc-ld.so.cache1.1" .. string.pack("=I4I4", #rows, #strings)
  return header .. ("\0"):rep(header_size - #header) .. entries .. strings
end

return fake_fs
