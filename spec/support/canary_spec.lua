local canary = require("support.canary")
local support = require("support")

local it = support.it(it, pending, "program:gcc")

describe("support.canary", function()
  local dir, bird

  before_each(function()
    dir = support.tmpdir()
    bird = canary.new(dir.path .. "/host")
    bird:watch()
  end)

  after_each(function()
    bird:close()
    dir:close()
  end)

  -- The harm that a shell command, run in the canary's directory, does to it.
  local function harm_of(command)
    local ran = support.run { "sh", "-c", command, cwd = bird.path }
    return table.concat(bird:harm(ran.stdout), "\n")
  end

  it("lives when nobody touches it", function()
    assert.equal("", harm_of "cat ptmx null dir/file > /dev/null")
  end)

  local cases = {
    ["a new name"] = { "ln -s x dir/new", "dir/new is new" },
    ["a name that is gone"] = { "rm ptmx", "ptmx was .*is gone" },
    ["another file of the same name"] = { "cp null x; mv x null", "null was" },
    ["a mode that has changed"] = { "chmod 600 null", "null was" },
    ["a file that is longer"] = { "echo >> dir/file", "dir/file was" },
    ["the secret"] = { "cat secret", "the secret is known" },
    ["what an attacker says"] = { "echo 'escaped: so there'", "escaped: so there" },
  }
  for what, case in pairs(cases) do
    it("sees " .. what, function() assert.matches(case[2], harm_of(case[1])) end)
  end

  it("sees a visitor", function()
    local program = support.program "attack"
    assert.matches("connected to", support.run({ program, "connect", bird.socket }).stdout)
    assert.matches("connected to", support.run({ program, "connect", "@" .. bird.name }).stdout)
    bird.witness:expect "visited by name"
    assert.matches("visited by name\nsocket: visited by path",
      table.concat(bird:harm "", "\n"))
  end)

  it("sees that its process was killed", function()
    bird.witness:signal "KILL"
    bird.witness.child:wait()
    assert.equal("the host's process is dead", table.concat(bird:harm "", "\n"))
  end)
end)
