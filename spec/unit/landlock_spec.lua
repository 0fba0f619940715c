local plan = require("luactr.plan")
local explain = require("luactr.explain")
local landlock = require("luactr.security.landlock")
local spec = require("luactr.spec")
local sys = require("luactr.core").sys

local function check(field)
  return spec.check { rootfs = "/", command = { "/x" }, landlock = field }
end

describe("landlock #unit", function()
  describe("the field", function()
    it("normalizes paths", function()
      local checked = assert(check { read = { "/a", { path = "/b", optional = true } } })
      assert.same({ { path = "/a", optional = false }, { path = "/b", optional = true } },
        checked.landlock.read)
      assert.is_nil(checked.landlock.write)
    end)

    local wrong = {
      { "a relative path", { read = { "etc" } }, "landlock.read[1]", "absolute path" },
      { "a NUL byte", { write = { "/a\0b" } }, "landlock.write[1]", "NUL" },
      { "no list", { execute = "/bin" }, "landlock.execute", "list of paths expected" },
      { "a port above 65535", { tcp = { bind = { 65536 } } }, "landlock.tcp.bind[1]", "65535" },
      { "a negative port", { tcp = { connect = { -1 } } }, "landlock.tcp.connect[1]", "0" },
      { "a word for tcp that is none", { tcp = { listen = {} } }, "landlock.tcp.listen",
        "unknown field" },
      { "a scope that is none", { scope = { "signals" } }, "landlock.scope[1]", "signal" },
      { "an unknown word", { exec = {} }, "landlock.exec", "did you mean" },
      { "nothing to restrict", { optional = true }, "landlock", "restricts nothing" },
      { "an empty table", {}, "landlock", "restricts nothing" },
      { "tcp without a direction", { tcp = {} }, "landlock", "restricts nothing" },
      { "too long a path", { read = { "/" .. ("x"):rep(4095) } }, "landlock.read[1]", "4095" },
    }
    for _, case in ipairs(wrong) do
      local title, field, path, message = table.unpack(case)
      it("refuses " .. title, function()
        local _, err = check(field)
        assert.equal(1, #err.problems)
        assert.equal(path, err.problems[1].path)
        assert.is_truthy(err.problems[1].message:find(message, 1, true), err.problems[1].message)
      end)
    end
  end)

  local ALL <const> = {
    read = { "/etc" }, write = { "/tmp" }, execute = { "/bin" }, ioctl = { "/dev" },
    tcp = { bind = { 80 }, connect = {} }, scope = { "signal" },
  }

  local function rules(field, abi, code)
    local into = { warnings = {} }
    local steps, problems = landlock.rules({ landlock = assert(check(field)).landlock },
      { landlock = { abi = abi, code = code } }, into)
    return steps, problems, into.warnings
  end

  local function optionally(field)
    local copy = { optional = true }
    for name, value in pairs(field) do copy[name] = value end
    return copy
  end

  local FS <const> = "LANDLOCK_ACCESS_FS_"

  local function has(mask, name)
    return mask & sys[FS .. name] ~= 0
  end

  describe("rules()", function()
    it("denies what the words are about, and nothing else", function()
      local begin = rules({ read = { "/etc" } }, 7)[1]
      assert.is_true(has(begin.files, "READ_FILE") and has(begin.files, "READ_DIR"))
      assert.is_false(has(begin.files, "WRITE_FILE") or has(begin.files, "EXECUTE"))
      assert.same({ 0, 0 }, { begin.net, begin.scope })
      begin = rules({ tcp = { bind = {} } }, 7)[1]
      assert.same({ 0, sys.LANDLOCK_ACCESS_NET_BIND_TCP, 0 },
        { begin.files, begin.net, begin.scope })
    end)

    it("lets files move unless writing is restricted", function()
      local steps = rules({ read = { "/etc" } }, 7)
      assert.same({ "/", sys.LANDLOCK_ACCESS_FS_REFER }, { steps[2].path, steps[2].access })
      for _, step in ipairs(rules({ write = { "/tmp" } }, 7)) do
        assert.not_equal("/", step.path)
      end
      assert.equal(1, #rules({ scope = { "signal" } }, 7))
    end)

    it("lets a program be read where it may run", function()
      local steps = rules({ read = {}, execute = { "/bin" } }, 7)
      assert.equal("/bin", steps[3].path)
      assert.is_true(has(steps[3].access, "EXECUTE") and has(steps[3].access, "READ_FILE"))
      steps = rules({ execute = { "/bin" } }, 7)
      assert.is_true(has(steps[3].access, "EXECUTE"))
      assert.is_false(has(steps[3].access, "READ_FILE")) -- reading is not restricted at all
    end)

    it("lets be read what may be changed", function()
      local steps = rules({ read = {}, write = { "/tmp" } }, 7)
      assert.is_true(has(steps[2].access, "READ_FILE") and has(steps[2].access, "WRITE_FILE"))
      assert.is_false(has(rules({ write = { "/tmp" } }, 7)[2].access, "READ_FILE"))
    end)

    it("never allows a device node to be made", function()
      local steps = rules({ write = { "/tmp" } }, 7)
      assert.is_true(has(steps[1].files, "MAKE_CHAR") and has(steps[1].files, "MAKE_BLOCK"))
      assert.is_false(has(steps[2].access, "MAKE_CHAR") or has(steps[2].access, "MAKE_BLOCK"))
    end)

    it("names the element that each step comes from", function()
      local steps = rules(ALL, 7)
      local from = {}
      for i, step in ipairs(steps) do from[i] = step.from end
      assert.same({ "landlock", "landlock.read[1]", "landlock.write[1]", "landlock.execute[1]",
        "landlock.ioctl[1]", "landlock.tcp.bind[1]" }, from)
    end)

    it("asks no kernel for what it does not know", function()
      local newest = rules(optionally(ALL), 7)[1].files
      for abi = 1, 9 do
        local begin = rules(optionally(ALL), abi)[1]
        assert.equal(abi >= 2, has(begin.files, "REFER"), "refer, ABI " .. abi)
        assert.equal(abi >= 3, has(begin.files, "TRUNCATE"), "truncate, ABI " .. abi)
        assert.equal(abi >= 4, begin.net ~= 0, "net, ABI " .. abi)
        assert.equal(abi >= 5, has(begin.files, "IOCTL_DEV"), "ioctl, ABI " .. abi)
        assert.equal(abi >= 6, begin.scope ~= 0, "scope, ABI " .. abi)
        assert.equal(0, begin.files & ~newest)
      end
    end)

    it("allows by no rule what is not denied", function()
      for abi = 1, 8 do
        local steps = rules(optionally(ALL), abi)
        for i = 2, #steps do
          local denied = steps[i].op == "landlock_port" and steps[1].net or steps[1].files
          assert.equal(0, steps[i].access & ~denied)
          assert.not_equal(0, steps[i].access)
        end
      end
    end)
  end)

  describe("on a kernel that has less", function()
    local gaps = {
      { "tcp", { tcp = { bind = {} } }, 3, "needs Landlock ABI 4 (Linux 6.7), this kernel has 3" },
      { "ioctl", { ioctl = {} }, 4, "needs Landlock ABI 5 (Linux 6.10), this kernel has 4" },
      { "scope", { scope = { "signal" } }, 5,
        "needs Landlock ABI 6 (Linux 6.12), this kernel has 5" },
    }
    for _, case in ipairs(gaps) do
      local word, field, abi, message = table.unpack(case)
      it("refuses " .. word .. ", or warns of it by word", function()
        local _, problems = rules(field, abi)
        assert.same({ { path = "landlock." .. word, message = message } }, problems)
        local steps, none, warnings = rules(optionally(field), abi)
        assert.same({ {}, {} }, { steps, none })
        assert.same({ "landlock." .. word .. " is not enforced: " .. message }, warnings)
        assert.same({}, (select(2, rules(field, abi + 1))))
      end)
    end

    it("names what its rules do otherwise", function()
      local _, problems, warnings = rules({ write = {} }, 1)
      assert.same({}, problems)
      assert.equal(2, #warnings)
      assert.matches("with ABI 1 .* no file can be moved or linked", warnings[1])
      assert.matches("with ABI 1 .* truncate%(2%)", warnings[2])
      assert.equal(1, #select(3, rules({ write = {} }, 2)))
      assert.same({}, (select(3, rules({ write = {} }, 3))))
      assert.equal(1, #select(3, rules({ read = {} }, 1)))
      assert.same({}, (select(3, rules({ tcp = { bind = {} } }, 7))))
    end)

    local absent = {
      { "ENOSYS", "built without Landlock" }, { "EOPNOTSUPP", "list lsm=" },
      { "EPERM", "no Landlock %(EPERM%)" },
    }
    for _, case in ipairs(absent) do
      it("refuses all of it for " .. case[1] .. ", or warns by word", function()
        local steps, problems = rules({ read = {} }, nil, case[1])
        assert.same({}, steps)
        assert.equal("landlock", problems[1].path)
        assert.matches(case[2], problems[1].message)
        local _, none, warnings = rules({ read = {}, optional = true }, nil, case[1])
        assert.same({}, none)
        assert.matches("^landlock is not enforced: .*" .. case[2], warnings[1])
      end)
    end
  end)

  describe("in a plan", function()
    local function compile(fields, abi)
      fields.rootfs, fields.command = "/", { "/x" }
      local host = { uid = 0, gid = 0, privileged = true, last_cap = 40, capabilities = -1,
        stage = "/s", cwd = "/", environment = {}, terminal = false,
        cgroup = { controllers = {} }, landlock = { abi = abi, code = "ENOSYS" } }
      return plan.compile(assert(spec.check(fields)), host)
    end

    local function places(compiled)
      local index = {}
      for i, step in ipairs(compiled.steps) do index[step.op] = index[step.op] or i end
      return index
    end

    it("is made after the root was entered and entered last but the filter", function()
      local at = places(assert(compile({ landlock = { read = { "/etc" } } }, 7)))
      assert.is_true(at.init < at.landlock_create_ruleset)
      assert.is_true(at.landlock_path < at.setresuid)
      assert.is_true(at.no_new_privs < at.landlock_restrict_self)
      assert.is_true(at.landlock_restrict_self < at.seccomp)
    end)

    it("is entered with CAP_SYS_ADMIN where there is no no_new_privs", function()
      local at = places(assert(compile({ landlock = { read = { "/etc" } },
        no_new_privileges = false }, 7)))
      assert.is_true(at.landlock_restrict_self < at.seccomp)
      assert.is_true(at.seccomp < at.capbset_drop)
    end)

    it("is not there without the field", function()
      assert.is_nil(places(assert(compile({}, 7))).landlock_create_ruleset)
    end)

    it("is an error before anything starts where the kernel has none", function()
      local _, err = compile({ landlock = { read = {} } })
      assert.equal("ESPEC", err.code)
      assert.equal("landlock", err.problems[1].path)
    end)

    it("warns in explain of what is weaker", function()
      local compiled = assert(compile({ landlock = { write = { "/tmp" } } }, 2))
      assert.matches("warning: landlock: with ABI 2 of this kernel", explain.text(compiled))
      assert.matches("landlock_add_rule%(ruleset, \"/tmp\", WRITE_FILE|", explain.text(compiled))
    end)
  end)
end)
