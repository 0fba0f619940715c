-- Carry out one attack of the gallery: write its recipe, run it, look at the canary.

local place_of = require("support.gallery.place")
local process = require("support.process")
local support = require("support")

local M = {}

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

--- A search path of Lua with the working directory in it spelt out.
function M.absolute(path)
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

--- The fields of a recipe: the attack's, and what it leaves to us.
function M.fields(attack, place, way)
  local fields, given = {}, attack.fields or ""
  local function add(name, text)
    if not ("\n" .. given):find("[\n,{ ]" .. name .. " =") then
      fields[#fields + 1] = ("  %s = %s,\n"):format(name, text)
    end
  end
  add("rootfs", ("%q"):format(place.image))
  add("stdin", '"null"')
  add("tty", "false")
  if way.mapped then add("idmap", '"range"') end
  add("command", ('{ "/bin/busybox", "sh", "-c", %q }'):format(script(attack, place)))
  return table.concat(fields) .. substitute(given, place) .. "\n"
end

local function write_recipe(attack, place, way)
  local fields, door = M.fields(attack, place, way), way.door
  local text
  if door == "library" then
    text = HEAD.library:format(M.absolute(package.path), M.absolute(package.cpath),
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
  local how = session:wait(options.timeout or 300)
  return { code = how.code, signal = how.signal, stderr = "",
    stdout = (session.stdout:gsub("\r", "")) }
end

--- Run luactr, or a program that uses it, as an attack wants.
---@param options support.Run
function M.run(attack, options)
  return (attack.terminal and run_on_terminal or support.run)(options)
end

local function run_luactr(attack, place, way)
  local start = attack.start or {}
  local options = table.move(start.before or {}, 1, #(start.before or {}), 1, {
    user = way.owner, without = way.without, env = { XDG_RUNTIME_DIR = place.run },
    cwd = start.cwd and substitute(start.cwd, place),
  })
  for name, value in pairs(start.env or {}) do options.env[name] = substitute(value, place) end
  options[#options + 1] = way.door == "library" and "lua5.4" or support.luactr_program
  options[#options + 1] = place.recipe
  return M.run(attack, options)
end

local function run_peer(attack, place, peer)
  local before = (attack.start or {}).before or {}
  local words = table.move(before, 1, #before, 1, {})
  local command = attack.command or { "/bin/busybox", "sh", "-c", script(attack, place) }
  for _, word in ipairs(peer.argv(attack, place, command)) do words[#words + 1] = word end
  return M.run(attack, words)
end

-- Where the standard output itself is attacked, a script writes to /tmp/said.
local function said(place)
  local file <close> = io.open(place.image .. "/tmp/said")
  return file and file:read("a") or ""
end

--- One attempt, by luactr in a way or by a peer.
---@return { result: "held"|"refused"|"escaped", harm: string, output: string }
function M.attempt(attack, way, peer)
  local place <close> = place_of.new(way.owner)
  place.outside = peer and peer.outside or ""
  if attack.image then attack.image(place.dir, place) end
  if not peer then write_recipe(attack, place, way) end
  place_of.hand_over(place)
  place.canary:watch(attack.watch)
  local ran = (peer and run_peer or run_luactr)(attack, place, peer or way)
  ran.stdout = ran.stdout .. said(place)
  local output = ran.stdout .. ran.stderr
  local harm = place.canary:harm(output)
  harm[#harm + 1] = attack.check and attack.check(place, ran) or nil
  local started = ran.stdout:find("inside\n", 1, true)
  assert(not output:find("sh: [%w/]+: not found"), output) -- the script tries less than it means
  return { result = #harm > 0 and "escaped" or started and "held" or "refused",
    harm = table.concat(harm, "\n"), output = output }
end

return M
