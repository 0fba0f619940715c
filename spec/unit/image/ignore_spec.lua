-- What of a directory is no part of a build, and the patterns that say it.

local ignore = require("luactr.image.ignore")
local pattern = require("luactr.image.pattern")
local support = require("support")

describe("luactr.image.pattern #unit", function()
  local function fits(text, path)
    return assert(pattern.path(text))(pattern.split(path))
  end

  for _, case in ipairs {
    { "*.c", "main.c", true }, { "*.c", "src/main.c", false }, { "src/*.c", "src/main.c", true },
    { "?", "ä", true }, { "?", "ab", false }, { "[a-c]x", "bx", true }, { "[^a-c]x", "bx", false },
    { "[!a]x", "bx", true }, { "[]-]", "]", true }, { "\\*", "*", true }, { "\\*", "x", false },
    { "**/x", "x", true }, { "**/x", "a/b/x", true }, { "a/**/x", "a/x", true },
    { "a/**/x", "b/x", false }, { "a/**", "a/b/c", true }, { "*a*b*c", "xaxbxbc", true },
    { "a*", "a", true }, { "", "", true }, { "./a", "a", true }, { "a.c", "abc", false },
  } do
    local text, path, expected = table.unpack(case)
    it(("%s %s %q"):format(text, expected and "fits" or "does not fit", path), function()
      assert.are.equal(expected, fits(text, path))
    end)
  end

  it("says which pattern is not complete", function()
    for _, text in ipairs { "[", "[a", "a/[a-", "\\", "[^" } do
      local found, mistake = pattern.path(text)
      assert.is_nil(found)
      assert.matches("is not complete", mistake)
    end
  end)

  it("takes no time that grows with the power of its stars", function()
    assert.is_false(fits(("a*"):rep(30) .. "b", ("a"):rep(2000)))
    assert.is_false(fits(("**/a/"):rep(30) .. "b", ("a/"):rep(1000)))
  end)
end)

describe("luactr.image.ignore #unit", function()
  local function excluded(text, path)
    return (assert(ignore.parse(text)):excludes(path))
  end

  for _, case in ipairs {
    { "*.o", "a.o", true }, { "*.o", "src/a.o", false }, { "**/*.o", "src/a.o", true },
    { "build", "build/x/y", true }, { "/build/", "build", true }, { "./build", "build", true },
    { "*\n!keep", "keep", false }, { "*\n!keep", "other", true }, { "*\n!a/b", "a/b/c", false },
    { "!a\n*", "a", true }, { "# a", "# a", false }, { "  a  ", "a", true },
    { "a\r\nb\r\n", "b", true }, { "x/../b", "b", true }, { "..", "a", false },
    { "\xef\xbb\xbfa", "a", true }, { "", "a", false }, { "! a", "a", false }, { "/", "a", false },
  } do
    local text, path, expected = table.unpack(case)
    it(("%q %s %s"):format(text, expected and "excludes" or "admits", path), function()
      assert.are.equal(expected, excluded(text, path))
    end)
  end

  it("knows the line that decides", function()
    assert.are.same({ true, 3 }, { assert(ignore.parse("a\n\nb\n")):excludes("b/c") })
  end)

  it("passes directories by only when nothing in them can come back", function()
    assert.is_true(assert(ignore.parse("node_modules")):prunes("node_modules"))
    assert.is_false(assert(ignore.parse("node_modules\n!node_modules/x")):prunes("node_modules"))
  end)

  it("names the line of what is no pattern", function()
    local found, problem = ignore.parse("ok\n[a\n")
    assert.is_nil(found)
    assert.are.same({ line = 2, message = "the pattern [a is not complete" }, problem)
  end)

  it("takes any text #fuzz", function()
    local pieces <const> = { "*", "**", "/", "[", "]", "^", "-", "\\", "!", "#", "a", "b", ".",
      "..", "\n", "\r", " ", "\xff", "?", "\0" }
    support.fuzz(function()
      local list = {}
      for i = 1, math.random(0, 30) do list[i] = pieces[math.random(#pieces)] end
      local text = table.concat(list)
      local found, problem = ignore.parse(text)
      if found then
        assert.is_boolean((found:excludes("a/b/c")))
      else
        assert.is_true(math.type(problem.line) == "integer" and problem.message ~= "")
      end
    end)
  end)
end)
