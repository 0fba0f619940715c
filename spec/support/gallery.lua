-- The attack gallery: a hostile image and recipe, run each way that there is, beside a canary.
--
--   gallery.specs { attack = "dev-symlink", image = ..., fields = ..., twin = ... }
--
-- An attack is tried through both front doors, as root and as somebody else, and again without the
-- newer system calls, and each time its benign twin must run. docs/security.md has a row for each
-- attack, and what a spec finds has to be what that row says: "held" (the container ran, and all
-- that the attacker did stayed inside) or "refused" (it did not start, and nothing was touched).

local canary = require("support.canary")
local compatibility = require("busted.compatibility")
local peers = require("support.peers")
local process = require("support.process")
local support = require("support")
local sys = require("luactr.core").sys

local gallery = {}

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
---@field needs? string[] of support.needs
---@field start? table more of support.Run: env, cwd; `before`: words in front of luactr's
---@field oci? fun(config: table, place: gallery.Place) the same attack for an OCI runtime
---@field bwrap? fun(place: gallery.Place): string[] and for bwrap
---@field terminal? boolean on a terminal; `tty` and `stdin` are then the attack's to say
---@field watch? string[] more of the host that must stay as it is
---@field variants? gallery.Attack[] each with a `label`, and what it has instead of the above

---@class gallery.Place
---@field work string the directory of this run on the host
---@field image string the root file system
---@field volume string a directory that the attacker can write from outside as well
---@field host string the canary's directory
---@field canary table
---@field owner? integer
---@field outside string before the host's paths, for links that are to lead there

-- In a slow guest: each variant in one way, in turns.
local QUICK <const> = os.getenv("LUACTR_GALLERY") == "quick"

---- the ways

local DOORS <const> = { "library", "command line" }

local CALLS <const> = {
  { name = "" },
  { name = ", older kernel", without = require("support.without").newer },
}

--- Each way as { title, door, owner?, without?, often }.
function gallery.ways(attack)
  local list = {}
  for _, calls in ipairs(CALLS) do
    for _, door in ipairs(DOORS) do
      for _, owner in ipairs { false, USER } do
        local kind = owner and "user" or "root"
        local unwanted = attack[kind] == false or calls.without and attack.older == false
        list[#list + 1] = not unwanted and {
          door = door, owner = owner or nil, without = calls.without,
          title = ("%s, %s%s"):format(door, kind, calls.name),
        } or nil
      end
    end
  end
  return list
end

---- a place

local SKELETON <const> = { "bin", "dev", "etc", "proc", "sys", "tmp", "run", "home" }

-- What scripts may call.
local PROGRAMS <const> = {
  "cat", "chmod", "chown", "cp", "dd", "env", "find", "grep", "head", "id", "kill", "ln", "ls",
  "mkdir", "mknod", "mount", "mv", "od", "readlink", "rm", "sh", "sleep", "stat", "touch", "umount",
  "unshare", "wc",
}

local binaries -- read once: a run is short beside a fork

local function read_binaries()
  binaries = {
    busybox = support.read("/bin/busybox"), attack = support.read(support.program "attack"),
  }
end

local function make_image(path)
  assert(sys.mkdir(path))
  for _, name in ipairs(SKELETON) do assert(sys.mkdir(path .. "/" .. name)) end
  if not binaries then read_binaries() end
  for name, content in pairs(binaries) do
    support.write(path .. "/bin/" .. name, content)
    assert(sys.chmod(path .. "/bin/" .. name, "0755"))
  end
  for _, name in ipairs(PROGRAMS) do assert(sys.symlink("busybox", path .. "/bin/" .. name)) end
  support.write(path .. "/etc/passwd", "root:x:0:0:root:/root:/bin/sh\n")
  support.write(path .. "/etc/group", "root:x:0:\n")
end

local Place = {}
Place.__index = Place

function Place:close()
  if self.canary then self.canary:close() end
  self.dir:close()
end

-- Only what could not be made whole.
function Place:__close()
  if not self.kept then self:close() end
end

--- Directories for one run; close the result.
function gallery.place(owner)
  local dir = support.tmpdir()
  local place <close> = setmetatable({ dir = dir, work = dir.path, owner = owner,
    image = dir.path .. "/image", host = dir.path .. "/host",
    volume = dir:mkdir "volume", run = dir:mkdir "run" }, Place)
  make_image(place.image)
  place.canary = canary.new(place.host, owner)
  place.kept = true
  return setmetatable({}, { __index = place, __close = function() place:close() end })
end

function gallery.hand_over(place)
  for _, path in ipairs { place.image, place.volume, place.run, place.recipe } do
    canary.hand_over(path, place.owner)
  end
end

---- a run

