-- config.json at random: whatever a bundle has, nothing raises; what is wrong is said; what is read
-- means the same to both readers; and what is right can be written down again.

local back = require("luactr.oci.back")
local config = require("luactr.oci.config")
local core = require("luactr.core")
local json = require("luactr.oci.json")
local lfs = require("lfs")
local output = require("luactr.cli.output")
local plan = require("luactr.plan")
local spec = require("luactr.spec")
local strict = require("luactr.image.json")
local support = require("support")

local CORPUS <const> = "spec/corpus/oci/"
local CONTEXT <const> = { bundle = "/srv/b", id = "box" }
local random = math.random

local function pick(list)
  return list[random(#list)]
end

local host = setmetatable({ cwd = "/srv/b", environment = {}, terminal = false,
  is_shared = function() return random(2) == 1 end,
  lsm = { apparmor = function() return true end, selinux = function() return true end },
  accounts = function(recipe) return recipe.user, recipe.groups end,
}, { __index = require("luactr.host").facts() })

---- texts

local TOKENS <const> = { "null", "true", "{}", "[]", "-1", "0", "4294967296", "9007199254740993",
  "18446744073709551615", "18446744073709551616", "1e400", "1.5", "-0", '""', '"/"', '"a:b"',
  '"\\u003a"', '"\\u0000"', '"\\ud83d\\ude00"', '"\xff"', '"\xed\xa0\x80"', '"..\\/.."', '"\\n"',
  ("["):rep(70), '{"a":1,"a":2}', ",", ":", "}", "]", "{", '"', "\\", " ", "\0" }

local function cut(text, from, to, between)
  return text:sub(1, from - 1) .. (between or "") .. text:sub(to)
end

local CHANGES <const> = {
  function(text) return cut(text, random(#text), random(#text)) end,
  function(text)
    local at = random(#text)
    return cut(text, at, at + 1, string.char(random(0, 255)))
  end,
  function(text)
    local at = random(#text)
    return cut(text, at, at, pick(TOKENS))
  end,
  function(text) -- a value in place of another
    local starts = {}
    for at in text:gmatch(": ()") do starts[#starts + 1] = at end
    local at = #starts > 0 and pick(starts) or 1
    local stop = text:match("^%b{}()", at) or text:match("^%b[]()", at)
      or text:match("^[^,%]}]*()", at)
    return cut(text, at, stop, pick(TOKENS))
  end,
  function(text) return text:sub(1, random(#text)) end,
}

---- trees

local ODD <const> = { "", "/", "a", "/../..", "host", "mount", "bind", "SCMP_ACT_NOTIFY", "x\ny",
  ("x"):rep(5000), 0, -1, 1, 1.5, 2 ^ 53, 4294967295, math.maxinteger, true, false }

local function containers(value, list)
  list = list or {}
  if type(value) == "table" and not json.wide(value) then
    list[#list + 1] = value
    for _, element in pairs(value) do containers(element, list) end
  end
  return list
end

local function keys_of(value)
  local keys = {}
  for key in pairs(value) do keys[#keys + 1] = key end
  table.sort(keys, function(a, b) return tostring(a) < tostring(b) end)
  return keys
end

local function copy(value)
  if type(value) ~= "table" then return value end
  local result = {}
  for key, element in pairs(value) do result[key] = copy(element) end
  return setmetatable(result, getmetatable(value))
end

local function change_tree(tree)
  local all = containers(tree)
  local one, other = pick(all), pick(all)
  local keys = keys_of(one)
  local key = #keys > 0 and pick(keys) or "x"
  local how = random(5)
  if how == 1 and type(key) == "string" then
    one[key] = nil
  elseif how == 2 then
    one[key] = copy(pick { other, all[1].linux or {}, {} })
  elseif how == 3 and #one > 0 then
    one[#one + 1] = copy(pick(one))
  else
    one[key] = pick(ODD)
  end
end

---- what has to hold

local function same(a, b)
  if type(a) ~= "table" or type(b) ~= "table" then
    return a == b
  elseif json.wide(a) then
    return json.wide(a) == json.wide(b)
  end
  for key, value in pairs(a) do
    if not same(value, b[key]) then return false end
  end
  for key in pairs(b) do
    if a[key] == nil then return false end
  end
  return true
end

local function problem_text(err)
  local text = tostring(err)
  assert(err.code == "ESPEC" and #err.problems > 0 and #text > 10, text)
  assert(not text:find("[%c]", 1) or text:find("\n", 1, true), text)
end

local function to_spec(tree)
  local document, err = config.check(tree)
  if not document then return nil, problem_text(err) end
  local raw, origins = config.recipe(document, CONTEXT)
  if not raw then return nil, problem_text(origins) end
  local checked
  checked, err = spec.check(raw, config.where(CONTEXT, origins))
  if not checked then return nil, problem_text(err) end
  return checked
end

local function use(tree)
  local checked = to_spec(tree)
  if not checked then return false end
  local compiled, err = plan.compile(checked, host)
  if compiled then
    core.plan.encode(compiled.steps, compiled.slots)
  else
    assert(#tostring(err) > 10)
  end
  local document = back.document(checked)
  assert(to_spec(assert(json.decode(output.pretty(document)))), "it cannot be written down")
  return true
end

describe("config.json at random #unit #fuzz", function()
  local texts = {}
  for name in lfs.dir(CORPUS) do
    if name:find("%.json$") then texts[#texts + 1] = support.read(CORPUS .. name) end
  end
  table.sort(texts)

  it("is right as it is in the corpus", function()
    for _, text in ipairs(texts) do to_spec(assert(json.decode(text))) end
    assert.are.equal(3, #texts)
  end)

  it("never raises, and means the same to both readers", function()
    support.fuzz(function()
      local text = pick(texts)
      for _ = 1, random(3) do
        if #text > 0 then text = pick(CHANGES)(text) end
      end
      local tree, problem = json.decode(text)
      if tree then
        -- of numbers the one knows digits, the other a double; control characters are let pass
        local other = strict.decode(text, { unique = true })
        assert(not other or same(tree, other) or text:find(("%d"):rep(16)), text)
        use(tree)
      else
        assert(#problem > 5)
      end
    end)
  end)

  it("has an answer to every change of its values", function()
    local trees, right = {}, 0
    for i, text in ipairs(texts) do trees[i] = assert(json.decode(text)) end
    support.fuzz(function()
      local tree = copy(pick(trees))
      for _ = 1, random(4) do change_tree(tree) end
      right = right + (use(tree) and 1 or 0)
    end)
    assert.is_true(right > 0)
  end)
end)
