--- The errors of a start.
--
-- Loaded with luactr.launch, not when there is one: without descriptors no module can be read.
local M = {}

---@param box luactr.container|luactr.command
---@param fields table of luactr.error; `from` is the field of the recipe that it is about
---@return luactr.error
function M.of(box, fields)
  fields.message = box.base and string.format("cannot run a command in %q", box.id)
    or string.format("cannot start %q", box.id)
  fields.where = fields.where
    or fields.from and require("luactr.source").where(box.spec.where, fields.from)
    or box.spec.where
  return require("luactr.error").new(fields)
end

--- Of a primitive that failed.
---@param box luactr.container|luactr.command
---@param message string
---@param errno? integer
---@param op string
---@param path? string
---@return luactr.error
function M.sys(box, message, errno, op, path)
  local action = message:match("^(.*): ") -- the text of the errno follows on a line of its own
  return M.of(box, { op = op, path = path, errno = errno, action = action or message })
end

--- The record of a failed step, told with the plan that it was a step of.
---@param box luactr.container|luactr.command
---@param run luactr.run
---@param index integer
---@param op string
---@param errno integer
---@param aux? string which part of the step
---@return luactr.error
function M.step(box, run, index, op, errno, aux)
  local step = box.plan.steps[index] or { op = op }
  if op == "gate" and aux == "source" then -- the exec would not find it
    index, op, aux = #box.plan.steps, "exec", nil
    step = box.plan.steps[index]
  end
  local complaint = op == "fuse" and run.server and run.server:complaint() or nil
  return M.of(box, {
    op = op, errno = errno, step = index, steps = #box.plan.steps, aux = aux,
    action = require("luactr.explain").sentence(step),
    cause = complaint, checked = complaint and true,
    path = step.file or step.target or step.path or step.source,
    where = step.where, from = step.from ~= "default" and step.from or nil,
  })
end

return M
