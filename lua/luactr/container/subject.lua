--- What is to be known of a container to get at its files: from the process that runs it, or from
--- what others find of it on disk.
local M = {}

M.COPIED = "copied.json" -- what was in a root of copies at the start

-- Steps that put something at a path where the root may have nothing.
local MOUNTING <const> = { bind = true, mount = true, fsmount = true, tmpcopyup = true }

--- Where the start has mounted something: the names there are luactr's doing.
local function targets_of(plan)
  local targets = {}
  for _, step in ipairs(plan.steps) do
    local target = MOUNTING[step.op] and step.target
    targets[#targets + 1] = target and target ~= "/" and target or nil
  end
  return targets
end

local function tree_of(plan)
  for _, tree in ipairs(plan.trees or {}) do
    if tree.slot == "tree:rootfs" then
      return tree
    end
  end
end

--- What a container's root is, for whoever comes when it has ended.
---@param box luactr.container
---@param run luactr.run
---@return luactr.rootfs.kept
function M.root_of(box, run)
  local kept = box.spec.rootfs:kept(box.plan.spec)
  local tree = tree_of(box.plan)
  kept.targets = targets_of(box.plan)
  if run.memory then
    local stat = require("luactr.core").sys.stat(run.memory.fd)
    kept.memory = { dev = stat.dev, ino = stat.ino }
  end
  if run.id_maps and not (tree and tree.mapped) then
    kept.ids = { uid = run.id_maps.uid, gid = run.id_maps.gid }
  end
  return kept
end

--- Of a box in this process.
---@param box luactr.container
---@param run luactr.run
---@param host luactr.host
---@return luactr.container.subject
function M.of_run(box, run, host)
  local pid = run.process:pid()
  return {
    id = box.id, host = host, kept = M.root_of(box, run), copied = box.spec.rootfs.copied,
    memory = run.memory and run.memory.fd,
    process = { pid = pid, start = require("luactr.state").start_time(pid) },
  }
end

--- Of one that was found.
---@param found luactr.found
---@param config? table of config.json
---@return luactr.container.subject?
---@return luactr.error?
function M.of_found(found, config)
  local word, kept = found:state(), config and config.root
  local subject = { id = found.id, host = found.host, kept = kept, ids = kept and kept.ids,
    owner = found.record.owner }
  if kept and kept.copied then
    subject.copied = require("luactr.state.list").read(found.host, found.id, M.COPIED)
  end
  if found:is_running() then
    subject.process = found.record
  elseif word ~= "exited" then
    return require("luactr.container.found").failure(found, "ESRCH", "look into",
      word and "it is " .. word or "it is gone")
  end
  return subject
end

return M
