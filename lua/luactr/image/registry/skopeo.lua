--- skopeo, which speaks with registries: found, of a version that does, run by argv, and its
--- complaints as errors. Passwords are never among its arguments: they are in a file of the stage.
local program = require "luactr.program"

local sys <const> = require("luactr.core").sys

local M = {}

local OLDEST <const> = { 1, 5 } -- keeps digests
local PRIVATE_FILE <const> = 384 -- 0600

-- What it may know of its caller.
local ENVIRONMENT <const> = {
  "HOME", "PATH", "USER", "XDG_RUNTIME_DIR", "XDG_CONFIG_HOME", "REGISTRY_AUTH_FILE",
  "DOCKER_CONFIG", "SSL_CERT_FILE", "SSL_CERT_DIR", "CONTAINERS_REGISTRIES_CONF",
  "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy",
}

---@class luactr.image.registry_options
---@field tls_verify? boolean false: a registry without TLS, or with a certificate nobody knows
---@field cert_dir? string directory with certificates: *.crt, *.cert, *.key
---@field auth_file? string as `podman login` and `docker login` write it
---@field username? string together with `password`
---@field password? string
---@field progress? luactr.image.progress
---@field store? luactr.image.store open for writing; the default one if not given

-- ---- finding it

local INSTALL <const> = "apt install skopeo"

local function refused(code, cause, remedy)
  return nil, require("luactr.error").new {
    code = code, errno = sys.errno[code], op = "exec", path = "skopeo", cause = cause,
    checked = true, remedy = remedy,
    message = "skopeo, which speaks with registries, cannot be used",
  }
end

local function is_old(major, minor)
  return major < OLDEST[1] or major == OLDEST[1] and minor < OLDEST[2]
end

--- The path of a skopeo that is new enough.
---@return string?
---@return luactr.error? code "ENOENT", "ENOEXEC"
function M.find()
  local path = program.find "skopeo"
  if not path then
    return refused("ENOENT", "it is not installed: there is none in PATH", INSTALL)
  end
  local ended, err = program.run { path, "--version", env = program.environment(ENVIRONMENT),
    seconds = 30 }
  if not ended then
    return nil, err
  end
  local major, minor = ended.stdout:match("version (%d+)%.(%d+)")
  if not major then
    return refused("ENOEXEC", path .. " does not tell its version", INSTALL)
  elseif is_old(tonumber(major), tonumber(minor)) then
    return refused("ENOEXEC", string.format("%s is version %s.%s, too old", path, major, minor),
      string.format("skopeo %d.%d or later", OLDEST[1], OLDEST[2]))
  end
  return path
end

-- ---- who asks

local ALPHABET <const> = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"

