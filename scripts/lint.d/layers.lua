-- The direction of dependencies, as tables. `lua5.4 layers.lua BUILD FILE...` in the root of the
-- checkout prints each break of it and fails if there is one.

---- C: who may include what. The first row whose pattern fits a file decides.

local OWN <const> = { kernel = "^kernel/", plan = "^plan%.h$", init = "^init/", core = "^core/",
  monitor = "^monitor/" }

local C_RULES <const> = {
  { files = "^csrc/kernel/", quoted = { OWN.kernel }, lua = false,
    why = "kernel/ knows nothing of ours" },
  { files = "^csrc/plan%.h$", quoted = {}, lua = false, why = "the wire format stands alone" },
  { files = "^csrc/init/", quoted = { OWN.kernel, OWN.plan, OWN.init }, lua = false,
    why = "the init knows kernel/ and plan.h only" },
  { files = "^csrc/core/", quoted = { OWN.kernel, OWN.plan, OWN.core }, lua = false,
    why = "core/ knows no Lua" },
  { files = "^csrc/monitor/", quoted = { OWN.kernel, OWN.plan, OWN.core, OWN.monitor }, lua = false,
    why = "the monitor knows core/ and no Lua" },
  { files = "^csrc/lua/", quoted = { OWN.kernel, OWN.plan, OWN.core, "^lua/" }, lua = true,
    why = "lua/ uses core/, not the init" },
  { files = "^csrc/[%w_]+%.[ch]$", quoted = { "^embedded%.inc$", "^heap%.h$" }, lua = true,
    why = "the executable knows only Lua" },
}

---- Lua: the layers, and which layers each may require. A module belongs to the first row that
---- fits. `pure` files compute: they never touch the system themselves.

local LAYERS <const> = {
  { name = "core", modules = { "luactr.core" }, uses = {} },
  { name = "base", uses = { "core", "base" }, pure = true,
    modules = { "luactr.error", "luactr.json", "luactr.nearest", "luactr.units", "luactr.check",
      "luactr.check.*" } },
  { name = "files", modules = { "luactr.files.*" }, uses = { "core", "base", "sys" } },
  { name = "sys", modules = { "luactr.sys", "luactr.sys.*" }, uses = { "core", "base", "sys" } },
  { name = "spec", uses = { "core", "base", "spec", "rootfs", "mount" }, pure = true,
    modules = { "luactr.spec", "luactr.spec.*", "luactr.steps", "luactr.namespaces",
      "luactr.namespaces.*",
      "luactr.idmap", "luactr.types" } },
  { name = "plan", pure = true, modules = { "luactr.plan", "luactr.explain", "luactr.explain.*" },
    uses = { "core", "base", "spec", "cgroup", "rootfs", "mount", "network", "security", "oci" } },
  { name = "host", modules = { "luactr.host", "luactr.lsm", "luactr.source", "luactr.account",
      "luactr.account.*", "luactr.idmap.*", "luactr.program", "luactr.raised" },
    uses = { "core", "base", "sys", "spec", "cgroup" } },
  -- contributors: none requires another
  { name = "rootfs", modules = { "luactr.rootfs", "luactr.rootfs.*" }, -- an image is a root
    uses = { "core", "base", "sys", "files", "spec", "host", "image", "documents of images" } },
  { name = "mount", modules = { "luactr.mount", "luactr.mount.*" } },
  { name = "cgroup", modules = { "luactr.cgroup", "luactr.cgroup.*", "luactr.resctrl" } },
  { name = "recipes of images", pure = true, uses = { "base", "recipes of images" },
    modules = { "luactr.image.dockerfile", "luactr.image.dockerfile.*", "luactr.image.ignore",
      "luactr.image.pattern" } },
  { name = "documents of images", pure = true, uses = { "base", "documents of images" },
    modules = { "luactr.image.reference", "luactr.image.json", "luactr.image.limits",
      "luactr.image.known",
      "luactr.image.document", "luactr.image.document.*" } },
  { name = "image builds", uses = "all but cli",
    modules = { "luactr.image", "luactr.image.build", "luactr.image.build.*" } },
  { name = "image", modules = { "luactr.image.*" },
    uses = { "core", "base", "sys", "files", "spec", "host", "documents of images",
      "recipes of images" } },
  { name = "network", modules = { "luactr.network", "luactr.network.*" } },
  { name = "security", modules = { "luactr.security", "luactr.security.*" } },
  { name = "documents of OCI", pure = true,
    uses = { "core", "base", "spec", "cgroup", "rootfs", "mount", "security",
      "documents of images",
      "documents of OCI" },
    modules = { "luactr.oci.json", "luactr.oci.types", "luactr.oci.config", "luactr.oci.rows.*",
      "luactr.oci.back", "luactr.oci.back.*",
      "luactr.oci.resources" } },
  { name = "oci", modules = { "luactr.oci", "luactr.oci.*" }, uses = "all but cli" },
  { name = "container", modules = { "luactr.container", "luactr.container.*", "luactr.state",
      "luactr.state.*",
      "luactr.result", "luactr.supervise", "luactr.terminal", "luactr.cause", "luactr.cause.*",
      "luactr.resources", "luactr.trace", "luactr.launch", "luactr.launch.*",
      "luactr.forward",
      "luactr.poll", "luactr.health", "luactr.loop", "luactr.loop.*",
      "luactr.pod", "luactr.pod.*",
      "luactr.update", "luactr.processes", "luactr.notify", "luactr.notify.*" },
    uses = "all but cli" },
  { name = "facade", modules = { "luactr" }, uses = "all but cli" },
  { name = "cli", modules = { "luactr.cli", "luactr.cli.*" }, uses = "all" },
}

