--- From `idmap` to the maps of a user namespace: which ranges, who may write them, what is refused.
--- Pure: what luactr may map is a fact of the host (luactr.idmap.facts).
local M = {}

M.RANGE = 65536 -- ids of a container that gets a range: what distributions use

local KINDS <const> = { "uid", "gid" }
local PROGRAM <const> = { uid = "newuidmap", gid = "newgidmap" }
local FILE <const> = { uid = "/etc/subuid", gid = "/etc/subgid" }
local WHO <const> = { uid = "user", gid = "group" }

---@class luactr.idmap.maps
---@field uid luactr.idmap.range[]
---@field gid luactr.idmap.range[]
---@field setgroups? "deny" needed by the kernel before a group map without root
---@field helpers? { uid: string, gid: string } programs that write them
---@field range? integer so many ids are taken from the free ones when it starts; `outside` is 0
---@field foreign? boolean root inside is not luactr's own user outside
---@field joined? boolean they are those of a user namespace that is there already

-- ---- ranges

-- Ranges { first, count } in order, those that touch as one.
local function merged(ranges)
  local list = {}
  for i, range in ipairs(ranges) do
    list[i] = { first = range.first, count = range.count }
  end
  table.sort(list, function(a, b) return a.first < b.first end)
  local result = {}
  for _, range in ipairs(list) do
    local last = result[#result]
    if last and range.first <= last.first + last.count then
      last.count = math.max(last.count, range.first + range.count - last.first)
    else
      result[#result + 1] = range
    end
  end
  return result
end

local function contains(ranges, first, count)
  for _, range in ipairs(ranges) do
    if first >= range.first and first + count <= range.first + range.count then
      return true
    end
  end
  return false
end

local function words(ranges)
  local list = {}
  for i, range in ipairs(ranges) do
    list[i] = range.count == 1 and tostring(range.first)
      or string.format("%d-%d", range.first, range.first + range.count - 1)
  end
  return #list > 0 and table.concat(list, ", ") or "none"
end

local function inside(rows, id)
  for _, row in ipairs(rows) do
    if id >= row.inside and id < row.inside + row.count then
      return row.outside + id - row.inside
    end
  end
end

-- ---- what luactr may do

local function may_write(ids)
  return ids.may.uid and ids.may.gid
end

-- One id each, its own: what everybody may map.
local function is_own(rows, kind, host)
  return #rows == 1 and rows[1].count == 1 and rows[1].outside == host[kind]
end

local function needs_one_id(spec)
  return #spec.groups == 0 and not spec.groups.keep
end

-- ---- the maps by word

local function single(spec, host)
  return {
    uid = { { inside = spec.user.uid, outside = host.uid, count = 1 } },
    gid = { { inside = spec.user.gid, outside = host.gid, count = 1 } },
    -- user_namespaces(7): required before an unprivileged gid_map
    setgroups = not host.privileged and "deny" or nil,
  }
end

local function allocated()
  local rows = { { inside = 0, outside = 0, count = M.RANGE } }
  return { uid = rows, gid = rows, range = M.RANGE, foreign = true }
end

-- luactr's own id as root, and behind it all that were granted to it.
local function granted_rows(host, kind)
  local rows = { { inside = 0, outside = host[kind], count = 1 } }
  local next_id = 1
  for _, range in ipairs(host.ids.granted[kind]) do
    rows[#rows + 1] = { inside = next_id, outside = range.first, count = range.count }
    next_id = next_id + range.count
  end
  return rows
end

local function helper_problem(ids)
  for _, kind in ipairs(KINDS) do
    if not ids.helpers[kind] then
      return string.format("%s is not installed, and without root only it may write such a map: "
        .. "install it (Debian: apt install uidmap), or say idmap = \"single\"", PROGRAM[kind])
    end
  end
end

local function granted(_, host)
  local ids = host.ids
  for _, kind in ipairs(KINDS) do
    if #ids.granted[kind] == 0 then
      return nil, string.format("%s grants no %ss to %s: as root add the line %s:100000:65536, "
        .. "or say idmap = \"single\"", FILE[kind], WHO[kind], ids.name, ids.name)
    end
  end
  local problem = helper_problem(ids)
  if problem then
    return nil, problem
  end
  return { uid = granted_rows(host, "uid"), gid = granted_rows(host, "gid"),
    helpers = ids.helpers }
end

local function range(spec, host)
  if not may_write(host.ids) then
    return granted(spec, host)
  elseif not host.ids.pool then
    return nil, "luactr's own user namespace has no " .. M.RANGE .. " ids to spare: give the map, "
      .. "as { uid = { { 0, 0, 1000 } } }, or say idmap = \"single\""
  end
  return allocated()
end

local BY_WORD <const> = {
  single = single,
  range = range,
  auto = function(spec, host)
    local ids = host.ids
    local single_will_do = needs_one_id(spec) and not (may_write(ids) and ids.pool)
    return (single_will_do and single or range)(spec, host)
  end,
}

-- ---- maps by number

local function owned_problem(rows, kind, host)
  local ids = host.ids
  local writes = may_write(ids)
  local own = writes and ids.own[kind] or table.move(ids.granted[kind], 1, #ids.granted[kind], 2,
    { { first = host[kind], count = 1 } })
  own = merged(own)
  for i, row in ipairs(rows) do
    if not contains(own, row.outside, row.count) then
      local of = writes and "exist in luactr's own user namespace"
        or string.format("belong to %s (%s)", ids.name, FILE[kind])
      return { path = string.format("idmap.%s[%d]", kind, i), message = string.format(
        "%s %s: only %s %s", WHO[kind], words { { first = row.outside, count = row.count } },
        words(own), of) }
    end
  end
end

local function given(spec, host)
  local maps = { uid = spec.idmap.uid, gid = spec.idmap.gid }
  local all_own, problems = true, {}
  for _, kind in ipairs(KINDS) do
    problems[#problems + 1] = owned_problem(maps[kind], kind, host)
    if inside(maps[kind], 0) == nil and not is_own(maps[kind], kind, host) then
      problems[#problems + 1] = { path = "idmap." .. kind,
        message = "has no 0: root of the container sets it up" }
    end
    all_own = all_own and is_own(maps[kind], kind, host)
  end
  if #problems > 0 then
    return nil, problems
  elseif may_write(host.ids) then
    maps.foreign = inside(maps.uid, 0) ~= host.uid
    return maps
  elseif all_own then
    maps.setgroups = "deny"
    return maps
  end
  local problem = helper_problem(host.ids)
  maps.helpers, maps.foreign = host.ids.helpers, inside(maps.uid, 0) ~= host.uid
  return not problem and maps or nil, problem
end

-- ---- all together

local function unmapped(spec, maps)
  local problems = {}
  local function need(id, kind, path)
    if inside(maps[kind], id) == nil then
      local whose = maps.joined and "the map of the one that is joined" or "idmap." .. kind
      problems[#problems + 1] = { path = path, message = string.format(
        "%s %d does not exist in the user namespace: %s does not map it", WHO[kind], id, whose) }
    end
  end
  need(spec.user.uid, "uid", "user")
  need(spec.user.gid, "gid", "user")
  if spec.given.groups then
    for i, gid in ipairs(spec.groups) do
      need(gid, "gid", "groups[" .. i .. "]")
    end
  end
  return problems
end

--- Those of another container. Which they are shows when it is looked at; until then all may be.
local function joined(spec, host)
  local maps = host.maps_of(spec.namespaces.user)
  if not maps then
    return { uid = {}, gid = {}, joined = true }
  end
  maps.joined, maps.foreign = true, inside(maps.uid, 0) ~= host.uid
  local problems = unmapped(spec, maps)
  if #problems > 0 then
    return nil, problems
  end
  return maps
end

--- The maps for a container.
---@param spec luactr.spec settled
---@param host luactr.host
---@return luactr.idmap.maps? maps nil without a user namespace
---@return luactr.problem[]? problems
function M.compile(spec, host)
  if type(spec.namespaces.user) == "table" then
    return joined(spec, host)
  elseif spec.namespaces.user ~= "new" then
    return nil
  elseif not spec.idmap then
    return single(spec, host)
  end
  local maps, problem
  if spec.idmap.mode then
    maps, problem = BY_WORD[spec.idmap.mode](spec, host)
  else
    maps, problem = given(spec, host)
  end
  if not maps then
    return nil, type(problem) == "table" and problem or { { path = "idmap", message = problem } }
  end
  local problems = maps.setgroups and {} or unmapped(spec, maps)
  if #problems > 0 then
    return nil, problems
  end
  return maps
end

--- The maps of a container that got its range: the same with the ids that are its own.
---@param maps luactr.idmap.maps
---@param first { uid: integer, gid: integer }
---@return luactr.idmap.maps
function M.placed(maps, first)
  local result = setmetatable({}, { __index = maps })
  for _, kind in ipairs(KINDS) do
    result[kind] = { { inside = 0, outside = first[kind], count = maps.range } }
  end
  return result
end

-- ---- mounts that luactr itself opens, before it has another user

---@class luactr.idmap.tree a copy of a mount that comes to the init as a descriptor
---@field slot string
---@field source string
---@field fd? any the descriptor that is the source
---@field recursive boolean
---@field nofollow? boolean
---@field map? true|{ uid: luactr.idmap.range[], gid: luactr.idmap.range[] } true: the container's
---@field whole? boolean the mounts below are mapped, too
---@field mapped? boolean what became of that
---@field lenient? boolean a file system that cannot do it stays as it is, with a warning
---@field open? fun(tree: luactr.idmap.tree, run: luactr.run): luactr.fd?, table? in place of a copy

--- Let luactr open a source and map the ids of its files.
---@param plan luactr.plan
---@param host luactr.host
---@param tree luactr.idmap.tree
---@return string? slot
---@return string? problem
function M.tree(plan, host, tree)
  if tree.map and not host.privileged then
    return nil, "needs root: only the owner of a file system may map its users"
  elseif tree.map == true and not plan.id_maps then
    return nil, "has no users to map to: the container has no user namespace of its own"
  end
  plan.trees = plan.trees or {}
  table.insert(plan.trees, tree)
  return tree.slot
end

--- The same for a directory that becomes the root: files of root are root's inside.
---@param steps table[] of the rootfs
---@param wanted? boolean|{ uid: luactr.idmap.range[], gid: luactr.idmap.range[] }
---@return table[]? steps
---@return luactr.problem[]? problems
function M.root(steps, wanted, plan, host)
  local step = steps[1]
  if step.op ~= "root_bind" or step.opened then
    return steps
  end
  local lenient = wanted == nil
  local slot, problem = M.tree(plan, host, { slot = "tree:rootfs", source = step.source,
    recursive = step.recursive == 1, map = lenient or wanted or nil, whole = true,
    lenient = lenient })
  if not slot then
    return nil, { { path = "rootfs", message = "idmap " .. problem } }
  end
  step.detached = slot
  return steps
end

M.kinds = KINDS
M.merged = merged

return M
