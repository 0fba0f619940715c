local core = require("luactr.core")
local process = require("luactr.security.process")
local spec = require("luactr.spec")

describe("luactr.security.process #unit", function()
  local rootfs = setmetatable({}, { __name = "luactr.rootfs" })

  local function checked(fields)
    fields.rootfs, fields.command = rootfs, { "/bin/true" }
    if fields.tty == nil then fields.tty = false end
    local result, err = spec.check(fields)
    return assert(result, err and tostring(err))
  end

  local function steps(fields, of_plan)
    return process.steps(checked(fields), { capabilities = -1, privileged = true }, of_plan or {})
  end

  local function ops(list)
    local names = {}
    for i, step in ipairs(list) do names[i] = step.op end
    return table.concat(names, " ")
  end

  local function find(list, op)
    for _, step in ipairs(list) do
      if step.op == op then return step end
    end
  end

  local function mask(...)
    return core.sys.cap_mask { ... }
  end

  it("gives up privileges in the order that the kernel allows", function()
    assert.equal("setsid dup dup dup umask setgroups setresgid capbset_drop setresuid capset chdir "
      .. "no_new_privs seccomp", ops(steps {}))
  end)

  it("takes the terminal in place of the streams", function()
    assert.equal("setsid controlling_tty umask", ops(steps { tty = true }):match("^.*umask"))
  end)

  it("joins stderr to stdout by its slot", function()
    local list = steps { stdout = "null", stderr = "stdout" }
    assert.same({ "stdin", "stdout", "stdout" }, { list[2].fd, list[3].fd, list[4].fd })
  end)

  it("filters before the capabilities go, if new privileges are allowed", function()
    local list = ops(steps { no_new_privileges = false })
    assert.is_truthy(list:find("seccomp setgroups .* capset chdir$"))
  end)

  it("keeps the default capabilities and no others", function()
    local list = steps {}
    local kept = find(list, "capbset_drop").keep
    assert.equal(0, kept & mask("CAP_SYS_ADMIN", "CAP_MKNOD", "CAP_NET_RAW", "CAP_SYS_PTRACE"))
    assert.equal(kept, find(list, "capset").permitted)
    assert.equal(0, find(list, "capset").inheritable)
  end)

  it("gives no more of the default than luactr has", function()
    local few = { privileged = true, capabilities = mask("CAP_CHOWN", "CAP_SYS_ADMIN") }
    local list = process.steps(checked {}, few, {})
    assert.equal(mask("CAP_CHOWN"), find(list, "capset").permitted)
    list = process.steps(checked { capabilities = { "CAP_KILL" } }, few, {})
    assert.equal(mask("CAP_KILL"), find(list, "capset").permitted)
    list = process.steps(checked {}, few, { id_maps = {} })
    assert.is_truthy(find(list, "capset").permitted & mask("CAP_KILL") ~= 0)
  end)

  it("leaves a user that is not root without capabilities", function()
    local set = find(steps { user = 1000 }, "capset")
    assert.same({ 0, 0, 0 }, { set.effective, set.permitted, set.inheritable })
  end)

  it("gives such a user what is ambient", function()
    local list = { "CAP_NET_BIND_SERVICE" }
    local sets = { bounding = list, effective = list, permitted = list, inheritable = list }
    sets.ambient = list
    local found = steps { user = 1000, capabilities = sets }
    assert.equal(mask(list[1]), find(found, "capset").inheritable)
    assert.equal(mask(list[1]), find(found, "cap_ambient").set)
  end)

  it("sets limits by number, in a fixed order", function()
    local list = steps { rlimits = { nofile = 64, core = { soft = 0, hard = "unlimited" } } }
    local found = {}
    for _, step in ipairs(list) do
      if step.op == "setrlimit" then
        found[#found + 1] = { step.resource, step.soft, step.hard, step.from }
      end
    end
    local numbers = core.sys.rlimits
    assert.same({ { numbers.CORE, 0, -1, "rlimits.core" },
      { numbers.NOFILE, 64, 64, "rlimits.nofile" } }, found)
  end)

  it("cannot set groups where the kernel refuses it", function()
    local denied = { id_maps = { setgroups = "deny" } }
    assert.is_nil(find(steps({}, denied), "setgroups"))
    local list, problems = steps({ groups = { 5 } }, denied)
    assert.is_nil(list)
    assert.equal("groups", problems[1].path)
  end)

  it("leaves the filter out by word", function()
    assert.is_nil(find(steps { seccomp = "unconfined" }, "seccomp"))
  end)

  it("guards a terminal from outside where the filter is not luactr's", function()
    for _, profile in ipairs { "unconfined", { default = "allow" } } do
      assert.is_table(find(steps { seccomp = profile }, "guard_terminal"))
      assert.is_table(find(steps { seccomp = profile, stdin = "null", stdout = "capture" },
        "guard_terminal"))
      assert.is_nil(find(steps { seccomp = profile, tty = true }, "guard_terminal"))
      assert.is_nil(find(steps { seccomp = profile, stdin = "null", stdout = "capture",
        stderr = "stdout" }, "guard_terminal"))
    end
    assert.is_nil(find(steps {}, "guard_terminal"))
    assert.matches("guard_terminal setgroups .* chdir$",
      ops(steps { seccomp = "unconfined", no_new_privileges = false }))
  end)

  it("takes the strict filter by word, and a profile with its flags", function()
    local strict = find(steps { seccomp = "strict" }, "seccomp")
    assert.equal(core.seccomp.builtin("strict"), strict.filter)
    local step = find(steps { seccomp = { default = "allow", flags = { "log", "spec_allow" } } },
      "seccomp")
    assert.equal(6, step.flags)
    local notify = { uname = function() end }
    step = find(steps { seccomp = { notify = notify, flags = { "tsync" } } }, "seccomp")
    assert.equal(8, step.flags)
  end)

  it("reports a profile that is too long", function()
    local rules = {}
    for i = 1, 100 do
      local values = {}
      for k = 1, 40 do values[k] = i * 100 + k end
      rules[i] = { names = { "read" }, action = "EPERM",
        args = { { index = 0, op = "in", values = values } } }
    end
    local list, problems = steps { seccomp = { default = "allow", rules = rules } }
    assert.is_nil(list)
    assert.matches("is too long", problems[1].message)
  end)
end)
