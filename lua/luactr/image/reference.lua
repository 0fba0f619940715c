--- Names of images: REGISTRY/PATH:TAG@DIGEST, by the grammar of the OCI distribution specification.
--- Pure.
local M = {}

local LONGEST_NAME <const> = 255
local LONGEST_TAG <const> = 128
local SHOWN <const> = 80
local HEX_DIGITS <const> = { sha256 = 64, sha512 = 128 }

M.DEFAULT_TAG = "latest"

---@class luactr.image.reference
---@field name string with the registry, if there is one: "docker.io/library/alpine"
---@field tag? string "latest" unless there is one, or a digest
---@field digest? string "sha256:..."
local Reference = {}
Reference.__index = Reference

---@return string "NAME:TAG@DIGEST"
function Reference:__tostring()
  return self.name .. (self.tag and ":" .. self.tag or "")
    .. (self.digest and "@" .. self.digest or "")
end

--- The key of a named image: "NAME:TAG".
---@return string
function Reference:key()
  return self.name .. ":" .. (self.tag or M.DEFAULT_TAG)
end

local function quoted(text)
  return string.format("%q", #text > SHOWN and text:sub(1, SHOWN) .. "..." or text)
end

-- ---- parts

--- What is wrong with a digest, a blob's name: "sha256:" and 64 hexadecimal digits.
---@param digest any
---@return string? problem
function M.digest_problem(digest)
  if type(digest) ~= "string" then
    return "a digest is text, not " .. type(digest)
  end
  local algorithm, hex = digest:match("^(%w+):(%x+)$")
  if not algorithm then
    return quoted(digest) .. " is no digest: sha256:HEX"
  elseif algorithm ~= "sha256" then
    return HEX_DIGITS[algorithm] and algorithm .. " digests are not supported, sha256 is"
      or "the algorithm of " .. quoted(digest) .. " is unknown, sha256 is"
  elseif #hex ~= HEX_DIGITS[algorithm] or hex:find("%u") then
    return quoted(digest) .. " is no digest: sha256 has 64 lower-case hexadecimal digits"
  end
end

local function is_registry(component)
  return component == "localhost" or component:find("[.:]") ~= nil
end

local function registry_problem(text)
  local host, port = text:match("^([^:]*):?(.*)$")
  for label in (host .. "."):gmatch("([^.]*)%.") do
    if not label:find("^%w[%w-]*$") or label:find("%-$") then
      return "the registry " .. quoted(text) .. " is no host name"
    end
  end
  if text:find(":", 1, true) and not port:find("^%d+$") then
    return "the port of the registry " .. quoted(text) .. " is no number"
  end
end

--- Words of small letters and digits, joined by one dot, one or two underscores, or dashes.
local function component_problem(text)
  if text == "" then
    return "has an empty part"
  elseif text:find("%u") then
    return "has capital letters"
  elseif text:find("[^a-z0-9._-]") then
    return "has " .. quoted(text:match("[^a-z0-9._-]")) .. " in it"
  elseif text:find("^[._-]") or text:find("[._-]$") then
    return "has a part that begins or ends with a separator"
  end
  for separator in text:gmatch("[._-]+") do
    if separator ~= "." and separator ~= "_" and separator ~= "__" and separator:find("[^-]") then
      return "has " .. quoted(separator) .. " in it"
    end
  end
end

local function name_problem(name)
  if name == "" then
    return "an image's name is empty"
  elseif #name > LONGEST_NAME then
    return string.format("an image's name has %d characters, at most %d", #name, LONGEST_NAME)
  end
  local first, rest = name:match("^([^/]*)/(.*)$")
  if first and is_registry(first) then
    local problem = registry_problem(first)
    if problem then
      return problem
    end
  else
    rest = name
  end
  for component in (rest .. "/"):gmatch("([^/]*)/") do
    local problem = component_problem(component)
    if problem then
      return "the name " .. quoted(name) .. " " .. problem
    end
  end
end

local function tag_problem(tag)
  if tag == "" then
    return "the tag is empty"
  elseif #tag > LONGEST_TAG then
    return string.format("the tag has %d characters, at most %d", #tag, LONGEST_TAG)
  elseif not tag:find("^[%w_][%w_.-]*$") then
    return "the tag " .. quoted(tag) .. " has more in it than letters, digits, '_', '.' and '-', "
      .. "or begins with one of the last two"
  end
end

-- ---- the whole

--- Take a name apart.
---@param text string "alpine", "registry:5000/a/b:1.2", "a@sha256:..."
---@return luactr.image.reference?
---@return string? problem
function M.parse(text)
  if type(text) ~= "string" then
    return nil, "an image's name is text, not " .. type(text)
  end
  local scheme = text:match("^%a[%w+.-]*://")
  if scheme then
    return nil, quoted(scheme) .. " is no part of a name: docker:// is for pull and push"
  end
  local name, digest = text:match("^([^@]*)@(.*)$")
  name = name or text
  local tag = name:match(":([^:/]*)$")
  if tag then
    name = name:sub(1, -#tag - 2)
  end
  local problem = name_problem(name) or tag and tag_problem(tag)
    or digest and M.digest_problem(digest)
  if problem then
    return nil, problem
  end
  return setmetatable({
    name = name, tag = tag or not digest and M.DEFAULT_TAG or nil, digest = digest,
  }, Reference)
end

-- ---- short names

local function ends_with(name, short)
  return name == short or name:sub(-#short - 1) == "/" .. short
end

--- The stored names that a name may mean: itself, or else those whose last components it is.
---@param reference luactr.image.reference
---@param keys string[] "NAME:TAG"
---@return string[]
function M.matches(reference, keys)
  local found = {}
  for _, key in ipairs(keys) do
    local name, tag = key:match("^(.*):([^:/]*)$")
    if not reference.tag or tag == reference.tag then
      if name == reference.name and reference.tag then
        return { key }
      elseif ends_with(name, reference.name) then
        found[#found + 1] = key
      end
    end
  end
  table.sort(found)
  return found
end

return M
