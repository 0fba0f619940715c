--- Contributor: Landlock for the command. Pure: what the kernel can do comes with the host.
--
-- The rules are made while the process still is root of the container, so that no directory on the
-- way is closed to it; they are entered when no_new_privs is on, before the filter.
local M = {}

-- What each version of Landlock added (landlock(7)); a newer kernel is used as the last of them.
-- `words` need that version. `without` is what the rules of an older one let happen, or keep from
-- happening, when files are restricted.
local VERSIONS <const> = {
  { abi = 1, linux = "5.13", rights = { "EXECUTE", "WRITE_FILE", "READ_FILE", "READ_DIR",
    "REMOVE_DIR", "REMOVE_FILE", "MAKE_CHAR", "MAKE_DIR", "MAKE_REG", "MAKE_SOCK", "MAKE_FIFO",
    "MAKE_BLOCK", "MAKE_SYM" }, words = {} },
  { abi = 2, linux = "5.19", rights = { "REFER" }, words = {},
    without = { "read", "write", "execute",
      text = "no file can be moved or linked into another directory, wherever it is" } },
  { abi = 3, linux = "6.2", rights = { "TRUNCATE" }, words = {},
    without = { "write", text = "a file can be emptied by truncate(2), wherever it is" } },
  { abi = 4, linux = "6.7", rights = {}, words = { "tcp" } },
  { abi = 5, linux = "6.10", rights = { "IOCTL_DEV" }, words = { "ioctl" } },
  { abi = 6, linux = "6.12", rights = {}, words = { "scope" } },
  { abi = 7, linux = "6.15", rights = {}, words = {} },
}

