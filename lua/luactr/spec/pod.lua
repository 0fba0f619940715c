--- What a pod's table may say: `fields`, and at 1, 2, ... its members. Pure.
--
-- A member is a container or the table of one. What both the pod and a member decide must agree: a
-- namespace that is shared is the pod's, with the names and parameters in it.
local check = require "luactr.check"
local spec = require "luactr.spec"
local values = require "luactr.spec.values"

local M = {}

--- The namespaces that members can share, in the order to join them.
M.KINDS = { "user", "network", "ipc", "uts", "time", "pid" }

local ALIASES <const> = { net = "network" } -- what procfs and other tools say

local REFUSED <const> = {
  mount = "cannot be shared: each member mounts a root of its own",
  cgroup = "cannot be shared: each member has limits of its own, and sees its group as the root",
}

-- ---- share: { "network", "ipc" } -> kind to true

local kind <const> = check.enum(M.KINDS)

local function shared_kind(value, path, problems)
  if REFUSED[value] then
    return problems:add(path, "%s", REFUSED[value])
  end
  return problems:check(kind, ALIASES[value] or value, path)
end

local function as_set(list)
  local set = {}
  for _, name in ipairs(list) do
    set[name] = true
  end
  return set
end

local share <const> = check.list(check.custom(table.concat(M.KINDS, ", "), shared_kind), {
  what = "list of kinds of namespaces", hint = "{ \"network\", \"ipc\", \"uts\" }",
  convert = as_set,
})

M.fields = {
  { name = "name", type = values.name, default_text = "made up",
    help = "the pod's name, and the first part of its members'" },
  { name = "share", type = share, default = { network = true, ipc = true, uts = true },
    default_text = "network, ipc and uts",
    help = "namespaces that all members are in: network, ipc, uts, user, time, pid" },
  { name = "hostname", type = values.hostname, default_text = "the name",
    help = "host name inside, with uts shared" },
  { name = "domainname", type = values.domainname,
    help = "NIS domain name inside, with uts shared" },
  { name = "idmap", type = values.idmap, default_text = "one user and one group",
    help = "which users and groups exist in a user namespace that all share" },
  { name = "limits", type = require "luactr.spec.limits", default = { optional = false },
    help = "of all members together, beside the limits of each" },
}

local fields <const> = check.record(M.fields, { what = "table of fields and members" })

-- ---- the members

local CONTAINER <const> = "luactr.container"

local function found_problems(problems, index, err)
  for _, problem in ipairs(err.problems) do
    problems:add(check.join("", index) .. (problem.path:find("^%[") and "" or ".") .. problem.path,
      "%s", problem.message)
  end
end

---@class luactr.spec.pod.member
---@field spec luactr.spec checked
---@field box? luactr.container when the recipe gave one

--- One member from what the recipe gives; nil after a problem.
local function member_of(value, index, where, problems)
  local path = string.format("[%d]", index)
  if check.class(value) == CONTAINER then
    local state = value.pod and "a member of pod " .. check.show(value.pod.id) .. " already"
      or value.life and "running already"
    if state then
      return problems:add(path, "is %s", state)
    end
    return { spec = value.spec, box = value }
  elseif not check.is_plain(value) then
    return problems:add(path, "container or the table of one expected, got %s", check.show(value))
  end
  local checked, err = spec.check(value, where
    and { file = where.file, line = where.line, within = path })
  if not checked then
    return found_problems(problems, index, err)
  end
  return { spec = checked }
end

-- ---- what a member may not decide

--- What the uts namespace has.
local function named_alone(member)
  for _, field in ipairs { "hostname", "domainname" } do
    if member.given[field] then
      return field, "is the pod's, whose uts namespace is shared: say " .. field .. " there"
    end
  end
end

local function clocks_alone(member)
  if member.clock then
    return "clock", "is the pod's, whose time namespace is shared"
  end
end

local OF_KIND <const> = { uts = named_alone, time = clocks_alone }

--- A field that a shared namespace has decided.
local function contradiction(member, name)
  local word, default = member.namespaces[name], values.namespace_defaults[name]
  if word ~= "new" and word ~= default then
    local path = name == "network" and member.given.network and "network" or "namespaces." .. name
    return path, string.format("contradicts the pod, which shares its %s namespace", name)
  elseif OF_KIND[name] then
    return OF_KIND[name](member)
  end
end

--- Users of its own own nothing of the pod's namespaces, and could not enter them.
local function users_alone(member, shared)
  if next(shared) == nil then
    return
  elseif member.idmap then
    return "idmap", "cannot enter what the pod shares: say idmap of the pod"
  elseif member.namespaces.user ~= "auto" and not shared.user then
    return "namespaces.user", member.namespaces.user ~= "host"
      and "cannot enter what the pod shares: share user there" or nil
  end
end

local function parameters(member, shared)
  for key in pairs(member.sysctl) do
    local home = require("luactr.spec.rules").sysctl_home(key)
    if shared[home] then
      return "sysctl." .. key, string.format("needs a namespace of its own: %s is the pod's", home)
    end
  end
end

