--- Part of the process contributor: when and where the command runs, for recipes that say so, and
--- for hosts whose own process is not as any other. Pure.
local M = {}

local SIGSEGV_ON_RDTSC <const> = 2 -- PR_TSC_SIGSEGV of prctl(2)

--- A list of numbers as the kernel's mask of bits.
---@param numbers integer[] sorted
---@return string
function M.mask(numbers)
  local words = {}
  for i = 1, numbers[#numbers] and numbers[#numbers] // 64 + 1 or 0 do
    words[i] = 0
  end
  for _, number in ipairs(numbers) do
    local i = number // 64 + 1
    words[i] = words[i] | 1 << number % 64
  end
  return string.pack(("i8"):rep(#words), table.unpack(words))
end

local function affinity(numbers)
  return { op = "sched_setaffinity", cpus = M.mask(numbers), exact = 1, from = "cpu_affinity" }
end

local function scheduler(spec)
  local s = spec.scheduler
  return s and { op = "sched_setattr", policy = s.policy, flags = s.flags, nice = s.nice,
    priority = s.priority, runtime = s.runtime, deadline = s.deadline, period = s.period,
    from = "scheduler" } or nil
end

-- One row for each field: the step that it asks for.
local ROWS <const> = {
  function(spec)
    return spec.cpu_affinity and spec.cpu_affinity.final and affinity(spec.cpu_affinity.final)
  end,
  function(spec)
    local policy = spec.memory_policy
    return policy and { op = "set_mempolicy", mode = policy.mode, nodes = M.mask(policy.nodes),
      from = "memory_policy" }
  end,
  function(spec)
    return spec.nice and { op = "setpriority", nice = spec.nice, from = "nice" }
  end,
  scheduler,
  function(spec)
    local priority = spec.io_priority
    return priority and { op = "ioprio_set", class = priority.class, level = priority.priority,
      from = "io_priority" }
  end,
  function(spec)
    return not spec.tsc and { op = "tsc", mode = SIGSEGV_ON_RDTSC, from = "tsc" }
  end,
}

--- In the command's process, while it has luactr's rights.
---@param spec luactr.spec
---@return table[] steps
function M.steps(spec)
  local steps = {}
  for _, row in ipairs(ROWS) do
    steps[#steps + 1] = row(spec) or nil
  end
  return steps
end

--- Before anything else: OCI's initial CPUs.
---@param spec luactr.spec
---@return table[] steps
function M.initial(spec)
  return { affinity(spec.cpu_affinity.initial) }
end

return M
