--- What the verbs that carry images share: how a registry is spoken with, and progress.
local cli = require "luactr.cli"
local limits = require "luactr.image.limits"
local output = require "luactr.cli.output"

local M = {}

local STDIN <const> = 0
local LONGEST_PASSWORD <const> = 65536

--- Rows for the verbs that speak with a registry.
---@type luactr.cli.option[]
M.options = {
  { "--tls-verify", argument = "YES|NO", help = "no: a registry without TLS, or with a certificate "
    .. "that nobody knows" },
  { "--cert-dir", argument = "DIR", help = "certificates for the registry: *.crt, *.cert, *.key" },
  { "--auth-file --authfile", argument = "FILE", help = "logins, as podman login and docker login "
    .. "write them" },
  { "--username", argument = "NAME", help = "log in by that name, with --password-stdin" },
  { "--password-stdin", help = "read the password from stdin" },
  { "-q --quiet", help = "show no progress" },
}

--- Rows for the verbs that take images in.
---@type luactr.cli.option[]
M.limits = {}
for i, row in ipairs(limits.rows) do
  M.limits[i] = { "--" .. row.option, argument = row.argument, help = row.help }
end

--- Rows for the verb that does both.
---@type luactr.cli.option[]
M.pull_options = table.move(M.limits, 1, #M.limits, #M.options + 1, { table.unpack(M.options) })

--- The limits of a request; nil and what is wrong.
---@param request luactr.cli.request
---@return luactr.image.limits?
---@return string? mistake
function M.limits_of(request)
  local most, mistake =
    limits.read(request.options, function(row) return (row.option:gsub("%-", "_")) end)
  return most, mistake and "--" .. mistake:gsub("_", "-", 1)
end

local ANSWERS <const> = {
  yes = true, ["true"] = true, on = true, no = false, ["false"] = false, off = false,
}

--- The first line, without its end.
local function read_password()
  local parts, size = {}, 0
  repeat
    local part = require("luactr.core").sys.read(STDIN, 4096) or ""
    parts[#parts + 1], size = part, size + #part
  until part == "" or size > LONGEST_PASSWORD
  return table.concat(parts):match("^[^\r\n]*")
end

--- What shows progress on stderr.
---@param request luactr.cli.request
---@return luactr.image.progress
function M.progress(request)
  return require("luactr.image.progress").open { quiet = request.options.quiet }
end

--- Tell what was left out of a layer.
---@param path string
---@param why string
function M.notice(path, why)
  output.warn(string.format("left out %s: %s", require("luactr.error").escape(path), why))
end

--- The options of luactr.image.registry; nil and an exit status for wrong ones.
---@param request luactr.cli.request
---@param verb luactr.cli.verb
---@return luactr.image.pull_options?
---@return integer? status
function M.registry(request, verb)
  local given = request.options
  local most, mistake = M.limits_of(request)
  local tls_verify = given.tls_verify and ANSWERS[given.tls_verify]
  if given.tls_verify and tls_verify == nil then
    return nil, output.usage("--tls-verify: yes or no", verb)
  elseif (given.username ~= nil) ~= (given.password_stdin or false) then
    return nil, output.usage("--username and --password-stdin belong together", verb)
  elseif given.username and given.auth_file then
    return nil, output.usage("--username and --auth-file exclude each other", verb)
  elseif not M.is_platform(given.platform) then
    return nil, output.usage("--platform: OS/ARCHITECTURE[/VARIANT], as linux/arm64", verb)
  end
  if not most then
    return nil, output.usage(mistake, verb)
  end
  return {
    limits = most, tls_verify = tls_verify, cert_dir = given.cert_dir, auth_file = given.auth_file,
    username = given.username, password = given.username and read_password() or nil,
    name = given.name, platform = given.platform, progress = M.progress(request),
    notice = M.notice,
  }
end

---@param text? string
---@return boolean
function M.is_platform(text)
  return text == nil or require("luactr.image.document").parse_platform(text) ~= nil
end

--- Print the name of what was made, or tell why it was not; the exit status.
---@param made? { name: string }
---@param err? luactr.error
---@return integer status
function M.finish(made, err)
  if not made then
    output.complain(err)
    return cli.FAILED
  end
  return output.print(made.name .. "\n")
end

return M
