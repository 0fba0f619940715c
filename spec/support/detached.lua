-- Detached containers for specs of verbs: started with a script of sh, removed by close().

local ctr = require("luactr")
local support = require("support")

local Detached = {}
Detached.__index = Detached

local RECIPE <const> = [[
local ctr = require "luactr"
return ctr.container {
  rootfs = ctr.rootfs.%s, stop_timeout = 1, limits = { pids = 40 }, %s
  command = { "sh", "-c", ... },
}
]]

---@param rootfs? string a call of ctr.rootfs
---@param more? string further fields
function Detached.open(rootfs, more)
  local self = setmetatable({ dir = support.tmpdir(), names = {} }, Detached)
  rootfs = rootfs or "host { \"sh\", \"sleep\" }"
  self.recipe = self.dir:write("recipe.lua", RECIPE:format(rootfs, more or ""))
  return self
end

--- luactr with these arguments.
function Detached.luactr(...)
  return support.luactr { ... }
end

--- A name of our own, which close() removes.
function Detached:name(text)
  local name = support.name(text)
  self.names[#self.names + 1] = name
  return name
end

--- The name of a new container.
function Detached:start(script, text)
  local name = self:name(text or "verb")
  local result = self.luactr("run", "-d", "--name", name, self.recipe, script)
  assert(result.code == 0, result.stderr)
  return name
end

function Detached.fails(result, code, text)
  if result.code ~= code or not result.stderr:find(text, 1, true) then
    error(("code %d and %q expected, got %s and %q"):format(code, text, result.code,
      result.stderr), 2)
  end
end

function Detached:close()
  for _, name in ipairs(self.names) do
    local found = ctr.find(name)
    if found then found:remove { force = true } end
  end
  self.dir:close()
end

Detached.__close = Detached.close

return Detached
