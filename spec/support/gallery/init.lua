-- The attack gallery: a hostile image and recipe, run each way that there is, beside a canary.
--
--   gallery.specs { attack = "dev-symlink", image = ..., fields = ..., twin = ... }
--
-- An attack is tried through both front doors, as root and as somebody else, again without the
-- newer system calls, and as root with users of the container's own. Its benign twin must run.
-- What can be said in a bundle is put to `luactr oci` as well, and comes to what `bundle` says.
-- docs/security.md has a row for each attack, and what a spec finds has to be what that row says:
-- "held" (the container ran, and all that the attacker did stayed inside) or "refused" (it did not
-- start, and nothing was touched).

local compatibility = require("busted.compatibility")
local document = require("support.gallery.document")
local peers = require("support.peers")
local place = require("support.gallery.place")
local run = require("support.gallery.run")
local support = require("support")

local gallery = { place = place.new }

local USER <const> = support.stranger

---@class gallery.Attack
---@field attack string its row in docs/security.md
---@field image? fun(image: support.Directory, place: gallery.Place) make the image hostile
---@field fields? string more fields of the recipe, as Lua; {host}, {image}, {volume} are paths
---@field script? string what runs inside, for sh; "escaped: " begins what only an attacker says
---@field check? fun(place: gallery.Place, run: table): string? look on the host: the harm done
---@field twin? gallery.Attack the same with nothing evil in it; what it lacks it takes from here,
---  but for the image; it must run, and `expect` must be in what it prints
---@field control? string fields of a recipe that opens what the attack needs: there it has to
---  succeed, as root, or the spec would prove nothing
---@field expect? string pattern that the output of one that runs must have
---@field user? false not without root
---@field root? false only without root
---@field older? false not without the newer calls, which cannot matter
---@field mapped? false not as root of users of the container's own
---@field needs? string[] of support.needs
---@field start? table more of support.Run: env, cwd; `before`: words in front of luactr's
---@field oci? fun(config: table, place: gallery.Place) the same attack for an OCI runtime
---@field bundle? string[] what `luactr oci` makes of that: "held" or "refused", and what is then
---  seen: of the output, or of the error
---@field bwrap? fun(place: gallery.Place): string[] and for bwrap
---@field terminal? boolean on a terminal; `tty` and `stdin` are then the attack's to say
---@field watch? string[] more of the host that must stay as it is
---@field variants? gallery.Attack[] each with a `label`, and what it has instead of the above

-- How many of the ways: each variant in one, in turns ("quick", for a slow guest); all ("full"); or
-- so many that every door meets every user and kernel, and every user every kernel.
local EXTENT <const> = os.getenv("LUACTR_GALLERY") or "pairs"
local QUICK <const> = EXTENT == "quick"

---- the ways

local DOORS <const> = { "library", "command line" }

local CALLS <const> = {
  { name = "" },
  { name = ", older kernel", without = require("support.without").newer },
}

-- Where the recipe says nothing of users, and newer calls can map the image's files.
local function can_be_mapped(attack)
  local fields = attack.fields or ""
  return attack.root ~= false and attack.mapped ~= false and not fields:find("namespaces =")
    and not fields:find("idmap =") and not fields:find("none()", 1, true)
end

