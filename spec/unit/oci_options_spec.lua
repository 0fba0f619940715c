-- The options of `luactr oci`, and the lines of its log.

local log = require("luactr.oci.log")
local options = require("luactr.oci.options")

describe("luactr.oci.options #unit", function()
  local rows <const> = {
    { "-b --bundle", argument = "DIR" }, { "-d --detach" }, { "--no-pivot" },
    { "--preserve-fds", argument = "N", number = true },
    { "-e --env", argument = "VAR=VALUE", many = true },
    { "-f --format", argument = "FORMAT", words = { "table", "json" } },
  }

  local function parse(...)
    return options.parse(rows, { ... })
  end

  local spellings = {
    { "--bundle", "/b" }, { "--bundle=/b" }, { "-b", "/b" }, { "-b/b" }, { "-b=/b" },
    { "-bundle", "/b" }, { "-bundle=/b" }, { "--bundle", "/a", "--bundle", "/b" },
    { "-d=false", "-b", "/b" }, { "--detach=0", "--bundle=/b", "--no-pivot=false" },
  }
  for _, words in ipairs(spellings) do
    it("takes " .. table.concat(words, " "), function()
      local given, arguments = parse("x", table.unpack(words))
      assert.same({ bundle = "/b" }, given)
      assert.same({ "x" }, arguments)
    end)
  end

  it("takes letters together, the last with a value", function()
    assert.same({ detach = true, bundle = "/b" }, parse("-db", "/b"))
    assert.same({ detach = true, bundle = "/b" }, parse("-db/b"))
  end)

  it("takes any word as the value that an option needs", function()
    assert.same({ bundle = "--detach", preserve_fds = -1 },
      parse("--bundle", "--detach", "--preserve-fds", "-1"))
  end)

  it("collects what may be given several times, empty ones, too", function()
    assert.same({ env = { "A=1", "", "B==" } }, parse("-e", "A=1", "--env=", "-eB=="))
  end)

  it("takes an empty value for none", function()
    assert.same({}, parse("--bundle", "/a", "--bundle="))
  end)

  it("ends at -- and, where order counts, at the first other word", function()
    local given, arguments = parse("a", "--", "-d")
    assert.same({ {}, { "a", "-d" } }, { given, arguments })
    local next
    given, arguments, next = options.parse(rows, { "-d", "id", "-d", "--", "x" }, 1, true)
    assert.same({ { detach = true }, { "id", "-d", "--", "x" }, 2 }, { given, arguments, next })
  end)

  it("takes a negative number for an argument", function()
    assert.same({ "id", "-9" }, select(2, parse("id", "-9")))
  end)

  local mistakes = {
    { { "--bundel", "x" }, 'unknown option "--bundel", did you mean --bundle?' },
    { { "-bundel=x" }, nil }, -- a value of -b
    { { "--nopivot" }, 'unknown option "--nopivot", did you mean --no-pivot?' },
    { { "-z" }, 'unknown option "-z"' }, { { "-dz" }, 'unknown option "-dz"' },
    { { "--bundle" }, "--bundle needs a value: DIR" }, { { "-b" }, "-b needs a value: DIR" },
    { { "--detach=maybe" }, '--detach: true or false expected, got "maybe"' },
    { { "--preserve-fds", "1.5" }, '--preserve-fds: a whole number expected, got "1.5"' },
    { { "--preserve-fds=0x10" }, '--preserve-fds: a whole number expected, got "0x10"' },
    { { "--preserve-fds", ("9"):rep(400) }, "--preserve-fds: a whole number expected, got \""
      .. ("9"):rep(64) .. '..."' },
    { { "-f", "xml" }, '-f: table or json expected, got "xml"' },
    { { "--\27[2J\n" }, 'unknown option "--\\x1b[2J\\x0a"' },
  }
  for _, case in ipairs(mistakes) do
    it("says of " .. table.concat(case[1], " "):sub(1, 40):gsub("%c", "?"), function()
      local given, problem = parse(table.unpack(case[1]))
      assert.equal(case[2], not given and problem or nil)
    end)
  end

  it("does not work on options of a hostile length", function()
    local given, problem = parse("--" .. ("bundle"):rep(200000))
    assert.is_nil(given)
    assert.is_true(#problem < 200)
  end)
end)

describe("luactr.oci.log #unit", function()
  it("makes a line of JSON of a paragraph", function()
    assert.equal('{"level":"error","msg":"no such \\"x\\" in /a; try: y","time":'
      .. '"1970-01-01T00:00:01Z"}\n', log.line("json", "error", 'no such "x" in /a\n  try: y', 1))
  end)

  it("makes a line of text of it", function()
    assert.equal('time="1970-01-01T00:00:01Z" level=warning msg="a \\"b\\"; c"\n',
      log.line("text", "warning", 'a "b"\n  c', 1))
  end)

  it("spells what errno means as engines look for it", function()
    assert.matches("exec /x; ENOENT %(no such file or directory%): No file",
      log.line("text", "error", "exec /x\n  ENOENT (No such file or directory): No file", 1))
  end)

  it("makes JSON of any bytes", function()
    local line = log.line("json", "error", "a\xff\0b\27", 1)
    assert.same("a?\0b\27", require("cjson").decode(line).msg)
  end)

  it("bounds a line", function()
    assert.is_true(#log.line("json", "error", ("x"):rep(1 << 20), 1) < 1 << 17)
  end)
end)
