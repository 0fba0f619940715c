-- luactr.loop: tasks, timers and groups, without a container.
local ctr = require("luactr")
local core = require("luactr.core")
local group = require("luactr.loop.group")
local loop = require("luactr.loop")
local poll = require("luactr.poll")
local task = require("luactr.loop.task")

local function pipe()
  local reader, writer = core.sys.pipe()
  return reader, writer
end

--- What a function writes to stderr by way of luactr.raised.
local function reported(fn)
  local texts, stderr = {}, io.stderr
  io.stderr = { write = function(_, ...) -- luacheck: ignore 122
    texts[#texts + 1] = table.concat { ... }
  end }
  local fine, err = pcall(fn)
  io.stderr = stderr -- luacheck: ignore 122
  assert(fine, err)
  return table.concat(texts)
end

describe("luactr.loop #unit", function()
  after_each(function()
    loop.close()
    assert.is_false(loop.is_busy())
  end)

  describe("tasks", function()
    it("begin at once and go on while another waits", function()
      local seen = {}
      local one = ctr.spawn(function()
        for i = 1, 3 do
          seen[#seen + 1] = "a" .. i
          ctr.sleep(0)
        end
      end)
      for i = 1, 3 do
        seen[#seen + 1] = "b" .. i
        ctr.sleep(0)
      end
      one:wait()
      assert.equal("a1 b1 a2 b2 a3 b3", table.concat(seen, " "))
    end)

    it("return what their function returns", function()
      local one = ctr.spawn(function(...) ctr.sleep(0) return ..., nil end, 1)
      assert.same({ 1, nil, n = 2 }, table.pack(one:wait()))
      assert.same({ 1, nil, n = 2 }, table.pack(one:wait()))
    end)

    it("wait for descriptors beside each other", function()
      local reader, writer = pipe()
      local one = ctr.spawn(function()
        poll.wait { { fd = reader } }
        return reader:read(10)
      end)
      ctr.spawn(function() ctr.sleep(0.01) writer:write("late") end)
      assert.equal("late", one:wait())
    end)

    it("may wait for one descriptor together", function()
      local reader, writer = pipe()
      local woken = 0
      local function wait()
        poll.wait { { fd = reader } }
        woken = woken + 1
      end
      local both = ctr.all(wait, wait):start()
      writer:write("x")
      both:wait()
      assert.equal(2, woken)
    end)

    it("give their error to who waits, with the stack", function()
      local one = ctr.spawn(function() ctr.sleep(0) error("oops") end)
      local value, err = one:wait()
      assert.is_nil(value)
      assert.equal("ERAISED", err.code)
      assert.matches("loop_spec.lua:%d+: oops", err.message)
      assert.matches("loop_spec.lua:%d+", err.stack[1])
    end)

    it("report an error that nobody waits for", function()
      local failures = task.failures
      local text = reported(function()
        ctr.spawn(function() ctr.sleep(0) error("lost") end)
        ctr.sleep(0.01)
      end)
      assert.matches("^luactr: a task ended: .*_spec.lua:%d+: lost\n  .*_spec.lua:%d+", text)
      assert.equal(failures + 1, task.failures)
    end)

    it("let a wait end before they do", function()
      local one = ctr.spawn(ctr.sleep, 100)
      local _, err = one:wait(0.01)
      assert.equal("ETIMEDOUT", err.code)
    end)

    it("cannot wait for themselves", function()
      local one
      one = ctr.spawn(function() ctr.sleep(0) one:wait() end)
      assert.matches("cannot wait for itself", select(2, one:wait()).message)
    end)

    it("that wait for each other are an error", function()
      local one, two
      one = ctr.spawn(function() ctr.sleep(0) two:wait() end)
      two = ctr.spawn(function() one:wait() end)
      local _, err = pcall(one.wait, one)
      assert.equal("EDEADLK", err.code)
    end)

    it("wait where they cannot yield, too", function()
      local seen = {}
      local one = ctr.spawn(function()
        table.sort({ 2, 1 }, function(a, b)
          ctr.sleep(0.01)
          seen[#seen + 1] = "sort"
          return a < b
        end)
      end)
      local two = ctr.spawn(function() seen[#seen + 1] = "two" end)
      ctr.all(one, two):wait()
      assert.same({ "sort", "two" }, seen)
    end)

    it("may use coroutines of their own", function()
      local one = ctr.spawn(function()
        local values = {}
        local function produce()
          ctr.sleep(0)
          coroutine.yield(1)
          ctr.sleep(0)
        end
        for value in coroutine.wrap(produce) do
          values[#values + 1] = value
        end
        return #values
      end)
      assert.equal(1, one:wait())
    end)
  end)

  describe("cancel()", function()
    it("closes variables and ends the task where it waits", function()
      local seen = {}
      local one = ctr.spawn(function()
        local _ <close> = setmetatable({}, { __close = function() seen[1] = "closed" end })
        pcall(ctr.sleep, 100)
        seen[2] = "went on"
      end)
      assert.is_true(one:cancel())
      assert.same({ "closed" }, seen)
      assert.equal("ECANCELED", select(2, one:wait()).code)
      assert.is_false(one:cancel())
    end)

    it("lets what is closed wait", function()
      local seen
      local one = ctr.spawn(function()
        local _ <close> = setmetatable({}, { __close = function() ctr.sleep(0.01) seen = true end })
        ctr.sleep(100)
      end)
      one:cancel()
      assert.is_true(seen)
    end)

    it("ends a task that cancels itself at its next wait", function()
      local one, went_on
      one = ctr.spawn(function()
        ctr.sleep(0)
        one:cancel()
        ctr.sleep(0)
        went_on = true
      end)
      assert.equal("ECANCELED", select(2, one:wait()).code)
      assert.is_nil(went_on)
    end)

    it("comes with the end of a variable's scope", function()
      local one
      do
        local scoped <close> = ctr.spawn(ctr.sleep, 100)
        one = scoped
      end
      assert.is_true(one.done)
    end)
  end)

  describe("timers", function()
    it("call again and again, and in time after a slow call", function()
      local count = 0
      local timer = ctr.every("1ms", function(timer)
        count = count + 1
        if count == 5 then timer:cancel() end
      end)
      timer:wait(10)
      assert.is_true(timer.done)
      assert.equal(5, count)
    end)

    it("call once, later", function()
      local seen = {}
      local later = ctr.after("300ms", function() seen[#seen + 1] = "later" end)
      local sooner = ctr.after("1ms", function() seen[#seen + 1] = "sooner" end)
      ctr.all(later, sooner):wait()
      assert.same({ "sooner", "later" }, seen)
    end)

    it("go on after an error, which is told", function()
      local count = 0
      local text = reported(function()
        ctr.every("1ms", function(timer)
          count = count + 1
          if count == 2 then timer:cancel() end
          error("tick " .. count)
        end):wait(10)
      end)
      assert.matches("ctr.every: .*tick 1\n", text)
      assert.matches("ctr.every: .*tick 2\n", text)
    end)

    it("do not keep a program alive", function()
      ctr.every("1ms", function() end)
      local ended
      ctr.after("5ms", function() ended = true end)
      loop.run()
      assert.is_true(ended)
    end)

    for _, case in ipairs {
      { "every: function expected, got nil", "every", "1s" },
      { "after: function expected, got string", "after", 1, "x" },
      { "every: the interval has to be longer than 0", "every", 0, print },
      { "every: ", "every", "soon", print },
      { "sleep: ", "sleep", "soon" },
      { "spawn: function expected, got nil", "spawn" },
      { "all: nothing to wait for", "all" },
      { "any: argument 2: container, task, function or group expected, got 7", "any", print, 7 },
    } do
      it("and tasks refuse: " .. case[1], function()
        local fine, message = pcall(ctr[case[2]], case[3], case[4])
        assert.is_false(fine)
        assert.matches(case[1], message, 1, true)
      end)
    end
  end)

  describe("groups", function()
    it("return the results in the order of the items", function()
      local results = assert(ctr.all({
        function() ctr.sleep(0.02) return "slow" end,
        function() return "quick" end,
        ctr.spawn(function() return "task" end),
        ctr.all(function() return "inner" end),
      }):wait())
      assert.same({ "slow", "quick", "task", { "inner" } }, results)
    end)

    it("return the first error, and what the others returned", function()
      local several = ctr.all(function() return 1 end, function() error("bad", 0) end)
      local _, err, results = several:wait()
      assert.equal("bad", err.message)
      assert.same({ 1, false }, results)
    end)

    it("wait for the first alone", function()
      local several <close> = ctr.any(function() ctr.sleep(100) end, function() return 2 end)
      local value, item = several:wait()
      assert.equal(2, value)
      assert.is_function(item)
    end)

    it("end what they started when they are closed", function()
      local several = ctr.all(function() ctr.sleep(100) end):start()
      several:close()
      several:close()
      assert.is_false(loop.is_busy())
    end)

    it("tell when time is over", function()
      local several <close> = ctr.all(function() ctr.sleep(100) end)
      assert.equal("ETIMEDOUT", select(2, several:wait(0.01)).code)
    end)

    it("know their own", function()
      assert.is_true(group.is(ctr.any(print)))
      assert.is_false(group.is({}))
    end)
  end)

  describe("lua-luv", function()
    local luv = require("luv")

    it("goes on beside tasks", function()
      local ticks, timer = 0, luv.new_timer()
      timer:start(1, 1, function()
        ticks = ticks + 1
        if ticks == 3 then timer:close() end
      end)
      local slept
      ctr.spawn(function() ctr.sleep(0.01) slept = true end)
      loop.run()
      assert.same({ 3, true }, { ticks, slept })
    end)

    it("may resume a task, and its callbacks may wait", function()
      local timer, slept = luv.new_timer(), false
      local one = ctr.spawn(function()
        local thread = coroutine.running()
        timer:start(1, 0, function()
          ctr.sleep(0.001)
          slept = true
          timer:close()
          coroutine.resume(thread, "resumed")
        end)
        local value = coroutine.yield()
        ctr.sleep(0)
        return value
      end)
      assert.equal("resumed", one:wait())
      assert.is_true(slept)
      loop.run() -- until the timer is closed
    end)
  end)
end)
