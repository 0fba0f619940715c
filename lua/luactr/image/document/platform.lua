--- Platforms of images, as Go calls them, and which of several fits. Pure.
local M = {}

-- What uname(2) says of a machine, as Go says it.
local MACHINES <const> = {
  x86_64 = { "amd64" }, aarch64 = { "arm64", "v8" }, i386 = { "386" }, i686 = { "386" },
  armv6l = { "arm", "v6" }, armv7l = { "arm", "v7" }, armv8l = { "arm", "v7" },
  ppc64le = { "ppc64le" }, riscv64 = { "riscv64" }, s390x = { "s390x" },
  loongarch64 = { "loong64" }, mips64 = { "mips64le" },
}

--- The platform of a machine; of an unknown one under its own name.
---@param machine string as uname(2) has it
---@return luactr.image.platform
function M.of(machine)
  local row = MACHINES[machine] or { machine }
  return { os = "linux", architecture = row[1], variant = row[2] }
end

--- "linux/arm64/v8", or "arm64" alone.
---@param text string
---@return luactr.image.platform?
---@return string? problem
function M.parse(text)
  local os, architecture, variant = text:match("^([^/]+)/([^/]+)/?([^/]*)$")
  if not os and text:find("^[^/]+$") then
    os, architecture, variant = "linux", text, ""
  end
  if not os then
    return nil, string.format("%q is no platform: OS/ARCHITECTURE[/VARIANT]", text)
  end
  return { os = os, architecture = architecture, variant = variant ~= "" and variant or nil }
end

---@param platform luactr.image.platform
---@return string
function M.text(platform)
  return string.format("%s/%s%s", platform.os, platform.architecture,
    platform.variant and "/" .. platform.variant or "")
end

--- How well an offered platform fits: 0 not at all. One without a variant fits any; an older
--- variant of arm runs as well, the newest that does is the best.
local function fitness(offered, wanted)
  if type(offered) ~= "table" or offered.os ~= wanted.os
    or offered.architecture ~= wanted.architecture then
    return 0
  elseif offered.variant == wanted.variant then
    return 100
  elseif offered.variant == nil or wanted.variant == nil then
    return 99
  end
  local has = tonumber(tostring(offered.variant):match("^v(%d+)$"))
  local may = tonumber(wanted.variant:match("^v(%d+)$"))
  return has and may and has < may and math.min(has, 98) or 0
end

local function offers(index)
  local list = {}
  for _, descriptor in ipairs(index.manifests) do
    local platform = descriptor.platform
    local known = type(platform) == "table" and type(platform.os) == "string"
      and type(platform.architecture) == "string" and platform.architecture ~= "unknown"
    list[#list + 1] = known and M.text(platform) or nil
  end
  return #list > 0 and table.concat(list, ", ") or "none"
end

--- The entry of an index for a platform. A single one that names no platform fits any.
---@param index luactr.image.index
---@param wanted luactr.image.platform
---@return luactr.image.descriptor?
---@return string? problem
function M.choose(index, wanted)
  local best, best_fit = nil, 0
  for _, descriptor in ipairs(index.manifests) do
    local fit = fitness(descriptor.platform, wanted)
    if fit > best_fit then
      best, best_fit = descriptor, fit
    end
  end
  local only = #index.manifests == 1 and index.manifests[1] or nil
  if best then
    return best
  elseif only and only.platform == nil then
    return only
  end
  return nil, string.format("it has no image for %s; it has some for: %s",
    M.text(wanted), offers(index))
end

--- Whether an image is for the platform that somebody asks for.
---@param config luactr.image.config
---@param text? string "linux/arm64"; none fits any
---@return boolean fits
---@return string? problem
function M.check(config, text)
  if not text then
    return true
  end
  local fitting, problem = M.choose({ manifests = { { platform = config } } }, (M.parse(text)))
  return fitting ~= nil, problem
end

return M
