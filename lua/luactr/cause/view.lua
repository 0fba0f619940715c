--- The container's tree as its plan would have made it, seen from the host after the fact: the
--- namespace itself is gone with the failed start. Paths are followed as the kernel would.
local M = {}

local MAX_LINKS <const> = 40 -- path_resolution(7)

---@class luactr.view.node
---@field kind string as sys.stat's type, or "unknown" inside proc and its like
---@field host? string where it lies on the host
---@field stat? table of the host's file
---@field link? string
---@field step? table the step that made it, or mounted what it is in

---@class luactr.view
local View = {}
View.__index = View

---@param plan luactr.plan
---@param last integer the last step that was carried out
---@param eyes luactr.eyes
---@return luactr.view
function M.new(plan, last, eyes)
  local rootfs = plan.spec and plan.spec.rootfs
  local bare = rootfs ~= nil and rootfs.bare == true
  local layers = rootfs and rootfs.layers and rootfs:layers()
  return setmetatable({ steps = plan.steps, last = last, eyes = eyes, bare = bare,
    layers = layers }, View)
end

-- ---- one path, links not followed

local function is_below(path, directory)
  return directory == "/" or path:sub(1, #directory + 1) == directory .. "/"
end

local function host_node(self, path, step)
  local stat = self.eyes.lstat(path)
  if not stat then
    return nil
  end
  local link = stat.type == "symlink" and self.eyes.readlink(path) or nil
  return { kind = stat.type, host = path, stat = stat, link = link, step = step }
end

--- What the topmost layer that has something at a path has there; whoever walks there has come
--- through the directories above it in the same way.
local function layered_node(self, path, step)
  for _, layer in ipairs(self.layers) do
    if layer.open then -- a file system in a file
      return { kind = path == "/" and "directory" or "unknown", step = step }
    end
    local node = host_node(self, layer.path .. (path == "/" and "" or path), step)
    if node then
      return not require("luactr.files.layers").is_whiteout(node.stat) and node
    end
  end
  return false
end

local function is_layered(self, step)
  return self.layers and step.type == "overlay" and step.target == "/"
end

local function rest(path, directory)
  return directory == "/" and path or path:sub(#directory + 1)
end

-- File systems whose content nobody can tell once they are gone.
local OPAQUE <const> = { proc = true, sysfs = true, devpts = true, cgroup = true, cgroup2 = true,
  overlay = true, mqueue = true }

--- What a step says about a path: a node, false for "nothing there", nil for nothing at all.
local SAYS <const> = {
  root_bind = function(self, path, step)
    if step.opened then -- a file system in a file
      return { kind = path == "/" and "directory" or "unknown", step = step }
    end
    return host_node(self, step.source .. (path == "/" and "" or path), step) or false
  end,
  setns = function(self, path, step) -- into a container that runs
    return step.root and (host_node(self, step.root .. path, step) or false) or nil
  end,
  root_tmpfs = function(_, path, step)
    return path == "/" and { kind = "directory", step = step } or false
  end,
  mount = function(self, path, step)
    if is_layered(self, step) then
      return layered_node(self, path, step)
    elseif path == step.target then
      return { kind = "directory", step = step }
    elseif is_below(path, step.target) then
      return OPAQUE[step.type] and { kind = "unknown", step = step } or false
    end
  end,
  fsmount = function(self, path, step)
    if is_layered(self, step) then
      return layered_node(self, path, step)
    end
    return path == step.target and { kind = "directory", step = step }
      or is_below(path, step.target) and { kind = "unknown", step = step } or nil
  end,
  fuse = function(_, path, step)
    return { kind = path == step.target and "directory" or "unknown", step = step }
  end,
  tmpcopyup = function(_, path, step) -- below it is what was there before
    return path == step.target and { kind = "directory", step = step } or nil
  end,
  bind = function(self, path, step)
    if path == step.target or is_below(path, step.target) then
      return host_node(self, step.source .. rest(path, step.target), step) or false
    end
  end,
  mkdir = function(_, path, step)
    return path == step.path and { kind = "directory", step = step } or nil
  end,
  file = function(_, path, step)
    return path == step.path and { kind = "file", step = step } or nil
  end,
  symlink = function(_, path, step)
    return path == step.path and { kind = "symlink", link = step.link, step = step } or nil
  end,
  mknod = function(_, path, step)
    return path == step.path and { kind = "device", step = step } or nil
  end,
  bind_node = function(_, path, step)
    return path == step.path and { kind = "device", step = step } or nil
  end,
}

--- The newest step that says something decides; a directory that steps made on the way to their
--- targets is there if no mount hides it.
function View:node(path)
  local made
  for i = self.last, 1, -1 do
    local step = self.steps[i]
    local says = SAYS[step.op]
    local node = says and says(self, path, step)
    if node ~= nil then
      return node or made
    end
    local target = step.target or step.path
    if says and target and is_below(target, path) then
      made = made or { kind = "directory", step = step }
    end
  end
  return made or (self.bare and host_node(self, path)) or nil
end

-- ---- a walk

---@class luactr.view.walk
---@field path? string where the path leads, without links
---@field node? luactr.view.node what is there
---@field missing? string the component that does not exist
---@field not_directory? string the component that should be a directory
---@field loop? boolean
---@field passed { path: string, node: luactr.view.node }[] the directories on the way

local function components(path)
  local list = {}
  for name in path:gmatch("[^/]+") do
    list[#list + 1] = name
  end
  return list
end

local function step_to(path, name)
  if name == "." then
    return path
  elseif name == ".." then
    return path:match("^(.*)/[^/]*$") or ""
  end
  return path .. "/" .. name
end

--- Follow a path from the root; "" is the root until the end.
---@param path string
---@return luactr.view.walk
function View:walk(path)
  local names, at, links, passed = components(path), "", 0, {}
  while #names > 0 do
    local next_path = step_to(at, table.remove(names, 1))
    local node = self:node(next_path == "" and "/" or next_path)
    if not node then
      return { missing = next_path, passed = passed }
    elseif node.kind == "symlink" then
      links = links + 1
      if links > MAX_LINKS then
        return { loop = true, passed = passed }
      end
      local target = components(node.link)
      names = table.move(names, 1, #names, #target + 1, target)
      at = node.link:sub(1, 1) == "/" and "" or at
    elseif node.kind == "unknown" then
      return { node = node, path = next_path, passed = passed }
    elseif #names > 0 and node.kind ~= "directory" then
      return { not_directory = next_path, passed = passed }
    else
      at = next_path
      passed[#passed + 1] = #names > 0 and { path = at, node = node } or nil
    end
  end
  at = at == "" and "/" or at
  return { node = self:node(at), path = at, passed = passed }
end

return M
