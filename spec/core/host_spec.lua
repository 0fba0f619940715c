local host = require "luactr.host"

describe("luactr.host #core #layout", function()
  local facts = host.facts()

  it("knows who and where luactr is", function()
    local sys = require("luactr.core").sys
    assert.are.equal(sys.geteuid(), facts.uid)
    assert.are.equal(sys.getegid(), facts.gid)
    assert.are.equal(sys.getcwd(), facts.cwd)
    assert.is_boolean(facts.privileged)
    assert.is_boolean(facts.terminal)
    assert.is_boolean(facts.initramfs)
  end)

  it("knows the kernel", function()
    assert.is_true(facts.kernel[1] >= 4)
    assert.is_true(facts.last_cap >= 36)
  end)

  it("keeps its state where only its user can", function()
    if facts.uid == 0 then
      assert.are.equal("/run/luactr", facts.state_dir)
    else
      assert.matches("/luactr$", facts.state_dir)
    end
    assert.are.equal(facts.state_dir .. "/stage", facts.stage)
  end)

  it("reads the environment by name", function()
    assert.are.equal(os.getenv("PATH"), facts.environment.PATH)
    assert.is_nil(facts.environment.LUACTR_NO_SUCH_VARIABLE)
  end)

  it("reads each fact once", function()
    assert.are.equal(facts.kernel, facts.kernel)
    assert.is_nil(facts.nothing)
  end)
end)
