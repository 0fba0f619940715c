--- Mounts for a container that runs: the init of every start joins its namespaces and carries out
--- the steps that the mount would have had at the start. No Lua gets inside.
local core = require "luactr.core"

local sys <const> = core.sys

local M = {}

-- What has to be the container's own for a new file system to be: the kernel takes it from the
-- caller. Its pid namespace is not among them, since only a child would be in it.
local NAMESPACES <const> = {
  user = "CLONE_NEWUSER", mnt = "CLONE_NEWNS", net = "CLONE_NEWNET", ipc = "CLONE_NEWIPC",
}

local REFUSED <const> = {
  proc = "a procfs shows the process numbers of whoever mounts it: mount it at the start",
  cgroup = "a view of cgroups is made at the start",
  cgroup2 = "a view of cgroups is made at the start",
}

local function failure(box, fields)
  fields.message = string.format("cannot change the mounts of %q", box.id)
  return require("luactr.error").new(fields)
end

-- ---- the steps

--- The namespaces of the container that are not ours, as flags of setns(2).
local function join_flags(pid)
  local flags = 0
  for name, flag in pairs(NAMESPACES) do
    local own = sys.readlink("/proc/self/ns/" .. name)
    local theirs = sys.readlink(string.format("/proc/%d/ns/%s", pid, name))
    flags = own ~= theirs and flags | sys[flag] or flags
  end
  return flags
end

local function source_path(source, host)
  return source:sub(1, 1) == "/" and source or host.cwd .. "/" .. source
end

--- What is mounted below it in the container is not to appear on the host, unless it is to.
local function cut_off(tree, parsed)
  local wanted = parsed.propagation and parsed.propagation.flag
  if wanted == sys.MS_SHARED then
    return true
  end
  return sys.mount_setattr(tree, { recursive = true,
    propagation = wanted == sys.MS_SLAVE and "slave" or "private" })
end

--- Give the files the container's users: true, or fields of an error.
local function map_users(box, tree, mount, parsed)
  if not mount.idmap and not parsed.idmap then
    return true
  end
  local path = string.format("/proc/%d/ns/user", box.life.process:pid())
  local users <close>, _, errno = sys.open(path, "rdonly")
  local done = users
  if users then
    done, _, errno =
      sys.mount_setattr(tree, { userns = users, recursive = parsed.idmap == "whole" })
  end
  mount.idmap, parsed.idmap = nil, nil -- nothing is left for the steps to do
  local shared = sys.readlink(path) == sys.readlink("/proc/self/ns/user")
  return done and true or nil, { op = "mount_setattr", errno = errno, checked = true,
    action = "map the users of " .. tostring(mount.source),
    cause = shared and "the container's users are the host's"
      or "its file system takes no id maps here, or luactr may not map them" }
end

