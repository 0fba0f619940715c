local keys = require("luactr.cli.top.keys")
local model = require("luactr.cli.top.model")
local screen = require("luactr.cli.top.screen")

local function sample(id, at, cpu, more)
  local meters = { id = id, state = "running", at = at, cpu_seconds = cpu, memory = 1 << 20 }
  for key, value in pairs(more or {}) do meters[key] = value end
  return meters
end

local function ids(view)
  local list = {}
  for i, row in ipairs(view.rows) do list[i] = row.id end
  return list
end

describe("luactr.cli.top.model #unit", function()
  it("makes rates of two samples", function()
    local view = model.new {}
    model.add(view, { sample("a", 1, 5, { io_read_bytes = 100, throttled_seconds = 0 }) })
    assert.is_nil(view.rows[1].cpu)
    model.add(view, { sample("a", 3, 6, { io_read_bytes = 300, throttled_seconds = 0.5 }) })
    local row = view.rows[1]
    assert.same({ 0.5, 100.0, 0.25 }, { row.cpu, row.read, row.throttled })
    assert.is_nil(row.written)
    assert.same({ 0, 0.5 }, row.cpu_history)
  end)

  it("takes a container that was started again for a new one", function()
    local view = model.new {}
    model.add(view, { sample("a", 1, 50) })
    model.add(view, { sample("a", 2, 1) })
    assert.equal(0, view.rows[1].cpu)
  end)

  it("keeps no more history than a graph shows", function()
    local view = model.new {}
    for i = 1, model.HISTORY + 20 do model.add(view, { sample("a", i, i) }) end
    assert.equal(model.HISTORY, #view.rows[1].cpu_history)
    model.add(view, {})
    assert.same({}, view.known)
  end)

  it("sorts by each column, and by name what is equal", function()
    local view = model.new {}
    local more = {
      a = { memory = 1, pids = 3, io_write_bytes = 0, throttled_seconds = 0 },
      b = { memory = 3, pids = 1, io_write_bytes = 0, throttled_seconds = 0 },
      c = { memory = 2, pids = 2, io_write_bytes = 0, throttled_seconds = 0 },
    }
    local function look(at)
      more.c.io_write_bytes, more.a.throttled_seconds = at * 10, at / 2
      model.add(view, { sample("b", at, at * 3, more.b), sample("a", at, at, more.a),
        sample("c", at, at * 2, more.c) })
    end
    look(1)
    look(2)
    local orders = {}
    for _ = 1, #model.sorts do
      orders[view.sort] = table.concat(ids(view))
      model.next_sort(view)
    end
    assert.same({ cpu = "bca", memory = "bca", pids = "acb", io = "cab", throttled = "abc",
      name = "abc" }, orders)
    assert.equal("cpu", view.sort)
  end)

  it("filters by a plain text, and keeps who is selected", function()
    local view = model.new { sort = "name" }
    model.add(view, { sample("web.1", 1, 0), sample("web-2", 1, 0), sample("db", 1, 0) })
    model.select(view, 1)
    assert.equal("web-2", view.selected)
    view.filter = "web."
    model.arrange(view)
    assert.same({ "web.1" }, ids(view))
    assert.equal("web.1", view.selected)
    view.filter = "nothing"
    model.arrange(view)
    assert.is_nil(view.selected)
    model.select(view, 1)
    assert.is_nil(view.selected)
  end)
end)

describe("luactr.cli.top.screen #unit", function()
  local function lines(size, count)
    local view = model.new { sort = "name" }
    local samples = {}
    for i = 1, count do samples[i] = sample(("name-%03d"):format(i), 1, 0) end
    model.add(view, samples)
    return screen.lines(view, size), view
  end

  local function plain(line) return (line:gsub("\27%[%d*m", "")) end

  for _, size in ipairs { { 24, 80 }, { 6, 30 }, { 3, 10 }, { 2, 5 }, { 1, 1 }, { 50, 300 } } do
    it(("fits in %d lines of %d columns"):format(size[1], size[2]), function()
      for _, utf8_too in ipairs { true, false } do
        local list = lines({ rows = size[1], columns = size[2], utf8 = utf8_too }, 100)
        assert.is_true(#list <= size[1])
        for _, line in ipairs(list) do
          assert.is_true(utf8.len(plain(line)) <= size[2], line)
        end
      end
    end)
  end

  it("shows the rows round the selected one", function()
    local _, view = lines({ rows = 10, columns = 80 }, 100)
    model.select(view, 60)
    local text = table.concat(screen.lines(view, { rows = 10, columns = 80 }), "\n")
    assert.is_truthy(text:find("name-061", 1, true))
    assert.is_nil(text:find("name-001", 1, true))
    assert.matches("\27%[7mname%-061", text)
  end)

  it("leaves out the last columns where there is no room", function()
    local wide, narrow = lines({ rows = 5, columns = 140 }, 1), lines({ rows = 5, columns = 40 }, 1)
    assert.is_truthy(wide[2]:find("PSI", 1, true))
    assert.is_nil(narrow[2]:find("PIDS", 1, true))
    assert.is_truthy(narrow[2]:find("MEMORY", 1, true))
  end)

  it("draws graphs from left to right, the newest last", function()
    local steps = { "1", "2", "3", "4" }
    assert.equal("  124", screen.graph({ 0, 0.5, 1 }, 5, 1, steps))
    assert.equal("24", screen.graph({ 0, 0.5, 1 }, 2, 1, steps))
    assert.equal("4", screen.graph({ 9 }, 1, 1, steps))
    assert.equal("1", screen.graph({ 9 }, 1, 0, steps))
  end)
end)

describe("luactr.cli.top.keys #unit", function()
  it("reads arrows, controls and characters", function()
    assert.same({ "up", "down", "up", "page_down", "q" }, keys.parse("\27[A\27[B\27OA\27[6~q"))
    assert.same({ "escape" }, keys.parse("\27"))
    assert.same({ "escape", "x" }, keys.parse("\27x"))
    assert.same({ "ctrl_c", "enter", "space", "backspace" }, keys.parse("\3\r \127"))
    assert.same({ "a" }, keys.parse("\27[17~a")) -- F6 means nothing
  end)

  local function view_of()
    local acts = {}
    return { model = model.new { sort = "name" }, act = function(_, id, method)
      acts[#acts + 1] = method .. " " .. id
    end }, acts
  end

  local function press(view, typed)
    for _, key in ipairs(keys.parse(typed)) do keys.press(view, key) end
  end

  it("kill only after y", function()
    local view, acts = view_of()
    model.add(view.model, { sample("a", 1, 0), sample("b", 1, 0) })
    press(view, "kn")
    press(view, "k\27[B")
    assert.same({}, acts)
    press(view, "\27[Bky")
    assert.same({ "kill b" }, acts)
  end)

  it("pause what runs and resume what is paused", function()
    local view, acts = view_of()
    model.add(view.model, { sample("a", 1, 0) })
    press(view, "p")
    model.add(view.model, { sample("a", 2, 0, { state = "paused" }) })
    press(view, "p")
    assert.same({ "pause a", "resume a" }, acts)
  end)

  it("type a filter in which no key is an act", function()
    local view, acts = view_of()
    model.add(view.model, { sample("kq", 1, 0), sample("x", 1, 0) })
    press(view, "/kqz\127")
    assert.same({ "kq" }, ids(view.model))
    press(view, "\r")
    assert.is_false(view.model.typing)
    press(view, "\27")
    assert.equal(2, #view.model.rows)
    assert.same({}, acts)
    assert.is_nil(view.over)
    press(view, "/\3")
    assert.is_true(view.over)
  end)

  it("do nothing where there is no container", function()
    local view, acts = view_of()
    press(view, "pky\27[As")
    assert.same({}, acts)
  end)
end)
