-- A registry on loopback, Debian's docker-registry, for one spec file.
--
--   local there <close> = registry.start(dir.path)        -- there.address is "127.0.0.1:PORT"

local process = require("support.process")
local support = require("support")
local sys = require("luactr.core").sys

local registry = {}

local PATIENCE <const> = 180 -- seconds
local TRIES <const> = 5

local CONFIG <const> = [[
version: 0.1
log: {level: error, accesslog: {disabled: true}}
storage: {filesystem: {rootdirectory: %s}, delete: {enabled: true}}
http: {addr: "127.0.0.1:%d"%s}
%s]]

local Registry = {}
Registry.__index = Registry

-- Whether something listens on a port of loopback: /proc/net/tcp has it as "0100007F:PORT ... 0A".
local function listens(port)
  local wanted = ("0100007F:%04X 00000000:0000 0A"):format(port)
  return support.read("/proc/net/tcp"):find(wanted, 1, true) ~= nil
end

local function wait_for(running, port)
  local deadline = sys.clock_gettime() + PATIENCE
  repeat
    if listens(port) then return true end
    if not running:pump(0.05) then return false end -- it has ended, as when the port is taken
  until sys.clock_gettime() > deadline
  return false
end

local function tls_text(options)
  return options.certificate and (", tls: {certificate: %s, key: %s}"):format(options.certificate,
    options.key) or ""
end

local function login_text(options)
  return options.htpasswd and ("auth: {htpasswd: {realm: spec, path: %s}}\n"):format(
    options.htpasswd) or ""
end

--- Start one with its files in a directory; a port that is taken meanwhile is no hindrance.
---@param directory string
---@param options? { certificate?: string, key?: string, htpasswd?: string }
function registry.start(directory, options)
  options = options or {}
  for _ = 1, TRIES do
    local port = math.random(20000, 32000)
    support.write(directory .. "/registry.yml", CONFIG:format(directory .. "/registry", port,
      tls_text(options), login_text(options)))
    local running = process.start { "docker-registry", "serve", directory .. "/registry.yml",
      env = { OTEL_TRACES_EXPORTER = "none" } }
    if not listens(port) and wait_for(running, port) then
      return setmetatable({ process = running, port = port, address = "127.0.0.1:" .. port },
        Registry)
    end
    running:close()
  end
  error("no registry could be started")
end

--- Kill it.
function Registry:close()
  self.process:close()
end
Registry.__close = Registry.close

return registry
