-- Which of the administrator's recipes are for a container, what they do, and whose files count.
local recipes = require("luactr.oci.recipes")
local support = require("support")
local sys = require("luactr.core").sys

local it = support.it(it, pending, "root")

local dir

local function load(config)
  return recipes.load({ oci_recipes = dir.path .. "/oci.d" }, config or {})
end

local function change(raw, config)
  local list, err = load(config)
  if not list then return nil, err end
  return list:change(raw)
end

describe("luactr.oci.recipes #system", function()
  before_each(function() dir = support.tmpdir() end)
  after_each(function() dir:close() end)

  describe("load()", function()
    it("finds none where there is no directory", function()
      assert.equal(0, #assert(load()))
      assert.is_nil(assert(load()):listeners())
    end)

    it("takes the files in the order of their names", function()
      dir:write("oci.d/20-b.lua", "return function(spec) spec.said = spec.said .. 'b' end")
      dir:write("oci.d/10-a.lua", "return function(spec) spec.said = spec.said .. 'a' end")
      dir:write("oci.d/.#10-a.lua", "nonsense")
      dir:write("oci.d/README", "nonsense")
      assert.equal("ab", assert(change({ said = "" })).said)
    end)

    it("asks a recipe whether it applies, with config.json as it is", function()
      dir:write("oci.d/a.lua", [[return {
        applies = function(config) return config.annotations.tier == "gold" end,
        create = function(spec) spec.seen = true end,
      }]])
      assert.is_nil(change({}, { annotations = { tier = "iron" } }).seen)
      assert.is_true(change({}, { annotations = { tier = "gold" } }).seen)
    end)

    it("names the file and the line of what cannot be read", function()
      dir:write("oci.d/a.lua", "return {\n  create = function( end }")
      local _, err = load()
      assert.equal("ESYNTAX", err.code)
      assert.matches("oci.d/a.lua:2:", err.message)
    end)

    it("refuses what is no recipe, and says which field", function()
      for text, message in pairs {
        ["return { craete = print }"] = "craete: unknown field, did you mean create",
        ["return { on = { strated = print } }"] = "on.strated: unknown field, did you mean started",
        ["return { create = true }"] = "create: function expected",
        ["return 5"] = "table expected, got 5", [""] = "table expected, got nil",
      } do
        dir:write("oci.d/a.lua", text)
        local _, err = load()
        assert.equal("ESPEC", err.code)
        assert.matches(message, err.message, 1, true)
      end
    end)

    it("tells where a file raises an error, and from where it was called", function()
      dir:write("oci.d/a.lua", "local function look(x)\n  return x.y.z\nend\nlook({})\n")
      local _, err = load()
      assert.equal("ERAISED", err.code)
      assert.equal(dir.path .. "/oci.d/a.lua", err.path)
      assert.matches("a.lua, in its main part: .*a.lua:2: attempt to index.*\n  .*a.lua:2 in ",
        tostring(err))
    end)
  end)

  describe("change()", function()
    it("takes the table that a recipe returns", function()
      dir:write("oci.d/a.lua", "return function() return { other = true } end")
      assert.same({ other = true }, change({}))
    end)

    it("refuses the container with the recipe's reason", function()
      for text, reason in pairs {
        ["nil, 'no gold'"] = "refuses the container: no gold",
        ["false"] = "it does not say why",
      } do
        dir:write("oci.d/a.lua", "return function() return " .. text .. " end")
        local _, err = change({})
        assert.equal("EREFUSED", err.code)
        assert.matches(dir.path .. "/oci.d/a.lua", err.message, 1, true)
        assert.matches(reason, err.message, 1, true)
      end
    end)

    it("gives recipes a copy of config.json", function()
      dir:write("oci.d/a.lua", "return function(_, config) config.annotations.x = 'changed' end")
      local config = { annotations = { x = "as it was" } }
      assert(change({}, config))
      assert.equal("as it was", config.annotations.x)
    end)

    it("tells of an error with its traceback", function()
      dir:write("oci.d/a.lua", "return function(spec)\n  spec.limits.memory = 1\nend")
      local _, err = change({})
      assert.equal("ERAISED", err.code)
      assert.matches("a.lua, in its create: .*a.lua:2: attempt to index a nil value.*\n  .*a.lua:2",
        tostring(err))
    end)
  end)

  describe("an annotation", function()
    local function asking(names) return { annotations = { ["luactr.recipe"] = names } } end

    it("has the recipes that the administrator allows, after those for all", function()
      dir:write("oci.d/a.lua", "return function(spec) spec.said = 'a' end")
      dir:write("oci.d/allowed/x.lua", "return function(spec) spec.said = spec.said .. 'x' end")
      dir:write("oci.d/allowed/y.lua", "return function(spec) spec.said = spec.said .. 'y' end")
      assert.equal("a", change({}, {}).said)
      assert.equal("ay", change({}, asking "y").said)
      assert.equal("axy", change({}, asking "x, y").said)
    end)

    it("is refused for others, and whatever is no name", function()
      dir:write("oci.d/a.lua", "return function() end")
      dir:write("oci.d/allowed/quiet.lua", "return function() end")
      for _, name in ipairs { "quite", "../a", "quiet.lua", "/etc/passwd", "quiet\0" } do
        local _, err = load(asking(name))
        assert.equal("ENOENT", err.code)
        assert.matches("quiet", tostring(err))
      end
      assert.matches('asks for "quite", which is not allowed, did you mean quiet?',
        select(2, load(asking "quite")).message, 1, true)
    end)

    it("is refused where nothing is allowed", function()
      local _, err = load(asking "quiet")
      assert.equal("ENOENT", err.code)
      assert.matches("allowed has no recipes", err.cause)
    end)
  end)

  describe("files", function()
    before_each(function() dir:write("oci.d/a.lua", "return function() end") end)

    local function refused(cause)
      local list, err = load()
      assert.is_nil(list)
      assert.matches(cause, err.cause)
      return err
    end

    it("of somebody else are refused", function()
      assert(sys.chown(dir.path .. "/oci.d/a.lua", support.stranger))
      local err = refused("it belongs to user 65534")
      assert.equal("EPERM", err.code)
      assert.equal(dir.path .. "/oci.d/a.lua", err.path)
    end)

    it("that others may write to are refused", function()
      for _, mode in ipairs { "0664", "0646" } do
        assert(sys.chmod(dir.path .. "/oci.d/a.lua", mode))
        refused("others than root may write to it")
      end
    end)

    it("in a directory of somebody else's, or one that others may write to, are refused", function()
      for _, path in ipairs { dir.path .. "/oci.d", dir.path } do
        assert(sys.chown(path, support.stranger))
        refused("belongs to user 65534")
        assert(sys.chown(path, 0))
        assert(sys.chmod(path, "0777"))
        refused("others than root may")
        assert(sys.chmod(path, "0755"))
      end
      assert(load())
    end)

    it("by a link are refused, and so is what is no file", function()
      assert(sys.symlink("a.lua", dir.path .. "/oci.d/b.lua"))
      refused("it is a symbolic link")
      assert(sys.unlink(dir.path .. "/oci.d/b.lua"))
      assert(sys.mknod(dir.path .. "/oci.d/b.lua", "010644"))
      refused("it is no file but a fifo")
    end)

    it("of nobody in a user namespace without root are root's", function()
      local result = support.run { "unshare", "--user", "lua5.4", "-e",
        ([[local recipes = require "luactr.oci.recipes"
          print(#assert(recipes.load({ oci_recipes = %q }, {})))]]):format(dir.path .. "/oci.d"),
        env = { LUA_PATH = package.path, LUA_CPATH = package.cpath } }
      assert.equal("1\n", result.stdout, result.stderr)
    end)
  end)

  describe("events", function()
    local function note() return support.read(dir.path .. "/note") end

    before_each(function()
      dir:write("oci.d/a.lua", ([[local function tell(event)
        return function(state)
          local file <close> = io.open(%q, "a")
          file:write(event, " ", state.id, "\n")
        end
      end
      return { on = { created = tell "created", deleted = tell "deleted" } }]])
        :format(dir.path .. "/note"))
      dir:write("oci.d/b.lua", "return function() end")
    end)

    it("are told to who listens, by later commands as well", function()
      local list = assert(load())
      assert(list:tell("created", { id = "web" }))
      local paths = list:listeners()
      assert.same({ dir.path .. "/oci.d/a.lua" }, paths)
      assert(recipes.tell(paths, "started", { id = "web" }))
      assert(recipes.tell(paths, "deleted", { id = "web" }))
      assert.equal("created web\ndeleted web\n", note())
    end)

    it("reach those behind one that fails", function()
      dir:write("oci.d/0.lua", "return { on = { created = function() error 'no' end } }")
      local fine, err = assert(load()):tell("created", { id = "web" })
      assert.is_false(fine)
      assert.matches("0.lua, in its on.created: .*no", tostring(err))
      assert.equal("created web\n", note())
    end)

    it("are an error once the file is gone or is not root's any more", function()
      local paths = assert(load()):listeners()
      assert(sys.chmod(paths[1], "0666"))
      local fine, err = recipes.tell(paths, "deleted", {})
      assert.equal("EPERM", (not fine and err).code)
      assert(sys.unlink(paths[1]))
      fine, err = recipes.tell(paths, "deleted", {})
      assert.equal("ENOENT", (not fine and err).code)
    end)
  end)
end)