--- Each way as { title, door, owner?, without?, mapped?, pairs }. Those with `pairs` are enough.
function gallery.ways(attack)
  local list = {}
  for c, calls in ipairs(CALLS) do
    for d, door in ipairs(DOORS) do
      for u, owner in ipairs { false, USER } do
        local kind = owner and "user" or "root"
        local unwanted = attack[kind] == false or calls.without and attack.older == false
        list[#list + 1] = not unwanted and {
          door = door, owner = owner or nil, without = calls.without, pairs = (c + d + u) % 2 == 1,
          title = ("%s, %s%s"):format(door, kind, calls.name),
        } or nil
      end
    end
  end
  list[#list + 1] = can_be_mapped(attack)
    and { door = DOORS[1], mapped = true, pairs = true,
      title = "library, root of users of its own" } or nil
  return list
end

---- specs

local function expect_twin(twin, found)
  assert(found.result == "held", ("the benign twin: %s\n%s\n%s"):format(found.result, found.harm,
    found.output))
  assert(not twin.expect or found.output:find(twin.expect), found.output)
end

-- What a table lacks is the attack's.
local function with(attack, more)
  local result = {}
  for key, value in pairs(attack) do result[key] = value end
  for key, value in pairs(more) do result[key] = value end
  return result
end

local function twin_of(attack)
  return with(with(attack, { image = false, check = false }), attack.twin or {})
end

function gallery.lacks(attack, way)
  local needs = { "root", "program:gcc", table.unpack(attack.needs or {}) }
  if way.owner then needs[#needs + 1] = "stranger" end
  if way.mapped then needs[#needs + 1] = "idmapped" end
  return support.lacks(table.unpack(needs))
end

local function spec(busted, attack, way)
  local label = attack.label and attack.label .. ", " or ""
  busted.it(("%s (%s%s)"):format(attack.attack, label, way.title), function()
    local lacking = gallery.lacks(attack, way)
    if lacking then return busted.pending("this host lacks " .. lacking) end
    if attack.twin ~= false then expect_twin(twin_of(attack), run.attempt(twin_of(attack), way)) end
    document.expect(attack, run.attempt(attack, way))
  end)
end

-- A variant or what is the same for all of them decides.
local function peer_spec(busted, attack, peer)
  busted.it(("%s (%s) #peers"):format(attack.attack, peer.name), function()
    local lacking = gallery.lacks(attack, {})
    if lacking then return busted.pending("this host lacks " .. lacking) end
    local _, versions = document.rows()
    local version, wanted = peers.version(peer), versions[peer.name]
    if version ~= wanted then
      return busted.pending(("%s %s is wanted, %s is here"):format(peer.name, wanted,
        version or "none"))
    end
    document.expect_of_peer(attack, peer, run.attempt(attack, {}, peer))
  end)
end

-- The script goes to its end. Who says nothing of it is refused.
local THROUGH <const> = "\necho through"

local function attempt_bundle(attack, peer)
  return run.attempt(with(attack, { script = (attack.script or ":") .. THROUGH }), {}, peer)
end

-- Refused, the log tells why; held, all was tried, and what `bundle` says was seen.
local function expect_bundle(attack, found)
  local expected, seen = attack.bundle[1], attack.bundle[2]
  local as_expected = found.result == expected and found.output:find(seen or "", 1, true)
    and (expected == "refused" or found.output:find("\nthrough\n", 1, true))
  assert(as_expected, ("%s, expected %s with %q:\n%s\n%s"):format(found.result, expected,
    seen or "", found.harm, found.output))
  document.expect_of_peer(attack, peers.own, found)
end

-- As an engine puts it: what a bundle says is not what a recipe does, so that it may be refused
-- where that is held, or the other way round. The twin is run in the foreground.
local function bundle_spec(busted, attack)
  if not attack.oci then return end
  busted.it(("%s (luactr oci, root)"):format(attack.attack), function()
    local lacking = gallery.lacks(attack, {})
    if lacking then return busted.pending("this host lacks " .. lacking) end
    local twin = twin_of(attack)
    expect_twin(twin, attempt_bundle(twin, peers.own))
    expect_bundle(attack, attempt_bundle(attack, attack.terminal and peers.own or peers.engine))
  end)
end

-- The way that is known to be open.
local function control(busted, attack)
  busted.it(attack.attack .. " (control: succeeds where a recipe lets it)", function()
    local lacking = gallery.lacks(attack, {})
    if lacking then return busted.pending("this host lacks " .. lacking) end
    local found = run.attempt(with(attack, { fields = attack.control }), { door = DOORS[1] })
    assert(found.result == "escaped", found.result .. "\n" .. found.output)
  end)
end

-- What `it` and `pending` are depends on where in a spec file we are called from.
function gallery.busted_of_caller()
  local level = 3
  while true do
    local environment = compatibility.getfenv(level)
    if environment.it then return environment end
    level = level + 1
  end
end

--- Make the specs of one attack. In a `describe`. Variants have one twin, but for those that say
--- what is different in theirs. The first is tried in many ways, of which some have the twin
--- as well; the others in two, in turns.
---@param attack gallery.Attack
function gallery.specs(attack)
  local busted = gallery.busted_of_caller()
  if attack.control then control(busted, attack) end
  for _, peer in ipairs(peers.list) do
    local one = with(attack, (attack.variants or {})[1] or {})
    if one[peer.how] then peer_spec(busted, one, peer) end
  end
  bundle_spec(busted, with(attack, (attack.variants or {})[1] or {}))
  for i, variant in ipairs(attack.variants or { {} }) do
    local one = with(attack, variant)
    if i > 1 and not variant.twin then one.twin = false end
    local list = gallery.ways(one)
    for number, way in ipairs(list) do
      local turn = (number - i) % #list
      local wanted = EXTENT == "full" or i == 1 and way.pairs or i > 1 and turn == #list // 2 - 1
      if turn == 0 or not QUICK and wanted then
        spec(busted, turn % 3 == 0 and one or with(one, { twin = false }), way)
      end
    end
  end
end

return gallery
