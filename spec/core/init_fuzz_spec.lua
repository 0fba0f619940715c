-- The init as a function of a process with libc and sanitizers, on a kernel that answers at random:
-- spec/support/hosted. Plans come from recipes and at random; those that reached new code are kept
-- in build/spec/corpus and tried again by the next run.
local corpus = require("support.corpus")
local lfs = require("lfs")
local plan = require("luactr.core").plan
local support = require("support")

local it = support.it(it, pending, "program:gcc")

local ENOUGH <const> = 1000 -- runs of which some are to end in each way
local RANDOM_PLANS <const> = 40
local DIRECTORY <const> = support.build .. "/spec"

local FLAGS <const> = { "-O1", "-g", "-std=c11", "-Icsrc", "-fsanitize=address,undefined",
  "-fno-sanitize-recover=all" }
-- Its entry point and its system calls are not in C: the first is left out, the second replaced.
local INIT_FLAGS <const> = { "-ffreestanding", "-fsanitize-coverage=trace-pc", "-D__asm__(...)=",
  "-include", "spec/support/hosted/raw.h" }

local function newest(...)
  local time = 0
  for _, directory in ipairs { ... } do
    for name in lfs.dir(directory) do
      if name:find("%.[ch]$") then
        time = math.max(time, lfs.attributes(directory .. "/" .. name, "modification"))
      end
    end
  end
  return time
end

local function compile(output, ...)
  local argv = { "gcc", timeout = 300 }
  for _, words in ipairs { FLAGS, ... } do table.move(words, 1, #words, #argv + 1, argv) end
  table.move({ "-o", output }, 1, 2, #argv + 1, argv)
  support.must(argv)
end

-- Built when it is older than its sources; moved into place at once, for others that run it.
local function build()
  local path = DIRECTORY .. "/init-fuzz"
  local made = lfs.attributes(path, "modification") or 0
  if made >= newest("csrc", "csrc/init", "csrc/kernel", "csrc/core", "spec/support/hosted") then
    return path
  end
  local dir <close> = support.tmpdir()
  local objects = { "spec/support/hosted/main.c", "csrc/core/plan.c" }
  for name in lfs.dir("csrc/init") do
    if name:find("%.c$") then
      local object = dir.path .. "/" .. name .. ".o"
      compile(object, INIT_FLAGS, { "-c", "csrc/init/" .. name })
      objects[#objects + 1] = object
    end
  end
  lfs.mkdir(DIRECTORY)
  local new = ("%s.%d"):format(path, lfs.symlinkattributes("/proc/self", "target"))
  compile(new, { "-D_GNU_SOURCE" }, objects)
  assert(os.rename(new, path))
  return path
end

-- Files of plans to begin with.
local function write_plans(dir)
  local files = {}
  local function add(steps, slots)
    local done, made = pcall(plan.encode, steps, slots)
    if done then files[#files + 1] = dir:write(#files + 1 .. ".plan", made:bytes()) end
  end
  for _, recipe in ipairs(corpus.plans()) do add(recipe.steps, recipe.slots) end
  for _ = 1, RANDOM_PLANS do add(corpus.random_steps(), corpus.slots) end
  return files
end

describe("the init under a fuzzer #fuzz", function()
  it("touches nothing that is not its own, and reports what failed", function()
    local dir <close> = support.tmpdir()
    local seed = math.tointeger(os.getenv("LUACTR_FUZZ_SEED")) or os.time()
    math.randomseed(seed)
    local seconds = math.ceil(tonumber(os.getenv("LUACTR_FUZZ_SECONDS")) or 1)
    local keep = DIRECTORY .. "/corpus"
    local program = build()
    lfs.mkdir(keep)
    local result = support.run { program, seconds, seed, keep, timeout = seconds + 60,
      env = { ASAN_OPTIONS = "detect_leaks=0", UBSAN_OPTIONS = "print_stacktrace=1" },
      table.unpack(write_plans(dir)) }
    assert.equal(0, result.code, ("LUACTR_FUZZ_SEED=%d: %s"):format(seed, result.stderr))
    local counts = {}
    for name, count in result.stdout:gmatch("(%w+)=(%d+)") do counts[name] = tonumber(count) end
    local few = counts.runs < ENOUGH -- on a slow machine
    for _, name in ipairs { "runs", "refused", "reports", "executed" } do
      assert.is_true(few or counts[name] > 0, result.stdout)
    end
  end)
end)
