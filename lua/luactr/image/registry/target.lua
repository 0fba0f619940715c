--- What an image of a registry is called, and what pull and push have in common.
local document = require "luactr.image.document"
local reference = require "luactr.image.reference"

local sys <const> = require("luactr.core").sys

local M = {}

local SCHEME <const> = "docker://"
local HUB <const> = "docker.io"

local OPTIONS <const> = { "name", "platform", "limits", "notice", "progress", "store", "tls_verify",
  "cert_dir", "auth_file", "username", "password" }

---@class luactr.image.target
---@field name string with the registry
---@field registry string
---@field tag? string
---@field digest? string

--- A name as a registry knows it: "alpine" is "docker.io/library/alpine".
---@param name string
---@return string name
---@return string registry
function M.full_name(name)
  local first = name:match("^([^/]+)/")
  if first and (first == "localhost" or first:find("[.:]")) then
    return name, first
  end
  return HUB .. "/" .. (first and "" or "library/") .. name, HUB
end

--- Take a name apart.
---@param text string "docker://registry:5000/a/b:tag", also without "docker://"
---@return luactr.image.target?
---@return luactr.error? code "EINVAL"
function M.parse(text)
  local parsed, problem = reference.parse((text:gsub("^docker://", "")))
  if not parsed then
    return nil, require("luactr.error").new { code = "EINVAL", errno = sys.errno.EINVAL,
      op = "name", message = "no name of an image: " .. problem }
  end
  local target = { tag = parsed.tag, digest = parsed.digest }
  target.name, target.registry = M.full_name(parsed.name)
  return target
end

--- What the store calls it: without a tag by the beginning of its digest, so that no tag lies.
---@param target luactr.image.target
---@return string
function M.key(target)
  return target.name .. ":" .. (target.tag or target.digest:sub(1, 19):gsub(":", "-"))
end

--- What skopeo calls it; it takes a tag or a digest, not both.
---@param target luactr.image.target
---@param digest? string in place of the target's own
---@return string
function M.address(target, digest)
  digest = digest or target.digest
  return SCHEME .. target.name .. (digest and "@" .. digest or ":" .. target.tag)
end

--- A function that shows how a number that only grows has grown.
---@param progress luactr.image.progress
---@param total integer
---@param now fun(...): integer?
---@return fun(...)
function M.follower(progress, total, now)
  local shown = 0
  return function(...)
    local bytes = math.min(now(...) or 0, total)
    if bytes > shown then
      progress:add(bytes - shown)
      shown = bytes
    end
  end
end

--- A caller's mistakes in the options.
---@param text any
---@param options luactr.image.registry_options
function M.check(text, options)
  if type(text) ~= "string" then
    error("name: string expected, got " .. type(text), 3)
  elseif (options.username == nil) ~= (options.password == nil) then
    error("username and password belong together", 3)
  elseif options.username and options.auth_file then
    error("auth_file and username exclude each other", 3)
  end
  local problem = require("luactr.image.known").problem(options, OPTIONS)
    or options.platform and select(2, document.parse_platform(options.platform))
  if problem then
    error(problem, 3)
  end
end

return M
