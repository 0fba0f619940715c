-- docs.lua [--check]: writes docs/recipes.md and lua/luactr/types.lua from the schema,
-- docs/errors.md from the rows of causes, and docs/oci.md from those of config.json
--
-- Run in the root of the checkout, after a build. With --check it only tells which file is out of
-- date. Loaded by a spec it returns the files' texts by name.
package.path = "lua/?.lua;lua/?/init.lua;" .. package.path
package.cpath = (os.getenv("LUACTR_BUILD") or "build") .. "/lib/?.so;" .. package.cpath

local check = require "luactr.check"
local spec = require "luactr.spec"
local steps = require "luactr.steps"
local units = require "luactr.units"
local values = require "luactr.spec.values"

local TEMPLATES <const> = "scripts/docs.d/"

-- ---- words

local function cell(text)
  return (tostring(text or ""):gsub("|", "\\|"))
end

local function code(text)
  return text and "`" .. text .. "`" or ""
end

local FORMATS <const> = {
  size = units.format_size,
  time = function(seconds) return seconds .. "s" end,
  mode = function(mode) return string.format("\"0%o\"", mode) end,
}

local function default_of(row)
  if row.default_text then
    return row.default_text
  elseif row.default == nil or row.required then
    return ""
  elseif type(row.default) ~= "table" then
    local format = FORMATS[row.type.kind]
    return code(format and format(row.default)
      or type(row.default) == "string" and check.show(row.default) or tostring(row.default))
  elseif row.default.kind then -- a stream
    return code(check.show(row.default.kind))
  elseif row.default.uid then
    return code(row.default.uid .. ":" .. row.default.gid)
  end
  return #row.default == 0 and "" or #row.default .. ", see below"
end

local function help_of(row)
  return (row.required and "**needed**; " or row.unsupported and "*later*; " or "") .. row.help
end

-- ---- markdown