--- The source of a bind as a tree that is mounted nowhere, opened by us in our view.
local function open_source(box, mount, parsed, host)
  local flags = { "clone" }
  flags[#flags + 1] = parsed.recursive ~= false and "recursive" or nil
  flags[#flags + 1] = parsed.policy.source_nofollow and "symlink_nofollow" or nil
  local path, dir = mount.source, nil
  if type(path) == "string" then
    path = source_path(path, host)
  else
    flags[#flags + 1] = "empty_path"
    path, dir = "", mount.source
  end
  local tree, message, errno = sys.open_tree(path, flags, dir)
  local done = tree
  if tree then
    done, message, errno = cut_off(tree, parsed)
  end
  if done then
    local mapped, fields = map_users(box, tree, mount, parsed)
    if mapped then
      return tree
    end
    tree:close()
    return nil, failure(box, fields)
  elseif tree then
    tree:close()
  end
  local may_not = errno == sys.errno.EPERM
  return nil, failure(box, {
    op = "bind", errno = errno, path = path, action = message:match("^(.*): "),
    cause = may_not and "luactr itself may not mount on this host, so it cannot open the source"
      or nil,
    remedy = may_not and "bind it at the start" or nil, checked = may_not,
  })
end

-- ---- carrying them out

local function step_failure(box, host, steps, index, op, errno, aux)
  local all = table.move(box.plan.steps, 1, #box.plan.steps, 1, {})
  table.move(steps, 1, #steps, #all + 1, all)
  local step = steps[index] or { op = op }
  local err = failure(box, {
    op = op, errno = errno, aux = aux, path = step.target or step.path,
    step = #box.plan.steps + index, action = require("luactr.explain").sentence(step),
  })
  local plan = setmetatable({ steps = all }, { __index = box.plan })
  require("luactr.cause").explain(err, plan, host) -- it sees the tree as the start has made it
  err.step, err.steps = index, #steps
  return err
end

--- Run the init on the steps, in the container's namespaces.
local function carry_out(box, host, steps, slots, fds)
  local process <close>, message, errno = core.spawn {
    plan = core.plan.encode(steps, slots), flags = 0, fds = fds,
  }
  if not process then
    return nil, failure(box, { op = "clone", errno = errno, action = message:match("^(.*): ") })
  end
  local event, index, op, step_errno, aux = process:launch()
  local skipped = event == "started" and process:step_skipped(#steps)
  process:wait()
  if event == "failed" then
    return nil, step_failure(box, host, steps, index, op, step_errno, aux)
  elseif event ~= "started" then
    return nil, failure(box, { op = "launch", errno = op, action = index })
  end
  return true, skipped
end

local function begin(box)
  local process = box.life.process
  local flags = join_flags(process:pid())
  if flags & sys.CLONE_NEWNS == 0 then
    return nil, failure(box, { code = "ENOTSUP", errno = sys.errno.EOPNOTSUPP, op = "mount",
      cause = "it has no mount namespace of its own", checked = true })
  end
  return { { op = "setns", ns = "container", flags = flags } }, { "container" },
    { process:pidfd() }
end

local function refuse()
  error("a mount that was checked is wrong")
end

--- The steps in the container's namespaces; `tree` is the source of a bind.
local function mount_inside(box, mount, parsed, host, tree)
  local steps, slots, fds = begin(box)
  if not steps then
    return nil, slots
  end
  -- The plan is the start's alone; whatever its maps are, the tree is open already.
  local context = { spec = box.plan.spec, host = host, plan = {} }
  mount.index = 1
  local more = require("luactr.mount.kinds").steps(mount, parsed, context, refuse)
  for _, step in ipairs(tree and more or {}) do
    if step.op == "bind" then
      slots[2], fds[2] = "tree", tree
      step.detached, step.tree = "tree", nil
    end
  end
  return carry_out(box, host, table.move(more, 1, #more, #steps + 1, steps), slots, fds)
end

local function note_missing(box, mount)
  box.life:warn { string.format("mount: there is no %s: nothing is mounted at %s",
    mount.source, mount.target) }
  return true
end

local function bind(box, mount, parsed, host)
  local link = parsed.policy.copy_symlink and type(mount.source) == "string"
    and sys.readlink(source_path(mount.source, host))
  parsed.policy.copy_symlink = nil
  if link then
    local as_link = { type = "symlink", source = link, target = mount.target, options = {} }
    return M.mount(box, as_link, host)
  end
  local tree, err = open_source(box, mount, parsed, host)
  if not tree and err.code == "ENOENT" and (mount.optional or parsed.optional) then
    return note_missing(box, mount)
  elseif not tree then
    return nil, err
  end
  local _ <close> = tree
  return mount_inside(box, mount, parsed, host, tree)
end

--- Mount, or make a file, directory or link, in a container that runs.
---@param box luactr.container
---@param mount table normalized
---@param host luactr.host
---@return boolean? done
---@return table? error
function M.mount(box, mount, host)
  local parsed = require("luactr.mount.options").parse(mount.type, mount.options, refuse,
    mount.exact)
  local why = REFUSED[mount.type]
    or type(mount.idmap) == "table" and "a map other than the container's is for the start"
  if why then
    return nil, failure(box, { code = "ENOTSUP", errno = sys.errno.EOPNOTSUPP, op = "mount",
      path = mount.target, cause = why, checked = true })
  elseif parsed.bind and not parsed.remount then
    return bind(box, mount, parsed, host)
  end
  local done, skipped = mount_inside(box, mount, parsed, host)
  if done and skipped then
    return note_missing(box, mount)
  end
  return done, not done and skipped or nil
end

--- Take the mount at a target away.
---@param box luactr.container
---@param target string
---@param options { detach?: boolean }
---@param host luactr.host
---@return boolean? done
---@return table? error
function M.unmount(box, target, options, host)
  local steps, slots, fds = begin(box)
  if not steps then
    return nil, slots
  end
  steps[2] = { op = "unmount", target = target, flags = options.detach and sys.MNT_DETACH or 0 }
  local done, err = carry_out(box, host, steps, slots, fds)
  return done, not done and err or nil
end

return M