local function check_member(member, pod, path, problems)
  local function note(field, message)
    if message then
      problems:add(path .. "." .. field, "%s", message)
    end
  end
  for _, name in ipairs(M.KINDS) do
    if pod.share[name] then
      note(contradiction(member, name))
    end
  end
  note(users_alone(member, pod.share))
  note(parameters(member, pod.share))
  if member.cgroup then
    note("cgroup", "is in the pod's, whose limits count for it: leave it out")
  end
  if member.scope then
    note("scope", "is of one container, and a pod has one cgroup for all: leave it out")
  end
  if not member.name then
    note("name", "is missing: the members of a pod are told apart by it")
  end
end

-- ---- all together

--- The limits that no cgroup knows are enforced by who watches a container.
local WATCHED <const> = { "wall_time", "cpu_time", "output" }

local function check_pod(pod, problems)
  for _, name in ipairs(WATCHED) do
    if pod.limits and pod.limits[name] then
      problems:add("limits." .. name, "is each member's own: say it there")
    end
  end
  for _, name in ipairs { "hostname", "domainname" } do
    if pod[name] and pod.share and not pod.share.uts then
      problems:add(name, "needs a shared uts namespace: add uts to share")
    end
  end
end

--- The fields, and the members apart from them.
local function split(raw)
  local said, list = {}, {}
  for key, value in next, raw do
    if math.type(key) == "integer" then
      list[key] = value
    else
      said[key] = value
    end
  end
  return said, list
end

local elements <const> = check.list(check.custom("container", function(value) return value end), {
  what = "containers", min = 1,
})

local LONGEST <const>, MADE_UP <const> = 64, 12 -- bytes of a container's name, and of a random one

--- A member's name is told with the pod's before it: POD.MEMBER.
local function check_name(pod, name, path, problems)
  local length = (pod.name and #pod.name or MADE_UP) + 1 + #name
  if length > LONGEST then
    problems:add(path .. ".name", "is too long: \"%s.%s\" has more than %d bytes",
      pod.name or "POD", name, LONGEST)
  end
end

local function check_terminal(pod, i, problems)
  for k = 1, i - 1 do
    if pod.members[k] and pod.members[k].spec.tty == true then
      return problems:add(string.format("[%d].tty", i),
        "one member has the terminal, and that is [%d]", k)
    end
  end
end

--- Of one with problems.
local function name_of(value)
  local name = check.is_plain(value) and rawget(value, "name")
  return type(name) == "string" and name or nil
end

local function check_members(pod, list, where, problems)
  local seen = {}
  for i, value in ipairs(problems:check(elements, list, "") or {}) do
    local member = member_of(value, i, where, problems)
    local path = string.format("[%d]", i)
    if member and pod.share then
      check_member(member.spec, pod, path, problems)
    end
    local name = member and member.spec.name or name_of(value)
    if name and seen[name] then
      problems:add(path .. ".name", "%s is the name of [%d] already", check.show(name), seen[name])
    elseif name then
      seen[name] = i
      check_name(pod, name, path, problems)
    end
    if member and member.spec.tty == true then
      check_terminal(pod, i, problems)
    end
    if member and i == 1 and pod.share and pod.share.pid and member.spec.restart ~= "no" then
      problems:add("[1].restart", "cannot be: the processes of all others end with this one's")
    end
    pod.members[i] = member
  end
end

-- ---- a member's part

--- Several containers cannot read one terminal: unless a member says so, it reads nothing.
local function streams(copy, member)
  copy.tty = member.tty == true
  if not copy.tty and not member.given.stdin then
    copy.stdin = { kind = "null" }
  end
end

--- The spec of a member with what is the pod's.
---@param member luactr.spec
---@param pod luactr.pod
---@param index integer
---@return luactr.spec
function M.member(member, pod, index)
  local copy = setmetatable({ namespaces = {} }, { __index = member })
  for name, word in pairs(member.namespaces) do
    copy.namespaces[name] = pod.share[name]
      and { join = "pod", name = pod.id, hostname = pod.hostname } or word
  end
  if pod.share.pid and index == 1 then
    copy.namespaces.pid = "new" -- its PID 1 is everybody's
  end
  copy.group = pod.id .. "/" .. member.name
  streams(copy, member)
  return copy
end

-- ---- the check

---@class luactr.spec.pod
---@field name? string
---@field share table<string, boolean> by kind
---@field hostname? string
---@field domainname? string
---@field idmap? table
---@field limits table
---@field members luactr.spec.pod.member[]
---@field where? luactr.where

--- All problems of a pod's table and of its members', or its normalized form.
---@param raw any
---@param where? luactr.where
---@return luactr.spec.pod?
---@return table? error code "ESPEC"
function M.check(raw, where)
  local problems = check.problems()
  if not check.is_plain(raw) then
    problems:expected(fields, "", raw)
    return nil, spec.refusal(table.move(problems, 1, #problems, 1, {}), where)
  end
  local said, list = split(raw)
  local pod = problems:check(fields, said, "")
  pod.where, pod.members = where, {}
  check_pod(pod, problems)
  check_members(pod, list, where, problems)
  if #problems > 0 then
    return nil, spec.refusal(table.move(problems, 1, #problems, 1, {}), where)
  end
  return pod
end

return M