local function base64(text)
  local padding = (3 - #text % 3) % 3
  local coded = (text .. ("\0"):rep(padding)):gsub("...", function(three)
    local bits = string.unpack(">I3", three)
    local letters = {}
    for i = 0, 3 do
      local at = (bits >> (18 - 6 * i) & 63) + 1
      letters[i + 1] = ALPHABET:sub(at, at)
    end
    return table.concat(letters)
  end)
  return coded:sub(1, #coded - padding) .. ("="):rep(padding)
end

--- A file with the name and the password for one registry, in the stage and for nobody else.
local function write_login(stage, registry, options)
  local path = stage.path .. "/auth.json"
  local text = require("luactr.image.json").encode {
    auths = { [registry] = { auth = base64(options.username .. ":" .. options.password) } },
  }
  local disk <const> = require "luactr.image.store.disk"
  local file <close>, message, errno =
    sys.open(path, sys.O_WRONLY | sys.O_CREAT | sys.O_TRUNC, PRIVATE_FILE)
  local done
  if file then
    done, message, errno = disk.write_all(file, text)
  end
  if not done then
    return disk.failed(message, errno, "write", path)
  end
  return path
end

local POLICIES <const> = { "/etc/containers/policy.json" }

--- It wants a policy of signatures; where the system has none, all images are accepted, as they are
--- by the one that distributions ship.
local function has_policy()
  local home = os.getenv("HOME")
  return sys.stat(POLICIES[1]) ~= nil
    or home ~= nil and sys.stat(home .. "/.config/containers/policy.json") ~= nil
end

---@class luactr.image.skopeo
---@field path string
---@field stage luactr.image.stage
---@field auth_file? string
---@field tls_verify? boolean
---@field cert_dir? string
local Skopeo = { __name = "luactr.image.skopeo" }
Skopeo.__index = Skopeo

--- Make ready for one registry.
---@param stage luactr.image.stage
---@param registry string "localhost:5000"
---@param options luactr.image.registry_options
---@return luactr.image.skopeo?
---@return luactr.error?
function M.open(stage, registry, options)
  local path, err = M.find()
  local auth_file = options.auth_file
  if path and options.username then
    auth_file, err = write_login(stage, registry, options)
    path = auth_file and path
  end
  if not path then
    return nil, err
  end
  return setmetatable({ path = path, stage = stage, auth_file = auth_file,
    tls_verify = options.tls_verify, cert_dir = options.cert_dir }, Skopeo)
end

-- ---- what it complains of

local LOGIN <const> = "a login: --auth-file, or --username with --password-stdin"
local UNKNOWN <const> = "--cert-dir with the registry's certificate, or --tls-verify=no"

-- Parts of its messages, what they are, and what may help.
local COMPLAINTS <const> = {
  { "manifest unknown", "ENOENT", "another name or tag" },
  { "name unknown", "ENOENT", "another name" },
  { "unauthorized", "EACCES", LOGIN },
  { "authentication required", "EACCES", LOGIN },
  { "requested access to the resource is denied", "EACCES", LOGIN },
  { "HTTP response to HTTPS client", "EPROTO",
    "--tls-verify=no, if the registry is to be trusted" },
  { "x509:", "EPROTO", UNKNOWN },
  { "certificate", "EPROTO", UNKNOWN },
  { "connection refused", "ECONNREFUSED" },
  { "no such host", "EHOSTUNREACH" },
  { "network is unreachable", "ENETUNREACH" },
  { "i/o timeout", "ETIMEDOUT" },
  { "no space left", "ENOSPC", "luactr image gc, or another disk for LUACTR_IMAGES" },
  { "Digest did not match", "EBADMSG" },
  { "does not match digest", "EBADMSG" },
}

--- The message of a line of its log: time="..." level=fatal msg="...".
local function message_of(line)
  local text = line:match('level=%a+ msg="(.*)"$') or line:match("level=%a+ msg=(%S+)$") or line
  return (text:gsub('\\(["\\])', "%1"):gsub("\\n", " "))
end

--- The last of what it has said is why it ended.
---@param said string its stderr
---@return string cause
---@return string? code
---@return string? remedy
function M.complaint(said)
  local last
  for line in said:gmatch("[^\n]+") do
    last = (line:find("level=fatal", 1, true) or not last) and line or last
  end
  local cause = last and message_of(last):gsub("^Error parsing image name \"[^\"]*\": ", "")
    or "it failed silently"
  for _, row in ipairs(COMPLAINTS) do
    if cause:find(row[1], 1, true) then
      return cause, row[2], row[3]
    end
  end
  return cause
end

-- ---- running it

local function common(self, list, prefix)
  if self.tls_verify ~= nil then
    list[#list + 1] = string.format("--%stls-verify=%s", prefix, tostring(self.tls_verify))
  end
  if self.cert_dir then
    list[#list + 1] = "--" .. prefix .. "cert-dir=" .. self.cert_dir
  end
  if self.auth_file then
    list[#list + 1] = "--" .. (prefix == "" and "" or prefix) .. "authfile=" .. self.auth_file
  end
end

--- Run one of its commands; what it has printed.
---@param words string[] the command first
---@param prefix ""|"src-"|"dest-" of the options that say how to speak with the registry
---@param options? { tick?: fun(pid: integer) }
---@return string?
---@return luactr.error?
function Skopeo:run(words, prefix, options)
  local argv = { self.path, "--tmpdir=" .. self.stage.path }
  if not has_policy() then
    argv[#argv + 1] = "--insecure-policy"
  end
  argv[#argv + 1] = words[1]
  common(self, argv, prefix)
  table.move(words, 2, #words, #argv + 1, argv)
  argv.env, argv.tick = program.environment(ENVIRONMENT), options and options.tick
  local ended, err = program.run(argv)
  if not ended then
    return nil, err
  elseif ended.code == 0 then
    return ended.stdout
  elseif ended.signal then
    return refused("EINTR", "it was killed by signal " .. sys.signame(ended.signal))
  end
  local cause, code, remedy = M.complaint(ended.stderr)
  return nil, require("luactr.error").new {
    code = code or "EIO", errno = sys.errno[code or "EIO"], op = "skopeo " .. words[1],
    path = words[#words], message = prefix == "dest-" and "the registry does not take the image"
      or "the registry does not give the image",
    cause = cause, checked = true, remedy = remedy,
  }
end

return M
