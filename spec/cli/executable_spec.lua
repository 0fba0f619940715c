local support = require("support")

-- What csrc/main.c promises, whatever the command line makes of it.
describe("the luactr executable", function()
  it("prefers its own modules to a luactr directory on the path", function()
    local dir <close> = support.tmpdir()
    dir:write("luactr/cli/init.lua", 'error("the stray one")')
    local result = support.luactr { "version", cwd = dir.path, env = { LUA_PATH = "./?/init.lua" } }
    assert.not_matches("stray", result.stderr)
    assert.equal(0, result.code)
  end)

  it("does not look for modules in the current directory", function()
    local dir <close> = support.tmpdir()
    dir:write("cjson.lua", 'error("the stray one")')
    dir:write("sub/recipe.lua", 'require("no_such_module")')
    local result = support.luactr { "sub/recipe.lua", cwd = dir.path }
    assert.not_matches("%./no_such_module", result.stderr)
  end)

  it("loads libarchive for archives only", function()
    local dir <close> = support.tmpdir()
    local recipe = dir:write("recipe.lua", [[
local function loaded()
  for line in io.lines("/proc/self/maps") do
    if line:find("libarchive", 1, true) then return true end
  end
  return false
end
local ctr = require "luactr"
print(loaded())
local fd <close> = ctr.sys.memfd_create("archive")
assert(require("luactr.files.archive").reader(fd))
print(loaded())]])
    local result = support.luactr { recipe }
    assert.same({ "false\ntrue\n", "" }, { result.stdout, result.stderr })
  end)

  it("loads libm for what is computed with it only", function()
    local dir <close> = support.tmpdir()
    local recipe = dir:write("recipe.lua", [[
local function loaded()
  for line in io.lines("/proc/self/maps") do
    if line:find("/libm.so", 1, true) then return true end
  end
  return false
end
local two = 2
print(loaded(), 7 // 2.0, math.floor(-2.5), math.tointeger("8"))
for _, value in ipairs { math.sin(1), math.exp(1), two ^ 0.5, math.log(8, 2), math.log(100, 10),
  math.log(2), math.atan(1, 2), math.acos(0.5), math.asin(0.5), math.tan(1), math.cos(1),
  math.sqrt(2), math.fmod(7.5, 2), -7.5 % two } do
  print(("%.6f"):format(value))
end
print(loaded())]])
    local result = support.luactr { recipe }
    local expected = { "false\t3.0\t-3\t8", "0.841471", "2.718282", "1.414214", "3.000000",
      "2.000000", "0.693147", "0.463648", "1.047198", "0.523599", "1.557408", "0.540302",
      "1.414214", "1.500000", "0.500000", "true", "" }
    assert.equal(table.concat(expected, "\n"), result.stdout)
  end)

  for _, ending in ipairs { "return 7", "os.exit(7, true)" } do
    it("finalizes what a recipe leaves, the oldest last: " .. ending, function()
      local dir <close> = support.tmpdir()
      local result = support.luactr { dir:write("recipe.lua", [[
kept = {}
for i = 1, 3 do
  kept[i] = setmetatable({}, { __gc = function()
    io.write(i, ",")
    collectgarbage()
    if i == 2 then error("lost") end
  end })
end
collectgarbage()
io.write("end,")
]] .. ending) }
      assert.same({ 7, "end,3,2,1,", "" }, { result.code, result.stdout, result.stderr })
    end)
  end

  it("ignores LUA_INIT", function()
    local result = support.luactr { "version", env = { LUA_INIT = "error('init')" } }
    assert.equal(0, result.code)
  end)

  it("keeps a closed stream from becoming something else", function()
    local result = support.luactr { "version", stdin = "closed", stdout = "closed",
      stderr = "closed" }
    assert.is_nil(result.signal)
    assert.equal("", result.stdout)
  end)
end)
