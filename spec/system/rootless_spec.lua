-- Without root: a user namespace with one id, and what is refused then.

local lfs = require("lfs")
local support = require("support")
local world = require("support.world")

local it = support.it(it, pending, "root", "stranger") -- to become somebody else

local USER <const> = support.stranger

--- Run a recipe as a user without rights, with a runtime directory of its own.
local function run_recipe(text)
  local dir <close> = support.tmpdir()
  local recipe = dir:write("recipe.lua", text)
  local runtime = dir:mkdir "run"
  assert(os.execute(support.shell { "chown", USER, runtime }))
  local result = support.luactr { recipe, user = USER, env = { XDG_RUNTIME_DIR = runtime } }
  result.left = lfs.attributes(runtime .. "/luactr/containers", "nlink")
  return result
end

local function recipe(fields)
  return ([[
    local ctr = require "luactr"
    return ctr.container { rootfs = ctr.rootfs.host { "sh", "id", "cat" }, %s }
  ]]):format(fields)
end

describe("a container without root #system", function()
  before_each(world.check)
  after_each(world.check)

  it("is root of its own user namespace, and that user outside", function()
    local result =
      run_recipe(recipe [[ command = { "sh", "-c", "id -u; cat /proc/self/uid_map" } ]])
    assert.equal("", result.stderr)
    local id, inside, outside, count = result.stdout:match("^(%d+)\n%s*(%d+)%s+(%d+)%s+(%d+)\n$")
    assert.same({ "0", "0", tostring(USER), "1" }, { id, inside, outside, count })
  end)

  it("passes on its status and leaves no state", function()
    local result = run_recipe(recipe [[ command = { "sh", "-c", "exit 9" } ]])
    assert.same({ 9, 2 }, { result.code, result.left })
  end)

  it("is refused a limit that is not delegated, by the limit's name", function()
    local result = run_recipe(recipe [[ command = { "sh" }, limits = { memory = "64M" } ]])
    assert.equal(125, result.code)
    assert.is_truthy(result.stderr:find("limits.memory", 1, true))
    assert.is_truthy(result.stderr:find("delegated", 1, true))
  end)
end)
