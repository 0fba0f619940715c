--- Contributor: what the payload's process is before it becomes the program. Pure.
--
-- The order of the list at the end is the security of it: streams and limits while everything is
-- allowed; groups before the user and the bounding set before both are gone, since setuid gives up
-- the right to change them; capabilities after the user, since setuid clears them; the filter last,
-- since it refuses much of what stands above. Landlock's rules are made first, with the rights to
-- open what they name, and entered just before the filter.
local M = {}

local DUPLICATED <const> = { "stdin", "stdout", "stderr" }

local function sys()
  return require("luactr.core").sys
end

-- ---- session and streams

--- A session of its own, with or without a terminal: a payload that shared ours could stop it, or
--- signal luactr by its group.
local function session()
  return { { op = "setsid" } }
end

--- By number, so that a plan does not depend on hashing.
local function other_descriptors(spec)
  local steps = {}
  for number in pairs(spec.fds) do
    steps[#steps + 1] = { op = "dup", fd = "fd " .. number, number = number, from = "fds" }
  end
  table.sort(steps, function(a, b) return a.number < b.number end)
  return steps
end

local function streams(spec)
  if spec.tty then
    return { { op = "controlling_tty", from = "tty" } }
  end
  local steps = {}
  for i, name in ipairs(DUPLICATED) do
    local slot = spec[name].kind == "stdout" and "stdout" or name
    steps[i] = { op = "dup", fd = slot, number = i - 1, from = name }
  end
  return steps
end

-- ---- limits and modes

local function rlimits(spec)
  local steps = {}
  for name, limit in pairs(spec.rlimits) do
    steps[#steps + 1] = { op = "setrlimit", resource = sys().rlimits[name], soft = limit.soft,
      hard = limit.hard, from = "rlimits." .. name:lower() }
  end
  table.sort(steps, function(a, b) return a.resource < b.resource end)
  return steps
end

local function umask(spec)
  return { { op = "umask", mask = spec.umask, from = "umask" } }
end

--- Most recipes say nothing of it, and do not load what it takes.
local function scheduling(spec)
  local asked = spec.cpu_affinity or spec.memory_policy or spec.nice or spec.scheduler
    or spec.io_priority or not spec.tsc
  return asked and require("luactr.security.scheduling").steps(spec) or {}
end

local function personality(spec)
  if not spec.personality then
    return {}
  end
  return { { op = "personality", persona = spec.personality, from = "personality" } }
end

--- The profiles that ship refuse every call that has to do with keys. Charged to luactr's user,
--- since any other may have few of them.
local function keyring(spec)
  local word = spec.keyring or (type(spec.seccomp) == "string" and spec.seccomp ~= "unconfined"
    and "inherit" or "new")
  return word == "new" and { { op = "session_keyring", from = "keyring" } } or {}
end

local function labels(spec, _, host)
  if not (spec.apparmor or spec.selinux) then
    return {}
  end
  return require("luactr.security.label").steps(spec, host)
end

-- ---- user and groups

--- On the host's root, neither root nor in a user namespace: what it is now, it stays.
local function is_bound(spec, host, plan)
  return spec.rootfs.bare and not host.privileged and not plan.id_maps
end

local NOT_ROOT <const> = "needs root, or a user namespace: luactr is user %d, group %d"

local function refuse(name, host)
  return nil, { { path = name, message = NOT_ROOT:format(host.uid, host.gid) } }
end

local NO_GROUPS <const> =
  "cannot be set in a user namespace with one group: say idmap = \"range\""

--- An empty list drops the groups that luactr was started with.
local function groups(spec, plan, host)
  if is_bound(spec, host, plan) and #spec.groups > 0 and spec.given.groups then
    return refuse("groups", host)
  elseif spec.groups.keep or is_bound(spec, host, plan) then
    return {}
  elseif not (plan.id_maps and plan.id_maps.setgroups == "deny") then
    return { { op = "setgroups", groups = spec.groups, from = "groups" } }
  elseif #spec.groups > 0 and spec.given.groups then
    return nil, { { path = "groups", message = NO_GROUPS } }
  elseif #spec.groups > 0 then
    plan.warnings[#plan.warnings + 1] = "the user's groups " .. NO_GROUPS
  end
  return {}
end

local function group(spec, plan, host)
  if is_bound(spec, host, plan) then
    return {}
  end
  return { { op = "setresgid", gid = spec.user.gid, from = "user" } }
end

local function user(spec, plan, host)
  if is_bound(spec, host, plan) then
    local same = spec.user.uid == host.uid and spec.user.gid == host.gid
    if not same then
      return refuse("user", host)
    end
    return {}
  end
  return { { op = "setresuid", uid = spec.user.uid, from = "user" } }
end

-- ---- capabilities

--- A set as a mask. A recipe that names a capability which luactr lacks itself gets an error; of
--- the default list it gets what there is, so that luactr runs inside a container too.
local function mask(spec, plan, host, set)
  local wanted = sys().cap_mask(spec.capabilities[set])
  local is_default = spec.capabilities.optional or not spec.given.capabilities
  local is_hosts = not plan.id_maps and type(spec.namespaces.user) ~= "table"
  return is_default and is_hosts and wanted & host.capabilities or wanted
end

--- Who cannot drop from it has nothing that an exec could bring back under no_new_privs.
local function bounding(spec, plan, host)
  if is_bound(spec, host, plan) then
    return {}
  end
  return { { op = "capbset_drop", keep = mask(spec, plan, host, "bounding"),
    from = "capabilities" } }
end

--- The bits take CAP_SETPCAP, and may forbid to raise what is ambient: they go between.
local function with_securebits(spec, final, ambient)
  local setpcap, first = sys().cap_mask { "CAP_SETPCAP" }, {}
  for name, value in pairs(final) do
    first[name] = value
  end
  first.effective, first.permitted = first.effective | setpcap, first.permitted | setpcap
  local bits = { op = "securebits", bits = spec.securebits, from = "securebits" }
  return ambient and { first, ambient, bits, final } or { first, bits, final }
end

--- For any user but root exec clears what is not ambient; it goes at once, with nothing in between.
local function sets(spec, plan, host)
  local has_ambient = #spec.capabilities.ambient > 0
  local kept = spec.user.uid == 0 or has_ambient
  local function part(set)
    return kept and mask(spec, plan, host, set) or 0
  end
  local final = { op = "capset", from = "capabilities", effective = part "effective",
    permitted = part "permitted", inheritable = mask(spec, plan, host, "inheritable") }
  local ambient = has_ambient
    and { op = "cap_ambient", set = part "ambient", from = "capabilities" } or nil
  if not spec.securebits then
    return { final, ambient }
  end
  return with_securebits(spec, final, ambient)
end

local function no_new_privileges(spec)
  return spec.no_new_privileges and { { op = "no_new_privs", from = "no_new_privileges" } } or {}
end

-- ---- the last meeting

local function has_listener(spec)
  local profile = spec.seccomp
  return type(profile) == "table" and (profile.handlers or profile.listener) ~= nil
end

--- All is made but the program. Either luactr has hooks run that are to see that and says when to
--- go on, or it is somebody else's to say (the gate).
local function last_meeting(spec, plan)
  if spec.gate then
    plan.gate = { op = "gate", socket = "gate", file = spec.command[1], from = "command" }
    return { plan.gate }
  elseif spec.hooks and spec.hooks.start_container then
    return { { op = "rendezvous", number = require("luactr.core").plan.rendezvous.start,
      from = "hooks.start_container" } }
  end
  return {}
end

-- ---- the rest

--- As the user: a directory that it may not enter is refused here, not after exec.
local function directory(spec)
  return { { op = "chdir", path = spec.cwd, from = "cwd" } }
end

local function landlock_rules(spec, plan, host)
  if not spec.landlock then
    return {}
  end
  local steps, problems = require("luactr.security.landlock").rules(spec, host, plan)
  if #problems > 0 then
    return nil, problems
  end
  plan.has_landlock = #steps > 0
  return steps
end

--- As with the filter below, what it takes to enter the rules decides when.
local function enter_landlock(plan)
  return plan.has_landlock and require("luactr.security.landlock").enter() or {}
end

local function early_landlock(spec, plan)
  return spec.no_new_privileges and {} or enter_landlock(plan)
end

local function late_landlock(spec, plan)
  return spec.no_new_privileges and enter_landlock(plan) or {}
end

--- A caller whose call is being answered sleeps where only a kill reaches it, if the kernel can: a
--- signal would make it call again, and the handler work twice.
local function flags(profile, host)
  local bits, known = 0, require("luactr.security.seccomp").FLAGS
  for _, name in ipairs(profile.flags) do
    bits = bits | known[name]
  end
  if profile.handlers or profile.listener then
    bits = bits | known.new_listener | (host.wait_kill and known.wait_kill or 0)
    bits = bits & ~known.tsync -- the messenger's thread (init/filter.c) must stay without
  end
  return bits
end

local FOREIGN <const> = { inherit = true, fd = true, file = true }

--- Streams that may be a terminal of somebody outside. A session of its own does not keep a command
--- from typing into it that has CAP_SYS_ADMIN, or that finds the terminal without a session. The
--- profiles that ship refuse it; with another, or with none, a filter for that alone is installed.
local function guard(spec)
  local foreign = next(spec.fds) ~= nil
  for _, stream in ipairs(DUPLICATED) do
    foreign = foreign or not spec.tty and FOREIGN[spec[stream].kind]
  end
  return foreign and { { op = "guard_terminal" } } or {}
end

--- The profiles that ship were compiled with luactr: nothing is loaded for them.
local function filter(spec, host)
  local profile = spec.seccomp
  if profile == "unconfined" then
    return guard(spec)
  elseif type(profile) == "string" then
    return { { op = "seccomp", filter = require("luactr.core").seccomp.builtin(profile), flags = 0,
      profile = profile, from = "seccomp" } }
  end
  local program, problems = require("luactr.security.seccomp").compile(profile)
  if not program then
    return nil, problems
  end
  local steps = guard(spec)
  steps[#steps + 1] = { op = "seccomp", filter = program, flags = flags(profile, host),
    profile = profile, from = "seccomp" }
  return steps
end

--- Without no_new_privs the kernel takes a filter only from who has CAP_SYS_ADMIN: before the
--- capabilities go. It then filters the remaining steps too, which the default profile allows.
local function early_filter(spec, _, host)
  if spec.no_new_privileges then
    return {}
  end
  return filter(spec, host)
end

local function late_filter(spec, _, host)
  if not spec.no_new_privileges then
    return {}
  end
  return filter(spec, host)
end

--- Before the filter, so that this need not allow what the meeting takes: a file that cannot be
--- entered shall be told of before it, too.
local function early_meeting(spec, plan)
  if spec.no_new_privileges or has_listener(spec) then
    return {}
  end
  local steps = last_meeting(spec, plan)
  return #steps > 0 and { directory(spec)[1], steps[1] } or steps
end

local function late_meeting(spec, plan)
  return spec.no_new_privileges and not has_listener(spec) and last_meeting(spec, plan) or {}
end

--- Who takes the filter's listener is luactr, which is gone after the gate.
local function meeting_with_filter(spec, plan)
  return has_listener(spec) and last_meeting(spec, plan) or {}
end

local PARTS <const> = {
  session, streams, other_descriptors, landlock_rules, rlimits, umask, scheduling, personality,
  keyring, labels, early_landlock, early_meeting, early_filter, groups, group, bounding, user, sets,
  directory, no_new_privileges, late_landlock, late_meeting, late_filter, meeting_with_filter,
}

---@param spec luactr.spec settled
---@param host luactr.host
---@param plan luactr.plan so far
---@return table[]? steps
---@return luactr.problem[]? problems
function M.steps(spec, host, plan)
  local steps = {}
  for _, part in ipairs(PARTS) do
    local more, problems = part(spec, plan, host)
    if not more then
      return nil, problems
    end
    table.move(more, 1, #more, #steps + 1, steps)
  end
  return steps
end

return M
