-- Bundles for the command line of any OCI runtime, in a room: see spec/support/engines.
--
--   local box = bundle.new(room, "box", { "sh", "-c", "exit 3" }, function(config) ... end)
--   assert.equal(3, box:run().code)

local cjson = require("cjson.safe")
local engines = require("support.engines")

local bundle = {}

---@class support.Bundle
---@field id string of the container
---@field path string
---@field config table what config.json says
local Bundle = {}
Bundle.__index = Bundle

local CAPABILITIES <const> = { "CAP_CHOWN", "CAP_KILL", "CAP_SETGID", "CAP_SETUID" }

local function mount(target, kind, ...)
  return { destination = target, type = kind, source = kind, options = ... and { ... } }
end

local function namespaces(...)
  local list = {}
  for i, kind in ipairs { ... } do list[i] = { type = kind } end
  return list
end

-- What engines write, without what a case is to show.
local function plain_config(argv)
  return {
    ociVersion = "1.0.2",
    process = {
      args = argv, cwd = "/", env = { "PATH=/bin" }, user = { uid = 0, gid = 0 },
      capabilities = { bounding = CAPABILITIES, effective = CAPABILITIES,
        permitted = CAPABILITIES },
      noNewPrivileges = true,
    },
    root = { path = "../root" },
    hostname = "conformance",
    mounts = {
      mount("/proc", "proc"), mount("/dev", "tmpfs", "nosuid", "mode=755"),
      mount("/dev/pts", "devpts", "newinstance", "ptmxmode=0666"), mount("/tmp", "tmpfs"),
      mount("/sys", "sysfs", "nosuid", "noexec", "nodev", "ro"),
    },
    linux = { namespaces = namespaces("pid", "network", "ipc", "uts", "mount") },
  }
end

--- Write a bundle into the room's directory. `change` gets the configuration, and may return a
--- text to be written in its place, or false for none.
---@param room support.Room
---@param id string
---@param argv string[]
---@param change? fun(config: table): string|false|nil
function bundle.new(room, id, argv, change)
  local config = plain_config(argv)
  local text = change and change(config)
  local path = room.dir:mkdir(id)
  if text ~= false then room.dir:write(id .. "/config.json", text or cjson.encode(config)) end
  return setmetatable({ room = room, id = id, path = path, config = config }, Bundle)
end

-- The runtime, with a state directory that has only containers of bundles.
local function command(self, verb, words)
  local argv = { self.room.runtime, "--root", "/run/conformance", verb }
  return table.move(words, 1, #words, #argv + 1, argv)
end

--- Call the runtime: `box:call("kill", box.id, "TERM")`; what support.run returns.
function Bundle:call(verb, ...) return self.room:run(command(self, verb, { ... })) end

--- Create the container, with further options before its id. What starts is given /dev/null and a
--- file, since what keeps a pipe open would be waited for.
function Bundle:create(...)
  local words = { "--bundle", self.path, ... }
  words[#words + 1] = self.id
  local argv = { "sh", "-c", '"$@" </dev/null >"$0/out" 2>"$0/err"; status=$?; cat "$0/err" >&2; '
    .. "exit $status", self.path }
  return self.room:run(table.move(command(self, "create", words), 1, 4 + #words, #argv + 1, argv))
end

function Bundle:run(...)
  local words = { "--bundle", self.path, ... }
  words[#words + 1] = self.id
  return self.room:run(command(self, "run", words))
end

function Bundle:start() return self:call("start", self.id) end

--- The state, or nil when the runtime has no such container.
function Bundle:state()
  local result = self:call("state", self.id)
  return result.code == 0 and assert(cjson.decode(result.stdout)) or nil
end

function Bundle:await(status)
  engines.await(self.id .. " is " .. status, function()
    local state = self:state()
    return state and state.status == status
  end)
end

function Bundle:delete() return self:call("delete", "--force", self.id) end

return bundle