-- What a contributor may require, besides the files of its own concern.
local CONTRIBUTOR_USES <const> = { "core", "base", "sys", "files", "spec", "host" }

local NOT_WHEN_PURE <const> = { "%f[%w_]io%.%w", "%f[%w_]os%.%w" }

---- checking

local problems = {}

local function complain(file, line, text, ...)
  problems[#problems + 1] = ("%s:%d: %s"):format(file, line, text:format(...))
end

local function lines_of(path)
  local lines = {}
  for line in io.lines(path) do lines[#lines + 1] = line end
  return lines
end

local function fits_any(text, patterns)
  for _, pattern in ipairs(patterns) do
    if text:find(pattern) then return true end
  end
  return false
end

local function c_rule(file)
  for _, rule in ipairs(C_RULES) do
    if file:find(rule.files) then return rule end
  end
end

-- A quoted name without a directory is a file beside the including one.
local function check_include(file, number, quoted, angled, rule)
  if quoted then
    local directory = file:match("^csrc/(.*/)") or ""
    local beside = io.open("csrc/" .. directory .. quoted)
    if beside then beside:close() end
    local path = beside and directory .. quoted or quoted
    if not fits_any(path, rule.quoted) then
      complain(file, number, "includes %s: %s", quoted, rule.why)
    end
  elseif angled and not rule.lua and (angled:find("^lua") or angled == "lauxlib.h") then
    complain(file, number, "includes <%s>: %s", angled, rule.why)
  end
end

local function check_c(file)
  local rule = c_rule(file)
  if not rule then return complain(file, 1, "has no rule (scripts/lint.d/layers.lua)") end
  for number, line in ipairs(lines_of(file)) do
    local quoted = line:match('^%s*#%s*include%s+"([^"]+)"')
    local angled = line:match("^%s*#%s*include%s+<([^>]+)>")
    if quoted or angled then check_include(file, number, quoted, angled, rule) end
  end
end

local function layer_of(module)
  for _, layer in ipairs(LAYERS) do
    for _, name in ipairs(layer.modules) do
      local prefix = name:match("^(.*%.)%*$")
      if module == name or prefix and module:sub(1, #prefix) == prefix then return layer end
    end
  end
end

local function allowed(layer, target)
  if layer.uses == "all" or layer == target then return true end
  if layer.uses == "all but cli" then return target.name ~= "cli" end
  for _, name in ipairs(layer.uses or CONTRIBUTOR_USES) do
    if name == target.name then return true end
  end
  return false
end

local function check_require(file, number, layer, module)
  local target = layer_of(module)
  if not target then
    complain(file, number, "requires %s, which is in no layer (scripts/lint.d/layers.lua)", module)
  elseif not allowed(layer, target) then
    complain(file, number, "%s may not require %s (%s)", layer.name, target.name, module)
  end
end

-- A line without its comment; a "--" inside a string is rare enough.
local function code_of(line)
  return (line:gsub("%-%-.*$", ""))
end

local function check_library(file)
  local module = file:match("^lua/(.*)%.lua$"):gsub("/init$", ""):gsub("/", ".")
  local layer = layer_of(module)
  if not layer then return complain(file, 1, "in no layer (scripts/lint.d/layers.lua)") end
  for number, line in ipairs(lines_of(file)) do
    local code = code_of(line)
    for required in code:gmatch("require%s*%(?%s*[\"'](luactr[%w_.]*)[\"']") do
      check_require(file, number, layer, required)
    end
    if layer.pure and fits_any(code, NOT_WHEN_PURE) then
      complain(file, number, "%s is pure and may not use io or os", layer.name)
    end
  end
end

local function check_recipe(file)
  for number, line in ipairs(lines_of(file)) do
    if line:find("luactr%.core") then complain(file, number, "luactr.core is private to luactr") end
  end
end

---- what only the build shows

-- scripts/lint has left there what readelf and nm say of the init.
local function text_of(path)
  local file <close> = assert(io.open(path))
  return file:read("a")
end

local function check_init(build)
  local program = build .. "/luactr-init"
  if text_of(build .. "/init.headers"):find("INTERP") then
    complain(program, 0, "the init needs a dynamic loader")
  end
  local undefined, defined = {}, {}
  for line in text_of(build .. "/init.symbols"):gmatch("[^\n]+") do
    local kind, name = line:match("(%a) (%S+)$")
    if kind == "U" then undefined[name] = true elseif kind then defined[name] = true end
  end
  for name in pairs(undefined) do
    if not defined[name] then complain(program, 0, "undefined symbol %s", name) end
  end
end

-- core/ could include Lua's headers by mistake only if its compile line had their path.
local function check_compile_lines(build)
  local path = build .. "/compile_commands.json"
  local command
  for number, line in ipairs(lines_of(path)) do
    command = line:match('"command": (.*)') or command
    local file = line:match('"file": ".*/(csrc/core/[^"]+)"')
    if file and command:find("lua5%.4") then
      complain(path, number, "%s is compiled with Lua's include path", file)
    end
  end
end

local CHECKS <const> = {
  { "^csrc/.*%.[ch]$", check_c },
  { "^lua/luactr/.*%.lua$", check_library },
  { "^lua/recipes/.*%.lua$", check_recipe },
}

local build = arg[1]
for i = 2, #arg do
  for _, check in ipairs(CHECKS) do
    if arg[i]:find(check[1]) then check[2](arg[i]) end
  end
end
check_init(build)
check_compile_lines(build)
for _, problem in ipairs(problems) do print(problem) end
os.exit(#problems == 0)