M.newest = VERSIONS[#VERSIONS].abi

--- The first version that a kernel of this one lacks.
---@param abi integer
---@return { abi: integer, linux: string }?
function M.after(abi)
  for _, version in ipairs(VERSIONS) do
    if version.abi > abi then
      return version
    end
  end
end

-- The words about files. `denies` is what a word takes away everywhere, `allows` what it gives
-- back at its paths. Who may change a file or run it may read it too: that is how programs open
-- what they change, and how the kernel opens what it runs.
local READ <const> = { "READ_FILE", "READ_DIR" }
local CHANGE <const> = { "WRITE_FILE", "TRUNCATE", "REMOVE_DIR", "REMOVE_FILE", "MAKE_DIR",
  "MAKE_REG", "MAKE_SOCK", "MAKE_FIFO", "MAKE_SYM", "REFER" }

local WORDS <const> = {
  { name = "read", denies = READ, allows = READ },
  { name = "write", denies = { "MAKE_CHAR", "MAKE_BLOCK", table.unpack(CHANGE) },
    allows = { "READ_FILE", "READ_DIR", table.unpack(CHANGE) } },
  { name = "execute", denies = { "EXECUTE" }, allows = { "EXECUTE", "READ_FILE", "READ_DIR" } },
  { name = "ioctl", denies = { "IOCTL_DEV" }, allows = { "IOCTL_DEV" } },
}

local PORTS <const> = { { name = "bind", right = "BIND_TCP" },
  { name = "connect", right = "CONNECT_TCP" } }

local function sys()
  return require("luactr.core").sys
end

local function bits(names, prefix)
  local mask, constants = 0, sys()
  for _, name in ipairs(names or {}) do
    mask = mask | constants[prefix .. name:upper()]
  end
  return mask
end

local function files(names)
  return bits(names, "LANDLOCK_ACCESS_FS_")
end

-- ---- what this kernel can do

--- All rights to files that a version knows.
local function known_rights(abi)
  local mask = 0
  for _, version in ipairs(VERSIONS) do
    mask = version.abi <= abi and mask | files(version.rights) or mask
  end
  return mask
end

local function any(landlock, words)
  for _, word in ipairs(words) do
    if landlock[word] then
      return word
    end
  end
end

local ABSENT <const> = {
  ENOSYS = "this kernel was built without Landlock",
  EOPNOTSUPP = "Landlock is switched off: \"landlock\" is not in the kernel's list lsm=",
}

--- Why there is no Landlock at all.
---@param found { abi?: integer, code?: string }
---@return string? reason
function M.absence(found)
  if not found.abi then
    return ABSENT[found.code] or "this kernel has no Landlock (" .. tostring(found.code) .. ")"
  end
end

--- The words that this version lacks, as { word, version }, and what its rules do otherwise.
local function gaps(landlock, abi)
  local words, weaker = {}, {}
  for _, version in ipairs(VERSIONS) do
    local word = version.abi > abi and any(landlock, version.words)
    words[#words + 1] = word and { name = word, version = version } or nil
    if version.abi > abi and version.without and any(landlock, version.without) then
      weaker[#weaker + 1] = version.without.text
    end
  end
  return words, weaker
end

local function refusal(path, message, optional, plan)
  if not optional then
    return { path = path, message = message }
  end
  plan.warnings[#plan.warnings + 1] = path .. " is not enforced: " .. message
end

--- Judge the host: problems, or warnings in the plan where the recipe says optional.
local function judge(landlock, found, plan)
  local absence = M.absence(found)
  if absence then
    return false, { refusal("landlock", absence, landlock.optional, plan) }
  end
  local words, weaker = gaps(landlock, found.abi)
  local problems = {}
  for _, word in ipairs(words) do
    problems[#problems + 1] = refusal("landlock." .. word.name,
      string.format("needs Landlock ABI %d (Linux %s), this kernel has %d", word.version.abi,
        word.version.linux, found.abi), landlock.optional, plan)
  end
  for _, text in ipairs(weaker) do
    plan.warnings[#plan.warnings + 1] = string.format("landlock: with ABI %d of this kernel %s",
      found.abi, text)
  end
  return true, problems
end

-- ---- steps

local function path_steps(landlock, denied)
  local steps = {}
  for _, word in ipairs(WORDS) do
    local access = files(word.allows) & denied
    for i, place in ipairs(access ~= 0 and landlock[word.name] or {}) do
      steps[#steps + 1] = { op = "landlock_path", path = place.path, access = access,
        optional = place.optional and 1 or 0,
        from = string.format("landlock.%s[%d]", word.name, i) }
    end
  end
  return steps
end

--- The kernel denies moves between directories in every rule set about files, also in one that says
--- nothing else about writing.
local function free_moves(landlock, denied)
  local refer = files { "REFER" } & denied
  if landlock.write or refer == 0 then
    return {}
  end
  return { { op = "landlock_path", path = "/", access = refer, from = "landlock" } }
end

local function port_steps(landlock, denied)
  local steps = {}
  for _, direction in ipairs(PORTS) do
    local access = bits({ direction.right }, "LANDLOCK_ACCESS_NET_") & denied
    local list = access ~= 0 and landlock.tcp[direction.name] or {}
    for i, port in ipairs(list) do
      steps[#steps + 1] = { op = "landlock_port", port = port, access = access,
        from = string.format("landlock.tcp.%s[%d]", direction.name, i) }
    end
  end
  return steps
end

local function denied_files(landlock, abi)
  local mask = 0
  for _, word in ipairs(WORDS) do
    if landlock[word.name] then
      mask = mask | files(word.denies)
    end
  end
  local known = known_rights(abi)
  mask = mask & known
  return mask ~= 0 and mask | files { "REFER" } & known or 0
end

local function denied_ports(landlock, abi)
  local names = {}
  for _, direction in ipairs(PORTS) do
    names[#names + 1] = landlock.tcp and landlock.tcp[direction.name] and direction.right or nil
  end
  return abi >= 4 and bits(names, "LANDLOCK_ACCESS_NET_") or 0
end

--- The rule set: begun, and filled.
---@param spec luactr.spec settled
---@param host luactr.host
---@param plan luactr.plan its warnings are added to
---@return table[] steps none where the host has nothing that the recipe restricts
---@return luactr.problem[] problems
function M.rules(spec, host, plan)
  local landlock = spec.landlock
  local fine, problems = judge(landlock, host.landlock, plan)
  if not fine or #problems > 0 then
    return {}, problems
  end
  local abi = math.min(host.landlock.abi, M.newest)
  local fs, net = denied_files(landlock, abi), denied_ports(landlock, abi)
  local scope = abi >= 6 and bits(landlock.scope, "LANDLOCK_SCOPE_") or 0
  if fs | net | scope == 0 then
    return {}, {}
  end
  local steps = { { op = "landlock_create_ruleset", files = fs, net = net, scope = scope,
    from = "landlock" } }
  for _, more in ipairs { free_moves(landlock, fs), path_steps(landlock, fs),
    port_steps(landlock, net) } do
    table.move(more, 1, #more, #steps + 1, steps)
  end
  return steps, {}
end

--- What puts the process under the rules that were made.
function M.enter()
  return { { op = "landlock_restrict_self", from = "landlock" } }
end

return M
