-- What somebody hostile says to `luactr oci` besides the root: ids, annotations, paths,
-- descriptors.
--
--   door.specs { attack = "oci-ids", twin = {...}, cases = { {...}, ... } }
--
-- Each case is a bundle and a command line, and says what comes of it: `refused`, with the error,
-- or `held`, with what is seen. The twin of all is held. docs/security.md has the words of all
-- cases.

local cjson = require("cjson")
local compatibility = require("busted.compatibility")
local document = require("support.gallery.document")
local lfs = require("lfs")
local peers = require("support.peers")
local place_of = require("support.gallery.place")
local support = require("support")
local sys = require("luactr.core").sys

local door = {}

---@class gallery.Case
---@field label string
---@field refused? string part of the error, as the log has it
---@field held? string pattern of what is printed
---@field change? fun(config: table, place: gallery.Place) what config.json says
---@field id? string "box" if left out
---@field script? string for sh
---@field global? string[] options before the verb; {work}, {host} and {image} are paths
---@field options? string[] and behind it
---@field verb? string "run" if left out
---@field before? string[] words in front of luactr's
---@field start? table more of support.Run
---@field prepare? fun(place: gallery.Place)
---@field check? fun(place: gallery.Place): string? the harm done
---@field needs? string[] of support.needs

---@class gallery.Attack_on_door
---@field attack string its row in docs/security.md
---@field prepare? fun(place: gallery.Place) once: what all cases find
---@field change? fun(config: table, place: gallery.Place) for all of them, before theirs
---@field twin gallery.Case
---@field cases gallery.Case[]

---- one place for all cases

--- A place with a bundle; close it.
function door.place()
  local place = place_of.new()
  place.outside = ""
  place.bundle, place.state, place.log = place.dir:mkdir "bundle", place.work .. "/state",
    place.work .. "/log"
  return place
end

local function substitute(words, place)
  local list = {}
  for i, word in ipairs(words or {}) do
    list[i] = word:gsub("{(%l+)}", { host = place.host, image = place.image, work = place.work })
  end
  return list
end

local function append(list, words) return table.move(words, 1, #words, #list + 1, list) end

--- Call luactr oci with the place's state; what support.run returns.
---@param words string[] from the verb on
---@param how? { global?: string[], before?: string[], start?: table }
function door.call(place, words, how)
  how = how or {}
  local options = append({}, how.before or {})
  append(options, { support.build .. "/luactr-oci", "--root", place.state, "--log", place.log,
    "--log-format", "json" })
  append(append(options, substitute(how.global, place)), substitute(words, place))
  for name, value in pairs(how.start or {}) do options[name] = value end
  return support.run(options)
end

--- Write config.json: busybox's shell with that script.
function door.configure(place, script, ...)
  local config = peers.config(place, { "/bin/busybox", "sh", "-c", script })
  for _, change in ipairs { ... } do change(config, place) end
  peers.write_config(place.bundle, config)
end

--- What the log tells: a line of JSON for each error.
function door.told(place)
  local messages = {}
  if lfs.attributes(place.log, "mode") == "file" then
    for line in io.lines(place.log) do messages[#messages + 1] = cjson.decode(line).msg end
  end
  return table.concat(messages, "\n")
end

--- What containers are left in the state directory.
function door.left(place)
  local names, path = {}, place.state .. "/containers"
  if lfs.attributes(path, "mode") == "directory" then
    for name in lfs.dir(path) do names[#names + 1] = name:find "^%.+$" == nil and name or nil end
  end
  return table.concat(names, " ")
end

--- A container that is created, with that script; to be closed.
function door.created(place, id, script)
  door.configure(place, script or "exec /bin/sleep 1000")
  local ran = door.call(place, { "create", "--bundle", place.bundle, id })
  assert(ran.code == 0, ran.stderr)
  return setmetatable({}, { __close = function()
    assert(door.call(place, { "delete", "--force", id }).code == 0)
  end })
end

---- cases

local function run_case(place, attack, case)
  os.remove(place.log)
  os.remove(place.image .. "/tmp/said")
  if case.prepare then case.prepare(place) end
  door.configure(place, case.script or "echo inside; pwd", attack.change or peers.plain,
    case.change or peers.plain)
  place.canary:watch()
  local words = append({ case.verb or "run", "--bundle", place.bundle }, case.options or {})
  local ran = door.call(place, append(words, { "--", case.id or "box" }), case)
  local said <close> = io.open(place.image .. "/tmp/said")
  ran.stdout = ran.stdout .. (said and said:read("a") or "")
  local harm = place.canary:harm(ran.stdout .. ran.stderr)
  harm[#harm + 1] = case.check and case.check(place)
  return ran, table.concat(harm, "\n")
end

--- Refused with that message in the log, and as people are told it. `ran` is what support.run
--- returns.
function door.expect_refused(place, ran, message)
  local told = door.told(place)
  assert(ran.code ~= 0, "it is not refused: " .. ran.stdout .. ran.stderr)
  assert(ran.stdout == "", ran.stdout)
  assert(told:find(message, 1, true), ("%q is not in %s"):format(message, told:sub(1, 1000)))
  assert(not ran.stderr:find "[^\n\32-\126\128-\255]", "control characters come to the terminal")
end

local function expect(place, case, ran, harm)
  assert(harm == "", harm)
  assert(door.left(place) == "", "left: " .. door.left(place))
  if case.refused then return door.expect_refused(place, ran, case.refused) end
  assert(ran.code == 0 and ran.stdout:find(case.held), ("status %d, %q expected: %s"):format(
    ran.code, case.held, ran.stdout:sub(1, 1000) .. ran.stderr:sub(1, 1000)))
end

--- What docs/security.md says of it, from what the cases say.
local function words_of(cases)
  local has = {}
  for _, case in ipairs(cases) do has[case.refused and "refused" or "held"] = true end
  return (has.held and has.refused) and "held, refused" or next(has)
end

--- Make the specs of one attack, in a `describe`: one for each case, and `more` of them. Who
--- calls has the world checked once: to look at it after each would take longer than they do.
---@param attack gallery.Attack_on_door
---@param more? fun(it: function, place: fun(): gallery.Place)
function door.specs(attack, more)
  local busted = compatibility.getfenv(2) -- of a function that names something of busted's
  local it = support.it(busted.it, busted.pending, "root", "program:gcc")
  busted.describe(attack.attack, function()
    local place

    busted.setup(function()
      if support.lacks("root", "program:gcc") then return end
      place = door.place()
      if attack.prepare then attack.prepare(place) end
    end)

    busted.teardown(function()
      if place then place:close() end
    end)

    for _, case in ipairs { attack.twin, table.unpack(attack.cases) } do
      it(("%s: %s"):format(case.refused and "refused" or "held", case.label), function()
        local lacking = support.lacks(table.unpack(case.needs or {}))
        if lacking then return busted.pending("this host lacks " .. lacking) end
        expect(place, case, run_case(place, attack, case))
      end)
    end

    it("is in docs/security.md as it is", function()
      local said = document.rows()[attack.attack][peers.own.name]
      assert(said == words_of(attack.cases), said)
    end)

    if more then more(it, function() return place end) end
  end)
end

--- In the image of a place, a link in the place of what is there.
function door.link(place, text, path)
  os.remove(place.image .. "/" .. path)
  assert(sys.symlink(text, place.image .. "/" .. path))
end

return door
