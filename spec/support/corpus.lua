-- Plans to begin with for fuzzers: those of the recipes in spec/corpus/plan, and random ones.

local lfs = require("lfs")
local core = require("luactr.core")

local corpus = {}

local DIRECTORY <const> = "spec/corpus/plan"
local random = math.random

-- ---- of recipes

-- This host, but for what another would answer otherwise.
local function facts()
  return setmetatable({
    uid = 0, gid = 0, privileged = true, capabilities = -1, last_cap = 40, terminal = false,
    window = { rows = 24, columns = 80 }, environment = {}, cwd = "/", initramfs = false,
    landlock = { abi = 7 }, cgroup = { kind = "v2", controllers = {} },
  }, { __index = require("luactr.host").facts() })
end

--- The plans of the recipes: lists of { name, steps, slots }.
function corpus.plans()
  local list = {}
  for name in lfs.dir(DIRECTORY) do
    if name:find("%.lua$") then
      local fields = dofile(DIRECTORY .. "/" .. name)
      fields.rootfs, fields.command = fields.rootfs or "/srv", { "sh", "-c", "exit" }
      local checked = assert(require("luactr.spec").check(fields))
      local plan = assert(require("luactr.plan").compile(checked, facts()))
      list[#list + 1] = { name = name, steps = plan.steps, slots = plan.slots }
    end
  end
  return list
end

-- ---- at random

corpus.slots = { "stdin", "stdout", "cgroup:/sys/fs/cgroup" }

local function pick(list)
  return list[random(#list)]
end

local function text()
  local length = pick { 0, 1, random(40), random(5000), 4095, 4096, random(200000) }
  return (pick { "a", "/", "../", "\0", "\xff", "x." }):rep(length):sub(1, length)
end

corpus.text = text

local INTERESTING <const> = { 0, 1, -1, 1023, 1024, 1 << 31, (1 << 32) - 1, 1 << 32,
  math.mininteger, math.maxinteger }

local function number()
  return random(3) == 1 and random(0) or pick(INTERESTING)
end

local function list_of(value)
  local made = {}
  for i = 1, pick { 0, 1, random(8), random(300) } do made[i] = value() end
  if random(20) == 1 then made[random(10)] = pick { {}, false, 1.5, "x" } end
  return made
end

-- A value that is right for the type, most of the time.
local GOOD <const> = {
  s = text, S = text, p = function() return "/" .. text() end, b = text,
  u = function() return random(0, (1 << 32) - 1) end, U = number, i = number,
  d = function() return random(0, 1023) end,
  v = function() return list_of(function() return (text():gsub("%z", "")) end) end,
  n = function() return list_of(function() return random(0, (1 << 32) - 1) end) end,
  f = function() return pick(corpus.slots) end, F = function() return pick(corpus.slots) end,
}

local function anything()
  return pick { text, number, function() return nil end, function() return {} end,
    function() return 1.5 end, function() return 0 / 0 end, function() return print end,
    function() return true end, function() return list_of(text) end,
    function() return list_of(number) end }()
end

local function random_step()
  if random(200) == 1 then return anything() or false end
  local kind = pick(core.plan.steps)
  local made = { op = random(200) == 1 and text() or kind.name }
  for _, arg in ipairs(kind.args) do
    if random(50) == 1 then
      made[arg.name] = anything()
    else
      made[arg.name] = GOOD[arg.type]()
    end
  end
  return made
end

--- A list of steps for `corpus.slots`; some of them cannot be encoded.
function corpus.random_steps()
  local steps = {}
  for i = 1, random(0, 12) do steps[i] = random_step() end
  return steps
end

--- Bytes with some of them changed.
function corpus.mutate(bytes)
  local parts = bytes
  for _ = 1, random(4) do
    local at = random(#parts)
    parts = parts:sub(1, at - 1) .. string.char(random(0, 255)) .. parts:sub(at + 1)
  end
  if random(8) == 1 then parts = parts:sub(1, random(#parts)) end
  return parts
end

return corpus
