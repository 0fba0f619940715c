-- Build step: precompile lua/luactr/**.lua and write what csrc/main.c embeds.
--
--   lua5.4 embed.lua SOURCE_ROOT OUTPUT_DIRECTORY FILE...
--
-- embedded.bin is all bytecode end to end; embedded.inc has one row for each module, sorted by
-- name: { "luactr.plan", offset, size }. Line information stays, for tracebacks.

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

local function compile(path, relative)
  local chunk, message = load(read_all(path), "@" .. relative, "t")
  if not chunk then
    io.stderr:write(message, "\n")
    os.exit(1)
  end
  return string.dump(chunk)
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
