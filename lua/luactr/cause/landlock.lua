--- Why Landlock's rules cannot be made, or keep a program from starting: rows for its steps, and
--- what a row of exec looks with.

local LAYERS <const> = 16 -- how many rule sets the kernel stacks

local function missing(case)
  local walk = case.view:walk(case.step.path)
  local path = walk.missing or walk.not_directory
  return path and { path = path, field = case.step.from }
end

local function is_below(path, directory)
  return directory == "/" or path == directory or path:sub(1, #directory + 1) == directory .. "/"
end

-- The words whose rules let a file be executed, and be read, which an exec is as well.
local GIVE <const> = { execute = { "execute" }, read = { "read", "write", "execute" } }

--- Whether a rule of these words covers a path that has no links in it.
local function is_covered(case, words, path)
  for _, word in ipairs(words) do
    for _, place in ipairs(case.plan.spec.landlock[word] or {}) do
      local walk = case.view:walk(place.path)
      if walk.path and is_below(path, walk.path) then
        return true
      end
    end
  end
  return false
end

local M = {}

--- The first of these files that no rule lets run.
---@param case luactr.cause.case
---@param walks luactr.view.walk[]
function M.refused(case, walks)
  local landlock = case.plan.spec.landlock
  if not landlock then
    return nil
  end
  for _, walk in ipairs(walks) do
    for word, words in pairs(GIVE) do
      local counts = landlock[word] and walk.path and walk.node
      if counts and not is_covered(case, words, walk.path) then
        return { path = walk.path, word = landlock.execute and "execute" or word }
      end
    end
  end
end

M.landlock_path = {
  { code = { "ENOENT", "ENOTDIR" }, find = missing,
    cause = "there is no {path} in the root",
    remedy = "correct {field}, or { path = ..., optional = true }" },
}

M.landlock_restrict_self = {
  { code = "E2BIG", find = function() return { layers = LAYERS } end,
    cause = "the process is under {layers} sets of Landlock rules already, the most that can be",
    remedy = "nest fewer containers with `landlock`" },
  { code = "EPERM", guess = true,
    cause = "Landlock needs no_new_privileges, or root", remedy = "no_new_privileges = true" },
}

return M
