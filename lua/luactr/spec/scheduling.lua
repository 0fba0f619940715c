--- Fields that say when and where the command runs: scheduler, io_priority, cpu_affinity,
--- memory_policy. Pure. The names are those of sched(7), ioprio_set(2), set_mempolicy(2) and OCI.
local check = require "luactr.check"

local M = {}

local NANOSECONDS <const> = 1000000000

--- "SCHED_BATCH", "batch" -> a number of the table.
local function named(what, prefix, numbers)
  local names = {}
  for name in pairs(numbers) do
    names[#names + 1] = name
  end
  table.sort(names)
  return check.string {
    what = what .. ": " .. table.concat(names, ", "), max = 64,
    convert = function(text)
      local short = text:lower():gsub("^" .. prefix, "")
      if numbers[short] then
        return numbers[short]
      end
      return nil, string.format("unknown %s %s%s", what, check.show(text),
        require("luactr.nearest").hint(short, names))
    end,
  }
end

local function bits_of(list)
  local bits = 0
  for _, bit in ipairs(list) do
    bits = bits | bit
  end
  return bits
end

local function flags(what, prefix, numbers)
  return check.list(named(what, prefix, numbers), { max = 16, convert = bits_of })
end

-- ---- scheduler -> { policy =, flags =, nice =, priority =, runtime =, deadline =, period = } in
--      numbers, the times in nanoseconds

local OTHER <const>, FIFO <const>, RR <const>, BATCH <const> = 0, 1, 2, 3
local IDLE <const>, DEADLINE <const> = 5, 6

local POLICIES <const> = {
  other = OTHER, fifo = FIFO, rr = RR, batch = BATCH, idle = IDLE, deadline = DEADLINE,
}

local FLAGS <const> = {
  reset_on_fork = 1, reclaim = 2, dl_overrun = 4, keep_policy = 8, keep_params = 16,
}

local policy <const> = named("scheduling policy", "sched_", POLICIES)

local duration <const> = check.time {
  convert = function(seconds) return math.tointeger((seconds * NANOSECONDS + 0.5) // 1) end,
}

-- Which values a policy looks at; another would be ignored by the kernel without a word.
local MEANS <const> = {
  [OTHER] = { nice = true }, [BATCH] = { nice = true }, [IDLE] = { nice = true },
  [FIFO] = { priority = true }, [RR] = { priority = true },
  [DEADLINE] = { runtime = true, deadline = true, period = true },
}

local VALUES <const> = { "nice", "priority", "runtime", "deadline", "period" }

local function misplaced(value)
  for _, name in ipairs(VALUES) do
    if value[name] and value[name] ~= 0 and not MEANS[value.policy][name] then
      return name .. " means nothing to this policy"
    end
  end
end

local function incomplete(value)
  if MEANS[value.policy].priority and not (value.priority and value.priority > 0) then
    return "this policy needs a priority of 1 to 99"
  elseif value.policy ~= DEADLINE then
    return nil
  elseif not value.runtime or not value.deadline then
    return "the deadline policy needs runtime and deadline, and a period if it is another"
  elseif value.runtime > value.deadline or (value.period and value.deadline > value.period) then
    return "runtime, deadline and period have to be in this order of size"
  end
end

local function complete(value)
  local problem = misplaced(value) or incomplete(value)
  if problem then
    return nil, problem
  end
  for _, name in ipairs(VALUES) do
    value[name] = value[name] or 0
  end
  return value
end

local scheduler_fields <const> = {
  { name = "policy", type = policy, required = true },
  { name = "nice", type = check.integer { min = -20, max = 19 } },
  { name = "priority", type = check.integer { min = 0, max = 99 } },
  { name = "flags", type = flags("scheduling flag", "sched_flag_", FLAGS), default = 0 },
  { name = "runtime", type = duration }, { name = "deadline", type = duration },
  { name = "period", type = duration },
}

local scheduler <const> = check.record(scheduler_fields, { convert = complete })

function M.scheduler(value, path, problems)
  return problems:check(scheduler, type(value) == "string" and { policy = value } or value, path)
end

-- ---- io_priority -> { class =, priority = } in numbers

local RT <const>, BE <const>, IDLE_CLASS <const> = 1, 2, 3
local NORMAL <const> = 4 -- ioprio_set(2): of a process with nice 0

local class <const> = named("class", "ioprio_class_", {
  rt = RT, realtime = RT, be = BE, best_effort = BE, idle = IDLE_CLASS,
})

local io_priority <const> = check.record({
  { name = "class", type = class, required = true },
  { name = "priority", type = check.integer { min = 0, max = 7 } },
}, {
  convert = function(value)
    if value.class == IDLE_CLASS and (value.priority or 0) ~= 0 then
      return nil, "the idle class has no priorities"
    end
    value.priority = value.priority or (value.class == IDLE_CLASS and 0 or NORMAL)
    return value
  end,
})

function M.io_priority(value, path, problems)
  return problems:check(io_priority, type(value) == "string" and { class = value } or value, path)
end

-- ---- "0-3,5" or { 0, 1 } -> a sorted list of numbers

local function add_range(set, first, last, most)
  if first > last then
    return string.format("%d-%d counts down", first, last)
  elseif last > most then
    return string.format("%d is out of range: at most %d", last, most)
  end
  for number = first, last do
    set[number] = true
  end
end

local function parse(text, most)
  local set = {}
  for part in (text .. ","):gmatch("([^,]*),") do
    local first, last = part:match("^%s*(%d+)%s*$"), nil
    if not first then
      first, last = part:match("^%s*(%d+)%-(%d+)%s*$")
    end
    if not first or #first > 9 or #(last or "") > 9 then
      return nil, "list as \"0-3,5\" expected, got " .. check.show(text)
    end
    local problem = add_range(set, math.tointeger(first), math.tointeger(last or first), most)
    if problem then
      return nil, problem
    end
  end
  return set
end

local function number_list(most)
  return check.union({
    check.string {
      what = "list as \"0-3,5\"", max = 4096,
      convert = function(text)
        local set, problem = parse(text, most)
        return set and check.sorted_keys(set), problem
      end,
    },
    check.list(check.integer { min = 0, max = most }, {
      min = 1, max = most + 1,
      convert = function(numbers)
        local set = {}
        for _, number in ipairs(numbers) do
          set[number] = true
        end
        return check.sorted_keys(set)
      end,
    }),
  }, { what = "list as \"0-3,5\" or { 0, 1 }" })
end

local MAX_CPU <const>, MAX_NODE <const> = 8191, 1023 -- CONFIG_NR_CPUS and CONFIG_NODES_SHIFT

local cpus <const> = number_list(MAX_CPU)
local both <const> = check.record {
  { name = "initial", type = cpus }, { name = "final", type = cpus },
}

--- -> { initial = list?, final = list? }
function M.cpu_affinity(value, path, problems)
  if check.is_plain(value) and (rawget(value, "initial") ~= nil or rawget(value, "final") ~= nil)
  then
    return problems:check(both, value, path)
  end
  local list = problems:check(cpus, value, path)
  return list and { final = list }
end

-- ---- memory_policy -> { mode = number with its flags, nodes = list }

local MODES <const> = {
  default = 0, preferred = 1, bind = 2, interleave = 3, ["local"] = 4, preferred_many = 5,
  weighted_interleave = 6,
}

local WITHOUT_NODES <const> = { [0] = true, [4] = true }
local PREFERRED <const> = 1

local MODE_FLAGS <const> = {
  static_nodes = 1 << 15, relative_nodes = 1 << 14, numa_balancing = 1 << 13,
}

--- The names that it knows, for `luactr oci features`.
M.memory_modes, M.memory_flags = check.sorted_keys(MODES), check.sorted_keys(MODE_FLAGS)

local memory_policy <const> = check.record({
  { name = "mode", type = named("memory policy", "mpol_", MODES), required = true },
  { name = "nodes", type = number_list(MAX_NODE), default = {} },
  { name = "flags", type = flags("flag", "mpol_f_", MODE_FLAGS), default = 0 },
}, {
  convert = function(value)
    local some = #value.nodes > 0
    if WITHOUT_NODES[value.mode] and some then
      return nil, "this mode takes no nodes"
    elseif not WITHOUT_NODES[value.mode] and not some and value.mode ~= PREFERRED then
      return nil, "this mode needs nodes, as \"0-1\""
    end
    return { mode = value.mode | value.flags, nodes = value.nodes }
  end,
})

function M.memory_policy(value, path, problems)
  return problems:check(memory_policy, type(value) == "string" and { mode = value } or value, path)
end

return M
