-- Races: a container is started again and again while somebody exchanges two names on its way.
--
--   race.specs { attack = "race-x", racer = { "volume/a", "volume/b" }, fields = ... }
--
-- As in the gallery, a canary has to stay as it is and docs/security.md has a row. A start meets
-- one of the two names, and its script says which with a line "met: ..."; a refused start met
-- something, too. Where all starts met the same, the race was not seen to happen, and the spec is
-- pending. How often it was tried and what was met is kept in the build directory.

local document = require("support.gallery.document")
local gallery = require("support.gallery")
local place_of = require("support.gallery.place")
local process = require("support.process")
local run = require("support.gallery.run")
local support = require("support")

local race = {}

local ATTEMPTS <const> = math.tointeger(os.getenv("LUACTR_RACE_ATTEMPTS")) or 60
local RECORD <const> = support.build .. "/spec/races"

---@class race.Attack: gallery.Attack
---@field racer string[] the two names, below the directory of the run
---@field body? string what is done again and again, as Lua, instead of a run of {fields}
---@field prepare fun(dir: support.Directory, place: gallery.Place) what is there before

local PROGRAM <const> = [[
package.path, package.cpath = %q, %q
local ctr = require "luactr"
local ATTEMPTS, fields = %d, {
%s}
local function met(text, err)
  io.write(text and "met: " .. text or "met: refused", "\n")
  if not text then io.stderr:write(tostring(err), "\n") end
end
%s
]]

local START <const> = [[
for _ = 1, ATTEMPTS do
  local result, err = ctr.run(fields)
  if result then io.write(result.stdout or "", result.stderr or "") else met(nil, err) end
end]]

local function start_racer(place, names)
  local words = { support.program "attack", "racer", place.work .. "/exchanges" }
  for _, name in ipairs(names) do words[#words + 1] = place.work .. "/" .. name end
  local racer = process.start(words)
  racer:expect "ready"
  return racer
end

local function exchanges(place)
  return (string.unpack("<I8", support.read(place.work .. "/exchanges")))
end

local function run_again_and_again(attack, place, way)
  place.recipe = place.dir:write("program.lua", PROGRAM:format(run.absolute(package.path),
    run.absolute(package.cpath), ATTEMPTS, run.fields(attack, place, way),
    attack.body or START))
  place_of.hand_over(place)
  place.canary:watch()
  local _ <close> = start_racer(place, attack.racer)
  local before = exchanges(place)
  local ran = run.run(attack, { "lua5.4", place.recipe, user = way.owner, without = way.without,
    timeout = 300 + ATTEMPTS, env = { XDG_RUNTIME_DIR = place.run } })
  ran.exchanges = exchanges(place) - before
  return ran
end

-- { what was met = how often }
local function encounters(text)
  local met = {}
  for what in text:gmatch("met: ([^\n]*)") do met[what] = (met[what] or 0) + 1 end
  return met
end

local function in_words(met)
  local words = {}
  for what, count in pairs(met) do words[#words + 1] = ("%s %d"):format(what, count) end
  table.sort(words)
  return table.concat(words, ", ")
end

local function record(attack, way, line)
  local file <close> = assert(io.open(RECORD, "a"))
  file:write(("%s (%s): %s\n"):format(attack.attack, way.title, line))
end

local function try(busted, attack, way)
  local place <close> = gallery.place(way.owner)
  attack.prepare(place.dir, place)
  local ran = run_again_and_again(attack, place, way)
  local harm = table.concat(place.canary:harm(ran.stdout .. ran.stderr), "\n")
  local met = encounters(ran.stdout)
  assert(ran.code == 0, ran.stderr)
  record(attack, way, ("%d attempts, %d exchanges, met: %s"):format(ATTEMPTS, ran.exchanges,
    in_words(met)))
  document.expect(attack, { result = harm ~= "" and "escaped" or "held", harm = harm,
    output = in_words(met) .. "\n" .. ran.stderr:sub(1, 1000) })
  if not next(met, next(met)) then
    busted.pending("no race was seen in " .. ATTEMPTS .. " attempts: " .. in_words(met))
  end
end

--- Make the specs of one race. In a `describe`.
---@param attack race.Attack
function race.specs(attack)
  local busted = gallery.busted_of_caller()
  for _, way in ipairs(gallery.ways(attack)) do
    if way.door == "library" and not way.mapped then
      busted.it(("%s (%s)"):format(attack.attack, way.title), function()
        local lacking = gallery.lacks(attack, way)
        if lacking then return busted.pending("this host lacks " .. lacking) end
        try(busted, attack, way)
      end)
    end
  end
end

return race
