local E = require("luactr.error")

describe("luactr.error #unit", function()
  local overlay = {
    message = 'cannot start "web"', errno = 22, op = "mount", path = "/", step = 9, steps = 31,
    action = "mount overlay on / (lowerdir=/srv/alpine)", checked = true,
    cause = "the upper directory is itself on overlayfs", remedy = 'upper = ctr.tmpfs "512M"',
    where = { file = "web.lua", line = 14 },
  }

  local function new(base, changes)
    local fields = {}
    for key, value in pairs(base) do fields[key] = value end
    for key, value in pairs(changes or {}) do fields[key] = value end
    return E.new(fields)
  end

  describe("tostring", function()
    it("prints step, errno, cause, remedy and the recipe's line", function()
      assert.equal([[
luactr: cannot start "web"
  step 9 of 31: mount overlay on / (lowerdir=/srv/alpine)
  EINVAL (Invalid argument): the upper directory is itself on overlayfs
  try: upper = ctr.tmpfs "512M"
  recipe: web.lua:14]], tostring(new(overlay)))
    end)

    it("marks a cause that nobody checked", function()
      assert.matches(": perhaps the upper directory", tostring(new(overlay, { checked = false })))
    end)

    it("does not repeat the system's words", function()
      local err = E.from_sys("open /x: No such file or directory", 2, "open", "/x")
      assert.equal("luactr: open /x: No such file or directory", tostring(err))
    end)

    it("names the step by op and path when it has no words", function()
      local err = E.new {
        message = "no", errno = 1, op = "mkdir", path = "/x", step = 2, steps = 3,
      }
      assert.equal([[
luactr: no
  step 2 of 3: mkdir /x
  EPERM (Operation not permitted)]], tostring(err))
    end)

    it("lists every problem of a spec", function()
      local problems = { { path = "a", message = "bad" }, { path = "", message = "worse" } }
      local err = E.new { code = "ESPEC", message = "x", problems = problems }
      assert.equal("luactr: 2 problems in the recipe\n  a: bad\n  worse", tostring(err))
    end)

    it("gives each problem its line once it is known", function()
      local problems = { { path = "a", message = "bad", where = "web.lua:7" } }
      local err = E.new { code = "ESPEC", message = "x", problems = problems,
        where = { file = "web.lua", line = 3 } }
      assert.equal("luactr: web.lua:7: a: bad", tostring(err))
    end)

    it("begins a problem with its line in the recipe", function()
      local problems = { { path = "a", message = "bad", where = "web.lua:7" } }
      local err = E.new { code = "ESPEC", message = "x", problems = problems }
      assert.equal("luactr: web.lua:7: a: bad", tostring(err))
    end)

    it("makes a single problem the headline", function()
      local problems = { { path = "a", message = "bad" } }
      local err = E.new { code = "ESPEC", message = "x", problems = problems }
      assert.equal("luactr: a: bad", tostring(err))
    end)
  end)

  describe("escape()", function()
    local cases = {
      ["plain /path é"] = "plain /path é",
      ["a\27[31mb"] = "a\\x1b[31mb",
      ["line\nbreak\r"] = "line\\x0abreak\\x0d",
      ["c1\u{9b}31m"] = "c1\\xc2\\x9b31m",
      ["not utf8 \xff"] = "not utf8 \\xff",
      ["turned \u{202e}round"] = "turned \\xe2\\x80\\xaeround",
      ["del\127"] = "del\\x7f",
    }
    for text, expected in pairs(cases) do
      it("makes " .. expected .. " printable", function()
        assert.equal(expected, E.escape(text))
      end)
    end

    it("covers names in messages", function()
      local err = E.new { message = "no \27]0;x\7", errno = 2, op = "open", path = "/\n", step = 1 }
      assert.is_nil(tostring(err):gsub("\n  ", ""):find("%c"))
    end)
  end)

  describe("wrap()", function()
    it("puts the outermost context first and returns the same error", function()
      local err = E.from_sys("open /x: No such file or directory", 2, "open", "/x")
      assert.equal(err, err:wrap("read the image"):wrap('start "web"'))
      assert.equal('luactr: start "web": read the image: open /x: No such file or directory',
        tostring(err))
      assert.equal("ENOENT", err.code)
    end)
  end)

  it("names the code of an errno", function()
    assert.equal("EMFILE", E.from_sys("x", 24).code)
  end)

  it("knows its own", function()
    assert.is_true(E.is(E.new { message = "x", code = "ESPEC" }))
    for _, other in ipairs { "text", {}, 1 } do assert.is_false(E.is(other)) end
  end)

  it("gives plain data", function()
    local record = new(overlay):record()
    assert.is_nil(getmetatable(record))
    assert.same({ "EINVAL", 22, 9 }, { record.code, record.errno, record.step })
  end)
end)
