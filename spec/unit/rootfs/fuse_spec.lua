local fuse = require "luactr.rootfs.fuse"
local overlay = require "luactr.rootfs.overlay"

describe("luactr.rootfs.fuse #unit", function()
  local function spec_with(fields)
    local default <const> = { namespaces = { user = "host" }, restart = "no", limits = {} }
    return setmetatable(fields or {}, { __index = default })
  end

  describe("steps()", function()
    local function problem(layers, host, fields)
      layers.driver = "fuse-overlayfs"
      local steps, problems = overlay.steps(assert(overlay.new(layers)), host, spec_with(fields))
      return not steps and problems[1].message or nil
    end

    local PRIVILEGED <const>, USER <const> = { privileged = true, stage = "/s" }, { stage = "/s" }
    local cases = {
      { { lower = "/a" }, PRIVILEGED, { restart = "always" }, "started again" },
      { { lower = "/a" }, PRIVILEGED, { namespaces = { user = "new" } }, "no users but luactr's" },
      { { lower = "/a" }, USER, { namespaces = { user = { container = "x" } } }, "no users but" },
      { { lower = { "/a", "/b:c" } }, USER, nil, "no colon in a name: /b:c" },
      { { lower = "/a", upper = "/u:p" }, USER, nil, "no colon in a name: /u:p" },
      { { lower = require("luactr.rootfs").squashfs "/f" }, USER, nil, "/f is a file" },
    }
    for _, case in ipairs(cases) do
      it("refuses: " .. case[4], function()
        assert.matches(case[4], problem(case[1], case[2], case[3]), 1, true)
      end)
    end

    it("leaves the layers to the program", function()
      local value = assert(overlay.new { lower = { "/a", "/b" }, driver = "fuse-overlayfs" })
      local steps = overlay.steps(value, PRIVILEGED, spec_with())
      assert.are.same({ "/a", "/b" }, steps[2].layers.lower)
      assert.are.equal("fuse", steps[2].op)
    end)
  end)

  it("writes no more to memory than the container may have", function()
    local host <const> = { privileged = true, stage = "/s" }
    local function size(layers, limits)
      layers.lower, layers.driver = "/a", "fuse-overlayfs"
      return overlay.steps(assert(overlay.new(layers)), host, spec_with { limits = limits })[2]
        .layers.size
    end
    assert.are.equal(4096, size({}, { memory = 4096 }))
    assert.are.equal(1024, size({ size = 1024 }, { memory = 4096 }))
    assert.is_nil(size({}, {}))
  end)

  describe("options()", function()
    it("escapes what separates options", function()
      assert.are.equal("lowerdir=/a\\,b:/c,upperdir=/u\\\\p,workdir=/w,noacl", fuse.options(
        { lower = { "/a,b", "/c" }, upper = "/u\\p", work = "/w", options = { "noacl" } }, "/d"))
    end)

    it("has memory of the program's own without upper", function()
      assert.are.equal("lowerdir=/a,upperdir=/d/upper,workdir=/d/work",
        fuse.options({ lower = { "/a" } }, "/d"))
    end)
  end)

  describe("plan()", function()
    local function joined(maps)
      local names = {}
      local layers <const> = { lower = { "/a" }, upper = "/u", work = "/w" }
      local steps, flags = fuse.plan("/bin/f", layers, "/d", maps)
      for i, step in ipairs(steps) do
        names[i] = step.op
      end
      return table.concat(names, " "), flags
    end

    it("enters no namespace but new ones", function()
      local sys <const> = require("luactr.core").sys
      local names, flags = joined()
      assert.is_nil(names:find("setns", 1, true))
      assert.are.equal(sys.CLONE_NEWNS, flags)
      names, flags = joined {}
      assert.matches("^rendezvous parent_death_signal ", names)
      assert.are.equal(sys.CLONE_NEWNS | sys.CLONE_NEWUSER, flags)
    end)
  end)

  it("is refused by another name", function()
    local _, mistake = overlay.new { lower = "/a", driver = "fuse" }
    assert.are.equal("driver: \"kernel\" or \"fuse-overlayfs\" expected", mistake)
  end)
end)