local HEAD <const> = {
  ["command line"] = "local ctr = require 'luactr'\nreturn ctr.container {\n%s}\n",
  library = "package.path, package.cpath = %q, %q\n" .. [[
local ctr = require "luactr"
local fine, box = pcall(ctr.container, {
%s})
local result, err
if fine then result, err = box:run() end
if not result then
  io.stderr:write(tostring(fine and err or box), "\n")
  os.exit(125)
end
]],
}

function gallery.absolute(path)
  return (path:gsub("[^;]+", function(template)
    return template:sub(1, 1) == "/" and template or require("lfs").currentdir() .. "/" .. template
  end))
end

local function substitute(text, place)
  return (text:gsub("{(%l+)}", { host = place.host, image = place.image, volume = place.volume,
    name = place.canary.name, work = place.work, secret = place.canary.secret }))
end

local function script(attack, place)
  return "echo inside; " .. substitute(attack.script or ":", place)
end

-- A field that the attack sets itself is left out here.
--- The fields of a recipe: the attack's, and what it leaves to us.
function gallery.fields(attack, place)
  local fields, given = {}, attack.fields or ""
  local function add(name, text)
    if not ("\n" .. given):find("[\n,{ ]" .. name .. " =") then
      fields[#fields + 1] = ("  %s = %s,\n"):format(name, text)
    end
  end
  add("rootfs", ("%q"):format(place.image))
  add("stdin", '"null"')
  add("tty", "false")
  add("command", ('{ "/bin/busybox", "sh", "-c", %q }'):format(script(attack, place)))
  return table.concat(fields) .. substitute(given, place) .. "\n"
end

local function write_recipe(attack, place, door)
  local fields = gallery.fields(attack, place)
  local text
  if door == "library" then
    text = HEAD.library:format(gallery.absolute(package.path), gallery.absolute(package.cpath),
      fields)
  else
    text = HEAD[door]:format(fields)
  end
  place.recipe = place.dir:write("recipe.lua", text)
end

-- On a terminal of its own, as a user would: what is typed there afterwards was not the user.
local ON_TERMINAL <const> = { "bash", "-c",
  '"$@"; if read -r -t 0.4 line; then echo "escaped: typed $line"; fi', "-" }

local function run_on_terminal(options)
  local words = table.move(ON_TERMINAL, 1, #ON_TERMINAL, 1, { env = options.env, tty = true,
    without = options.without })
  if options.user then
    local id = tostring(options.user)
    table.move({ "setpriv", "--reuid", id, "--regid", id, "--clear-groups", "--" }, 1, 7,
      #words + 1, words)
  end
  local session <close> = process.start(table.move(options, 1, #options, #words + 1, words))
  local how = session:wait(60)
  return { code = how.code, signal = how.signal, stderr = "",
    stdout = (session.stdout:gsub("\r", "")) }
end

--- Run luactr, or a program that uses it, as an attack wants.
---@param options support.Run
function gallery.run(attack, options)
  return (attack.terminal and run_on_terminal or support.run)(options)
end

local function run(attack, place, way)
  local start = attack.start or {}
  local options = table.move(start.before or {}, 1, #(start.before or {}), 1, {
    user = way.owner, without = way.without, env = { XDG_RUNTIME_DIR = place.run },
    cwd = start.cwd and substitute(start.cwd, place),
  })
  for name, value in pairs(start.env or {}) do options.env[name] = substitute(value, place) end
  options[#options + 1] = way.door == "library" and "lua5.4" or support.luactr_program
  options[#options + 1] = place.recipe
  return gallery.run(attack, options)
end

local function run_peer(attack, place, peer)
  local before = (attack.start or {}).before or {}
  local words = table.move(before, 1, #before, 1, {})
  local command = attack.command or { "/bin/busybox", "sh", "-c", script(attack, place) }
  for _, word in ipairs(peer.argv(attack, place, command)) do words[#words + 1] = word end
  return gallery.run(attack, words)
end

-- Where the standard output itself is attacked, a script writes to /tmp/said.
local function said(place)
  local file <close> = io.open(place.image .. "/tmp/said")
  return file and file:read("a") or ""
end

-- By luactr in a way, or by a peer.
local function attempt(attack, way, peer)
  local place <close> = gallery.place(way.owner)
  place.outside = peer and peer.outside or ""
  if attack.image then attack.image(place.dir, place) end
  if not peer then write_recipe(attack, place, way.door) end
  gallery.hand_over(place)
  place.canary:watch(attack.watch)
  local ran = (peer and run_peer or run)(attack, place, peer or way)
  ran.stdout = ran.stdout .. said(place)
  local output = ran.stdout .. ran.stderr
  local harm = place.canary:harm(output)
  harm[#harm + 1] = attack.check and attack.check(place, ran) or nil
  local started = ran.stdout:find("inside\n", 1, true)
  assert(not output:find("sh: [%w/]+: not found"), output) -- the script tries less than it means
  return { result = #harm > 0 and "escaped" or started and "held" or "refused",
    harm = table.concat(harm, "\n"), output = output }
end

---- what the documents say

local ROW <const> = "^| `([%w-]+)` |" .. (" ([^|]*) |"):rep(5)
local HEAD_OF_TABLE <const> = "^| attack | what it does | luactr |" .. (" (%l+) ([%d.]+) |"):rep(3)

--- The rows of the table in docs/security.md, by name: { what, luactr, runc, crun, bwrap }; and the
--- versions of the last three.
function gallery.rows()
  local rows, versions = {}, {}
  for line in io.lines("docs/security.md") do
    local name, what, luactr, runc, crun, bwrap = line:match(ROW)
    if name then
      rows[name] = { what = what, luactr = luactr, runc = runc, crun = crun, bwrap = bwrap }
    end
    local head = { line:match(HEAD_OF_TABLE) }
    for i = 1, #head, 2 do versions[head[i]] = head[i + 1] end
  end
  return rows, versions
end

local UNTRIED <const> = "–"

local function has_word(text, word)
  return (" " .. text .. " "):find("%W" .. word .. "%W") ~= nil
end

---- specs

--- What was found has to be what the document says.
function gallery.expect(attack, found)
  local row = gallery.rows()[attack.attack]
  assert(row, attack.attack .. " has no row in docs/security.md")
  for _, peer in ipairs(peers.list) do
    assert(attack[peer.how] or row[peer.name] == UNTRIED, "nothing has measured " .. peer.name)
  end
  assert(has_word(row.luactr, found.result), ("%s, docs/security.md says %s:\n%s\n%s"):format(
    found.result, row.luactr, found.harm, found.output))
end

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
  return support.lacks(table.unpack(needs))
end

local works = {} -- by title, whether luactr can run that way at all

-- The benign container with nothing special: where it does not run, no attack tells anything.
function gallery.runs_at_all(way)
  if works[way.title] == nil then
    local found = attempt({}, way)
    works[way.title] = found.result == "held"
  end
  return works[way.title]
end

local function spec(busted, attack, way)
  local label = attack.label and attack.label .. ", " or ""
  busted.it(("%s (%s%s)"):format(attack.attack, label, way.title), function()
    local lacking = gallery.lacks(attack, way)
    if lacking then return busted.pending("this host lacks " .. lacking) end
    if way.without and not gallery.runs_at_all(way) then
      return busted.pending("no fallback yet")
    end
    if attack.twin ~= false then expect_twin(twin_of(attack), attempt(twin_of(attack), way)) end
    gallery.expect(attack, attempt(attack, way))
  end)
end

-- A variant or what is the same for all of them decides.
local function peer_spec(busted, attack, peer)
  busted.it(("%s (%s) #peers"):format(attack.attack, peer.name), function()
    local lacking = gallery.lacks(attack, {})
    if lacking then return busted.pending("this host lacks " .. lacking) end
    local rows, versions = gallery.rows()
    local version = peers.version(peer)
    if version ~= versions[peer.name] then
      return busted.pending(("%s %s is wanted, %s is here"):format(peer.name,
        versions[peer.name], version or "none"))
    end
    local found = attempt(attack, {}, peer)
    assert(has_word(rows[attack.attack][peer.name], found.result),
      ("%s, docs/security.md says %s:\n%s\n%s"):format(found.result,
        rows[attack.attack][peer.name], found.harm, found.output))
  end)
end

-- The way that is known to be open.
local function control(busted, attack)
  busted.it(attack.attack .. " (control: succeeds where a recipe lets it)", function()
    local lacking = gallery.lacks(attack, {})
    if lacking then return busted.pending("this host lacks " .. lacking) end
    local found = attempt(with(attack, { fields = attack.control }), { door = DOORS[1] })
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
--- what is different in theirs. The first is tried in all ways, of which some have the twin as
--- well; the others in two, in turns.
---@param attack gallery.Attack
function gallery.specs(attack)
  local busted = gallery.busted_of_caller()
  if attack.control then control(busted, attack) end
  for _, peer in ipairs(peers.list) do
    local one = with(attack, (attack.variants or {})[1] or {})
    if one[peer.how] then peer_spec(busted, one, peer) end
  end
  for i, variant in ipairs(attack.variants or { {} }) do
    local one = with(attack, variant)
    if i > 1 and not variant.twin then one.twin = false end
    local list = gallery.ways(one)
    for number, way in ipairs(list) do
      local turn = (number - i) % #list
      if turn == 0 or not QUICK and (i == 1 or turn == #list // 2 - 1) then
        spec(busted, turn % 3 == 0 and one or with(one, { twin = false }), way)
      end
    end
  end
end

return gallery
