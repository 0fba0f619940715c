local cjson = require("cjson")
local support = require("support")

-- The executable as people use it: each mistake ends with a clear message and the right status.
describe("luactr #cli", function()
  local dir

  before_each(function() dir = support.tmpdir() end)
  after_each(function() dir:close() end)

  -- Run a recipe with this text.
  local function recipe(text, options)
    options = options or {}
    local argv = { table.unpack(options.before or {}) }
    argv[#argv + 1] = dir:write(options.name or "recipe.lua", text)
    table.move(options, 1, #options, #argv + 1, argv)
    for key, value in pairs(options) do
      if type(key) == "string" and key ~= "before" and key ~= "name" then argv[key] = value end
    end
    return support.luactr(argv)
  end

  local function assert_run(result, code, in_stderr)
    assert.equal(code, result.code, result.stderr)
    if in_stderr then
      assert.is_truthy(result.stderr:find(in_stderr, 1, true), result.stderr)
    end
    return result
  end

  describe("usage", function()
    it("is printed without arguments", function()
      local result = assert_run(support.luactr {}, 2, "Usage: luactr RECIPE")
      assert.equal("", result.stdout)
    end)

    it("names the nearest verb", function()
      assert_run(support.luactr { "explian", "x.lua" }, 2,
        'luactr: no verb or recipe "explian", did you mean explain?')
    end)

    it("names the nearest option", function()
      assert_run(support.luactr { "run", "--jsno", "x.lua" }, 2, "--json")
    end)

    for _, verb in ipairs { "run", "check", "explain" } do
      it("wants a recipe for " .. verb, function()
        assert_run(support.luactr { verb }, 2, "which recipe?")
      end)

      it("has help for " .. verb, function()
        local help = support.luactr { "help", verb }
        local usage = "Usage: luactr " .. verb .. " [OPTION]... RECIPE"
        assert.is_truthy(help.stdout:find(usage, 1, true))
        assert.equal(help.stdout, support.luactr({ verb, "--help" }).stdout)
        assert.equal("", help.stderr)
      end)
    end

    it("lists all verbs in help", function()
      local help = assert_run(support.luactr { "help" }, 0)
      for _, verb in ipairs(require("luactr.cli").verbs) do
        assert.is_truthy(help.stdout:find("\n  " .. verb .. " ", 1, true), verb)
      end
      assert.equal(help.stdout, support.luactr({ "--help" }).stdout)
    end)

    it("prints the version", function()
      local version = assert_run(support.luactr { "version" }, 0).stdout
      assert.is_truthy(version:find("^luactr %d+%.%d+%.%d+ %(Lua 5%.4, Linux "))
      assert.equal(version, support.luactr({ "--version" }).stdout)
    end)

    it("cannot print where nobody reads", function()
      assert_run(support.luactr { "version", stdout = "closed" }, 125, "cannot write to stdout")
    end)

    it("fails with EPIPE where SIGPIPE is ignored", function()
      local result = support.run { "sh", "-c",
        "trap '' PIPE; { until [ -e \"$0\" ]; do sleep 0.05; done; sleep 0.1; exec "
        .. support.luactr_program .. " help; } | { exec <&-; : >\"$0\"; }", dir.path .. "/gone" }
      assert.matches("cannot write to stdout: Broken pipe", result.stderr, 1, true)
    end)
  end)

  describe("recipe", function()
    it("is missing", function()
      assert_run(support.luactr { dir.path .. "/none.lua" }, 125,
        "none.lua: No such file or directory")
    end)

    it("is a directory", function()
      assert_run(support.luactr { dir.path }, 125, "Is a directory")
    end)

    it("has a syntax error", function()
      assert_run(recipe("local x = 1\nlocal y = = 2\n"), 125, "/recipe.lua:2: unexpected symbol")
    end)

    it("has one behind a #! line", function()
      assert_run(recipe("#!/usr/bin/env luactr\nlocal y = = 2\n"), 125, "/recipe.lua:2: ")
    end)

    it("is bytecode", function()
      assert_run(recipe(string.dump(function() end)), 125, "attempt to load a binary chunk")
    end)

    it("raises", function()
      local result = assert_run(recipe [[
local function build(config)
  return config.missing.field
end
local function prepare() local built = build({}) return built end
local first = prepare()
]], 125, "recipe.lua:2: attempt to index a nil value")
      assert.is_truthy(result.stderr:find("recipe.lua:5 in the recipe", 1, true), result.stderr)
      assert.is_nil(result.stderr:find("luactr/cli", 1, true))
      assert.is_nil(result.stderr:find("[C]", 1, true))
    end)

    it("raises something that is no message", function()
      assert_run(recipe("error({})"), 125, "the recipe raised a table")
    end)

    it("returns nothing and does nothing", function()
      assert_run(recipe("local x = 1"), 0, "the recipe made no container and returned none")
    end)

    it("is a program that uses luactr.sys alone", function()
      local result = assert_run(recipe [[print(require("luactr.sys").getpid() > 0)]], 0)
      assert.same({ "true\n", "" }, { result.stdout, result.stderr })
    end)

    it("forgets to return its container", function()
      assert_run(recipe [[
local ctr = require "luactr"
ctr.container { rootfs = ctr.rootfs.empty(), command = { "/x" } }
]], 125, "try: return it: return ctr.container { ... }")
    end)

    it("returns something that cannot run", function()
      assert_run(recipe("return 'hello'"), 125, "the recipe returned a string")
    end)

    it("returns a status", function()
      assert_run(recipe("require 'luactr.sys' return 3"), 3)
    end)

    it("gets its arguments, options and all", function()
      local result = recipe([[
require "luactr.sys"
print(arg[0]:match("[^/]+$"), #arg, arg[1], arg[2], ...)
]], { "-v", "--json" })
      assert.equal("recipe.lua\t2\t-v\t--json\t-v\t--json\n", result.stdout)
    end)

    it("finds modules beside it, before others", function()
      dir:write("cjson.lua", "return { encode = function() return 'mine' end }")
      dir:write("helper/init.lua", "return { name = 'helper' }")
      local result = recipe [[
require "luactr.sys"
print(require("helper").name, require("cjson").encode {})
]]
      assert.equal("helper\tmine\n", result.stdout)
    end)

    it("comes from stdin", function()
      local result = support.luactr { "-", "a", stdin = "require 'luactr.sys' print(arg[0], ...)" }
      assert.equal("-\ta\n", result.stdout)
    end)

    it("is named like a verb", function()
      dir:write("check", "require 'luactr.sys' print('ran')")
      assert.equal("ran\n", support.luactr({ "./check", cwd = dir.path }).stdout)
      assert.equal("ran\n", support.luactr({ "run", "check", cwd = dir.path }).stdout)
    end)

    it("is executable by its #! line", function()
      local path = dir:write("tool", "#!" .. support.luactr_program
        .. "\nrequire 'luactr.sys' print('ran', ...)", "0755")
      assert.equal("ran\t-x\n", support.run({ path, "-x" }).stdout)
    end)

    it("has wrong fields: all are reported, each with its line", function()
      local result = assert_run(recipe [[
local ctr = require "luactr"
return ctr.container {
  rootfs = ctr.rootfs.empty(),
  hostnam = "x",
  command = { "/x" },
  limits = {
    memory = "64 apples",
  },
}
]], 125, "2 problems")
      assert.matches("recipe.lua:4: hostnam: unknown field, did you mean hostname?",
        result.stderr, 1, true)
      assert.is_truthy(result.stderr:find("recipe.lua:7: limits.memory: ", 1, true), result.stderr)
    end)
  end)

  describe("check", function()
    local GOOD <const> = [[
local ctr = require "luactr"
return ctr.container { name = "web", rootfs = ctr.rootfs.empty(), command = { "/x" } }
]]

    it("starts nothing", function()
      local result = assert_run(recipe(GOOD, { before = { "check" } }), 0)
      assert.is_truthy(result.stdout:find('container "web", %d+ steps, no problems'))
    end)

    it("ends with 1 when there is a problem", function()
      local wrong = GOOD:gsub('name = "web"', 'nmae = "web"')
      assert_run(recipe(wrong, { before = { "check" } }), 1,
        "nmae: unknown field, did you mean name?")
    end)

    it("stops a program before its first container starts", function()
      local result = assert_run(recipe([[
local ctr = require "luactr"
ctr.run { name = "first", rootfs = ctr.rootfs.empty(), command = { "/x" } }
print("not reached")
]], { before = { "check" } }), 0)
      assert.is_truthy(result.stdout:find('container "first"', 1, true))
      assert.is_nil(result.stdout:find("not reached", 1, true))
    end)

    it("looks into a seccomp profile", function()
      local wrong = GOOD:gsub("command", 'seccomp = { rules = { { names = { "opne" }, '
        .. 'action = "allow" } } },\ncommand')
      assert_run(recipe(wrong, { before = { "check" } }), 1, 'unknown system call "opne"')
    end)
  end)

  describe("explain", function()
    local RECIPE <const> = [[
local ctr = require "luactr"
return ctr.container {
  rootfs = ctr.rootfs.empty(),
  hostname = "here",
  command = { "/x" },
}
]]

    it("prints steps with their lines", function()
      local result = assert_run(recipe(RECIPE, { before = { "explain" } }), 0)
      assert.matches('%d+  %S*recipe.lua:4%s+sethostname%("here"', result.stdout)
    end)

    it("prints JSON", function()
      local result = assert_run(recipe(RECIPE, { before = { "explain", "--json" } }), 0)
      local steps = cjson.decode(result.stdout).steps
      assert.equal("exec", steps[#steps].op)
    end)
  end)
end)