local function markdown_table(heads, rows)
  local lines = { "| " .. table.concat(heads, " | ") .. " |", "|" .. ("---|"):rep(#heads) }
  for _, row in ipairs(rows) do
    lines[#lines + 1] = "| " .. table.concat(row, " | ") .. " |"
  end
  return table.concat(lines, "\n")
end

local function fields_table(fields)
  local rows = {}
  for i, row in ipairs(fields) do
    local type_words = row.unsupported and "" or check.describe(row.type)
    rows[i] = { code(row.name), cell(type_words), cell(default_of(row)), cell(code(row.oci)),
      cell(help_of(row)) }
  end
  return markdown_table({ "field", "type", "default", "OCI", "what" }, rows)
end

local function record_table(fields)
  local rows = {}
  for i, row in ipairs(fields) do
    rows[i] = { code(row.name), cell(check.describe(row.type)), cell(default_of(row)),
      cell(help_of(row)) }
  end
  return markdown_table({ "field", "type", "default", "what" }, rows)
end

local NAMESPACES <const> = {
  { "mount", "file systems; always new" }, { "pid", "process numbers" },
  { "uts", "host and domain name" }, { "ipc", "System V IPC, message queues" },
  { "network", "interfaces, addresses, ports; also said by `network`" },
  { "cgroup", "the root of the cgroup tree" }, { "user", "users, groups, capabilities" },
  { "time", "monotonic and boot clock, also said by `clock`" },
}

local function namespaces_table()
  local rows = {}
  for i, row in ipairs(NAMESPACES) do
    rows[i] = { code(row[1]), code(check.show(values.namespace_defaults[row[1]])), row[2] }
  end
  return markdown_table({ "kind", "default", "what is its own" }, rows)
end

local function code_list(texts)
  return "`" .. table.concat(texts, "`, `") .. "`"
end

local function for_each_step(visit)
  for _, kind in ipairs(require("luactr.core").plan.steps) do
    if steps.may_place(kind.name) then
      visit(kind)
    end
  end
end

local function step_list()
  local lines = {}
  for_each_step(function(kind)
    local names = {}
    for i, argument in ipairs(kind.args) do
      names[i] = argument.name .. (argument.type:find("%u") and "?" or "")
    end
    lines[#lines + 1] = string.format("- `p:%s(%s)`", kind.name, table.concat(names, ", "))
  end)
  return table.concat(lines, "\n")
end

local function read(path)
  local file <close> = assert(io.open(path))
  return file:read("a")
end

local function recipes_page()
  local limits = spec.field("limits").type.fields
  local parts = {
    fields = fields_table(spec.fields), limits = record_table(limits),
    io = record_table(spec.field("limits.io").type.fields),
    mounts = record_table(spec.field("mounts").type.of.fields),
    namespaces = namespaces_table(), steps = step_list(),
    capabilities = code_list(values.default_capabilities),
    landlock = record_table(require("luactr.spec.landlock").fields),
    log = record_table(require("luactr.spec.log").fields),
    pod = record_table(require("luactr.spec.pod").fields),
    health = record_table(require("luactr.spec.health").fields),
    scope = record_table(require("luactr.spec.scope").fields),
    on = record_table(require("luactr.spec.on").fields),
    hooks = record_table(require("luactr.spec.hooks").fields),
    hook = record_table(require("luactr.spec.hooks").hook_fields),
    pressure = record_table(require("luactr.spec.on").pressure_fields),
    masked = code_list(values.masked_paths), readonly = code_list(values.readonly_paths),
  }
  return (read(TEMPLATES .. "recipes.md"):gsub("@(%l+)@", parts))
end

-- ---- causes of errors

-- In the order of the page: heading, file in luactr.cause, the operation that the rows are for.
local CAUSES <const> = {
  { "The program", "exec", "exec" }, { "The working directory", "exec", "chdir" },
  { "The root", "mount", "root_bind" }, { "Mounts", "mount", "mount" },
  { "Many layers", "mount", "fsmount" },
  { "A tmpfs that copies", "mount", "tmpcopyup" }, { "Binds", "mount", "bind" },
  { "Unmounting", "mount", "unmount" }, { "Early sources", "mount", "open_tree" },
  { "Files and directories", "mount", "file" }, { "Links", "mount", "symlink" },
  { "Device nodes", "mount", "mknod" }, { "The terminal", "mount", "console" },
  { "Namespaces", "process", "clone" }, { "Resource limits", "process", "setrlimit" },
  { "Capabilities", "process", "capset" }, { "Users", "process", "setresuid" },
  { "Groups", "process", "setgroups" }, { "The system call filter", "process", "seccomp" },
  { "Landlock's rules", "landlock", "landlock_path" },
  { "Landlock", "landlock", "landlock_restrict_self" },
  { "Kernel parameters", "process", "sysctl" }, { "Files of luactr", "process", "open" },
  { "Anything", "process", "*" },
}

local function codes_of(row)
  local codes = type(row.code) == "table" and row.code or { row.code }
  return codes[1] == "*" and "any" or table.concat(codes, ", ")
end

local function filled_in(template)
  return (cell(template):gsub("{(%w+)}", "*%1*"))
end

local function causes_tables()
  local parts, told = {}, {}
  for _, entry in ipairs(CAUSES) do
    local rows = {}
    for _, row in ipairs(require("luactr.cause." .. entry[2])[entry[3]]) do
      if not told[row] then -- those about a path are shared by several operations
        told[row] = true
        rows[#rows + 1] = { codes_of(row) .. (row.guess and " ?" or ""), filled_in(row.cause),
          filled_in(row.remedy) }
      end
    end
    parts[#parts + 1] = "### " .. entry[1] .. "\n\n"
      .. markdown_table({ "errno", "cause", "try" }, rows)
  end
  return table.concat(parts, "\n\n")
end

local function errors_page()
  return (read(TEMPLATES .. "errors.md"):gsub("@(%l+)@", { causes = causes_tables() }))
end

-- ---- OCI's config.json

local SEEN <const> = dofile(TEMPLATES .. "oci_seen.lua")

--- Call visit(path, row) for each row, and those in the objects that it is made of.
local function each_row(rows, prefix, visit)
  for _, row in ipairs(rows) do
    local path, type = prefix .. row.name, row.type
    visit(path, row)
    if type.kind == "list" then
      path, type = path .. "[]", type.of
    elseif type.kind == "map" then
      path, type = path .. ".*any*", type.of
    end
    local fields = type.fields
      or path == "linux.seccomp" and require("luactr.spec.seccomp.oci").fields
    if fields then
      each_row(fields, path .. ".", visit)
    end
  end
end

local function resources_rows()
  local list, known = {}, {}
  for _, row in ipairs(require("luactr.oci.rows.resources").rows) do
    if row.type and not known[row.path] then
      known[row.path] = true
      list[#list + 1] = { name = row.path, type = row.type,
        field = row.field and "limits." .. row.field, why = "as the kernel has it by itself" }
    end
  end
  return list
end

local function each_config_row(visit)
  for _, section in ipairs { 3, 2, 1 } do
    section = require("luactr.oci.config").sections[section]
    each_row(section.rows, section.name == "" and "" or section.name .. ".", visit)
  end
  each_row(resources_rows(), "linux.resources.", visit)
end

--- The spec that sees what is at a path.
local function seen_in(path)
  while path do
    if SEEN[path] then
      return SEEN[path]
    end
    path = path:match("^(.*)%[%]$") or path:match("^(.*)%.[^.]*$")
  end
end

-- What a row of an object inside another has its field from.
local function field_of(path, row, fields)
  local field = row.field or fields[path:match("^(.*)%.[^.]*$"):gsub("%[%]$", "")
    :gsub("%.%*any%*$", "")]
  fields[path] = field
  return field
end

local function answer(path, row, fields)
  if row.ignored then
    return row.ignored
  elseif row.refused then
    return "refused: " .. row.refused
  elseif not path:find(".", 1, true) and not row.field then
    return "checked"
  end
  local field = field_of(path .. (path:find("%.") and "" or "."), row, fields)
  local known = field and spec.field(field:match("^[%w_]+"))
  if field and not known then
    return "refused: not supported yet"
  end
  return field and code(field) or row.why or ""
end

local function config_table()
  local rows, fields = {}, {}
  each_config_row(function(path, row)
    local spec_file = seen_in(path)
    local what = answer(path, row, fields)
    local is_seen = spec_file and not row.ignored and not what:find("^refused: not")
    rows[#rows + 1] = { (code(path):gsub("%*any%*", "ANY")), cell(what),
      is_seen and "[" .. spec_file[1]:match("([%w_]+)_spec") .. "](../" .. spec_file[1] .. ")"
        or "" }
  end)
  return markdown_table({ "config.json", "recipe", "seen in" }, rows)
end

local function oci_page()
  return (read(TEMPLATES .. "oci.md"):gsub("@(%l+)@", { fields = config_table() }))
end

-- ---- annotations for the Lua language server

local LUALS <const> = {
  string = "string", integer = "integer", number = "number", boolean = "boolean",
  size = "string|integer", time = "string|number", mode = "string|integer", cpu = "number|string",
  data = "table", ["function"] = "fun(p: luactr.steps)",
}

-- What a custom type's function accepts. ORDER CUSTOM: the types of kind "custom" in luactr.spec.
local CUSTOM <const> = {
  env = "table<string, string|number|boolean>|string[]",
  namespaces = "table<string, string|integer|luactr.fd>|string[]|\"all\"",
  network = "\"none\"|\"host\"",
  user = "integer|string|{ uid: integer, gid: integer }",
  hostname = "string|false",
  idmap = "\"auto\"|\"single\"|\"range\"|{ uid: table[], gid?: table[] }",
  groups = "(integer|string)[]|\"keep\"",
  capabilities = "string[]|\"none\"|\"all\"|{ add?: string[], drop?: string[] }|" ..
    "table<string, string[]>",
  rlimits = "table<string, integer|string|{ soft?: integer|string, hard: integer|string }>",
  sysctl = "table<string, string|integer|boolean>",
  personality = "string|string[]",
  quota = "string|integer|{ size?: string|integer, inodes?: integer }",
  landlock = "luactr.landlock",
  seccomp = "\"default\"|\"strict\"|\"unconfined\"|luactr.profile|table",
  share = "string",
  clock = "{ monotonic?: string|number, boottime?: string|number }",
  securebits = "string[]",
  scheduler = "string|{ policy: string, nice?: integer, priority?: integer, flags?: string[], " ..
    "runtime?: string|number, deadline?: string|number, period?: string|number }",
  io_priority = "string|{ class: string, priority?: integer }",
  cpu_affinity = "string|integer[]|{ initial?: string|integer[], final?: string|integer[] }",
  exec_cpu_affinity = "string|integer[]|{ initial?: string|integer[], final?: string|integer[] }",
  memory_policy = "string|{ mode: string, nodes?: string|integer[], flags?: string[] }",
  stop_signal = "string|integer",
  on = "luactr.on",
  hooks = "luactr.hooks",
  create_container = "luactr.hook", start_container = "luactr.hook",
  prestart = "luactr.hook|function", create_runtime = "luactr.hook|function",
  poststart = "luactr.hook|function", poststop = "luactr.hook|function",
  health = "luactr.health_spec",
  cgroup = "string",
  resctrl = "{ group?: string, l3?: string, bandwidth?: string, schemata?: string[], " ..
    "monitoring?: boolean }",
  scope = "true|luactr.scope_spec",
  net_devices = "table<string|integer, string|boolean|{ name?: string }>",
  pressure = "function|{ call: function, memory?: string|number, cpu?: string|number, " ..
    "io?: string|number, window?: string|number, full?: boolean, level?: string, " ..
    "optional?: boolean }",
  log = "{ size?: integer|string, files?: integer }",
  restart = '"no"|"on-failure"|"always"|string',
}

local luals

local function alternatives(t, name)
  local list, seen = {}, {}
  for _, alternative in ipairs(t.of) do
    local words = luals(alternative, name)
    if not seen[words] then
      seen[words] = true
      list[#list + 1] = words
    end
  end
  return table.concat(list, "|")
end

local function inline_record(t, name)
  local list = {}
  for i, row in ipairs(t.fields) do
    list[i] = row.name .. (row.required and ": " or "?: ") .. luals(row.type, name)
  end
  return "{ " .. table.concat(list, ", ") .. " }"
end

function luals(t, name)
  if t.kind == "custom" then
    return assert(CUSTOM[name], "no annotation for the custom type of " .. name)
  elseif t.kind == "enum" then
    local list = {}
    for i, value in ipairs(t.values) do
      list[i] = check.show(value)
    end
    return table.concat(list, "|")
  elseif t.kind == "list" then
    local words = luals(t.of, name)
    return words:find("|", 1, true) and "(" .. words .. ")[]" or words .. "[]"
  elseif t.kind == "map" then
    return string.format("table<%s, %s>", luals(t.key, name), luals(t.of, name))
  elseif t.kind == "union" then
    return alternatives(t, name)
  elseif t.kind == "opaque" then
    return t.class == "FILE*" and "file*" or t.class
  elseif t.kind == "record" then
    return inline_record(t, name)
  end
  local words = assert(LUALS[t.kind], t.kind)
  return t.unlimited and not words:find("string", 1, true) and words .. "|string" or words
end

local function class_lines(lines, class, fields)
  lines[#lines + 1] = "\n---@class " .. class
  for _, row in ipairs(fields) do
    if not row.unsupported then
      local words = row.class or luals(row.type, row.name)
      lines[#lines + 1] = string.format("---@field %s%s %s %s", row.name,
        row.required and "" or "?", words, row.help)
    end
  end
end

local function with_class(fields, name, class)
  local result = {}
  for i, row in ipairs(fields) do
    result[i] = row.name == name and setmetatable({ class = class }, { __index = row }) or row
  end
  return result
end

local ARGUMENTS <const> = {
  s = "string", p = "string", u = "integer|boolean", i = "integer", d = "integer", b = "string",
  v = "string[]", n = "integer[]",
}

local function step_class(lines)
  lines[#lines + 1] = "\n--- The `p` of `steps = function(p) ... end`.\n---@class luactr.steps"
  for_each_step(function(kind)
    local list = { "self" }
    for _, argument in ipairs(kind.args) do
      local mode = argument.name == "mode" and kind.name ~= "mknod"
      list[#list + 1] = string.format("%s%s: %s", argument.name,
        argument.type:find("%u") and "?" or "",
        mode and LUALS.mode or ARGUMENTS[argument.type:lower()])
    end
    lines[#lines + 1] = string.format("---@field %s fun(%s): luactr.steps", kind.name,
      table.concat(list, ", "))
  end)
end

local function annotations()
  local lines = { "---@meta luactr.types\n-- Written by scripts/docs.lua from the schema." }
  local limits = spec.field("limits").type.fields
  class_lines(lines, "luactr.limits", limits)
  class_lines(lines, "luactr.mount", spec.field("mounts").type.of.fields)
  class_lines(lines, "luactr.health_spec", require("luactr.spec.health").fields)
  class_lines(lines, "luactr.scope_spec", require("luactr.spec.scope").fields)
  class_lines(lines, "luactr.on", require("luactr.spec.on").fields)
  class_lines(lines, "luactr.hook", require("luactr.spec.hooks").hook_fields)
  class_lines(lines, "luactr.hooks", require("luactr.spec.hooks").fields)
  class_lines(lines, "luactr.landlock", require("luactr.spec.landlock").fields)
  local fields = with_class(spec.fields, "limits", "luactr.limits")
  fields = with_class(fields, "mounts", "luactr.mount[]")
  class_lines(lines, "luactr.container_spec", fields)
  class_lines(lines, "luactr.pod_spec",
    with_class(require("luactr.spec.pod").fields, "limits", "luactr.limits"))
  lines[#lines + 1] = "---@field [integer] luactr.container|luactr.container_spec its members"
  class_lines(lines, "luactr.command_spec",
    with_class(require("luactr.spec.exec").fields(), "limits", "luactr.limits"))
  step_class(lines)
  return table.concat(lines, "\n") .. "\n"
end

-- ---- main

local files = {
  ["docs/recipes.md"] = recipes_page(), ["docs/errors.md"] = errors_page(),
  ["docs/oci.md"] = oci_page(), ["lua/luactr/types.lua"] = annotations(),
}

if not (arg and arg[0] and arg[0]:find("docs%.lua$")) then
  return files
end

local status = 0
for path, text in pairs(files) do
  local file = io.open(path)
  local old = file and file:read("a")
  if file then
    file:close()
  end
  if old ~= text and arg[1] == "--check" then
    io.stderr:write(path, " is out of date: lua5.4 scripts/docs.lua\n")
    status = 1
  elseif old ~= text then
    local out <close> = assert(io.open(path, "w"))
    out:write(text)
  end
end
os.exit(status, true)
