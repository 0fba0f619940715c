-- What a command that enters a container is, and its plan.

local base_module = require("luactr.container.base")
local exec = require("luactr.spec.exec")
local plan = require("luactr.plan")
local spec = require("luactr.spec")
local state = require("luactr.state")

local function container(fields)
  fields.rootfs, fields.command = fields.rootfs or "/", { "true" }
  local checked = assert(spec.check(fields))
  checked.id = "box"
  return checked
end

local HOST <const> = {
  uid = 0, gid = 0, privileged = true, last_cap = 40, capabilities = (1 << 41) - 1, cwd = "/",
  environment = { HERE = "there" }, stage = "/run/luactr/stage", terminal = false,
  landlock = { abi = 7 },
  cgroup = { hierarchies = {}, controllers = {} }, is_shared = function() return true end,
}

local function base_of(fields)
  return base_module.of(assert(plan.compile(container(fields), HOST)), HOST)
end

-- Through JSON, as another process reads it.
local function kept(fields)
  local stored = base_module.store(assert(plan.compile(container(fields), HOST)), HOST)
  return base_module.load(stored and require("luactr.state.list").decode(state.json(stored)), "box")
end

local function problems_of(raw, fields)
  local checked, err = exec.check(raw, base_of(fields or {}))
  assert.is_nil(checked)
  local list = {}
  for i, problem in ipairs(err.problems) do
    list[i] = problem.path .. ": " .. problem.message
  end
  return table.concat(list, "\n")
end

local FIELDS <const> = {
  env = { A = "1", HERE = true, HOME = false }, user = { uid = 5, gid = 6 }, groups = { 7 },
  cwd = "/tmp", umask = "027", capabilities = { "net_admin" }, securebits = { "noroot" },
  no_new_privileges = false, rlimits = { nofile = 10, core = "unlimited",
    as = { soft = 1, hard = 0x7ffffffffffffffe } },
  oom_score_adj = 3, nice = 5, hostname = "there", keyring = "new", personality = "no_aslr",
  landlock = { read = {}, write = { "/tmp" } }, tsc = false,
}

describe("a command's spec #unit", function()
  it("has of the container's command what it does not say", function()
    local result = assert(exec.check({ command = { "id" } }, base_of(FIELDS)))
    assert.same({ A = "1", HERE = "there", HOME = false }, result.env)
    assert.same({ 5, 6, 7 }, { result.user.uid, result.user.gid, result.groups[1] })
    assert.same({ "/tmp", 23, false }, { result.cwd, result.umask, result.no_new_privileges })
    assert.same({ "CAP_NET_ADMIN" }, result.capabilities.effective)
  end)

  it("is the same by what another process reads", function()
    for _, fields in ipairs { FIELDS, {}, { seccomp = "strict" }, { capabilities = "all" } } do
      local here = assert(exec.check({ command = { "id" } }, base_of(fields)))
      local there = assert(exec.check({ command = { "id" } }, kept(fields)))
      here.user.home, there.user.home = nil, nil
      assert.same(here, there)
    end
  end)

  it("has the container's own filter by what another process reads", function()
    local rules = { { names = { "uname" }, action = "EPERM", args = {
      { index = 0, op = "==", value = 0x7fffffffffffffff } } } }
    local fields = { seccomp = { base = "default", rules = rules, flags = { "log" } } }
    local here, there = base_of(fields), kept(fields)
    assert.equal(require("luactr.security.seccomp").compile(here.seccomp), there.seccomp.bpf)
    assert.same({ "log" }, there.seccomp.flags)
  end)

  it("says when a program answers the container's system calls", function()
    local fields = { seccomp = { notify = { uname = function() end } } }
    assert.is_true(kept(fields).seccomp.handled)
    assert.is_function(base_of(fields).seccomp.handlers.uname)
  end)

  it("adds variables", function()
    local result = assert(exec.check({ command = { "id" }, env = { "A=2", "B=3" } },
      base_of(FIELDS)))
    assert.same({ A = "2", B = "3", HERE = "there", HOME = false }, result.env)
  end)

  it("has no groups of the container's user with a user of its own", function()
    local result = assert(exec.check({ command = { "id" }, user = 9 }, base_of(FIELDS)))
    assert.same({ 9, {} }, { result.user.uid, result.groups })
    result = assert(exec.check({ command = { "id" }, user = 9, groups = { 1 } }, base_of(FIELDS)))
    assert.same({ 1 }, result.groups)
  end)

  it("adds to capabilities of which none is missed", function()
    local base = base_of { capabilities = { bounding = { "CHOWN" }, optional = true } }
    local result = assert(exec.check({ command = { "id" }, capabilities = { add = { "kill" } } },
      base)).capabilities
    assert.is_true(result.optional)
    assert.same({ "CAP_CHOWN", "CAP_KILL" }, result.bounding)
  end)

  it("adds and drops capabilities of the container's command", function()
    local fields = { capabilities = { "chown", "kill" } }
    local change = { add = { "sys_admin", "kill" }, drop = { "chown" } }
    local result = assert(exec.check({ command = { "id" }, capabilities = change },
      base_of(fields))).capabilities
    local both <const> = { "CAP_KILL", "CAP_SYS_ADMIN" }
    assert.same({ bounding = both, effective = both, permitted = both, inheritable = {},
      ambient = {} }, result)
    result = assert(exec.check({ command = { "id" }, user = 1, capabilities = change },
      base_of(fields))).capabilities
    assert.same({ both, { "CAP_SYS_ADMIN", "CAP_KILL" } }, { result.bounding, result.ambient })
  end)

  it("tells all that is wrong", function()
    assert.equal("command: is missing: list of strings expected\n"
      .. "comand: unknown field, did you mean command?", problems_of { comand = { "id" } })
    assert.matches("^rootfs: unknown field", problems_of { command = { "id" }, rootfs = "/" })
    assert.matches("^limits.memory: unknown field",
      problems_of { command = { "id" }, limits = { memory = "1M" } })
    assert.matches("^stdout: a tty takes all three streams",
      problems_of { command = { "id" }, tty = true, stdout = "capture" })
    assert.matches("^capabilities.add%[1%]: unknown capability",
      problems_of { command = { "id" }, capabilities = { add = { "x" } } })
  end)

  it("takes users as the container's own command does", function()
    local wrong <const> = { "1:", ":1", "0x1", "-1", "4294967296", " 1", "1 ", "01", "1:1:1", "" }
    for _, user in ipairs(wrong) do
      assert.matches("^user: ", problems_of { command = { "id" }, user = user })
    end
    local result = assert(exec.check({ command = { "id" }, user = "1" }, base_of {}))
    assert.same({ 1, 1 }, { result.user.uid, result.user.gid })
  end)
end)

describe("a command's plan #unit", function()
  local function target(fields)
    local result = {
      pid = 7, root = "/proc/7/root", flags = 0x20000, attach = { "cgroup:pids" },
      namespaces = { mount = "new", user = "host", uts = "host" },
    }
    for key, value in pairs(fields or {}) do result[key] = value end
    return result
  end

  local function compile(raw, to, fields)
    raw.command = raw.command or { "id" }
    local checked = assert(exec.check(raw, base_of(fields or {})))
    checked.rootfs = { path = "/proc/7/root" }
    return assert(plan.enter(checked, HOST, to or target()))
  end

  local function ops(compiled)
    local list = {}
    for i, step in ipairs(compiled.steps) do list[i] = step.op end
    return list
  end

  it("enters namespaces and cgroups, and gives up what the container's command has not", function()
    assert.same({
      "setns", "init", "cgroup_attach", "setsid", "dup", "dup", "dup", "umask", "setgroups",
      "setresgid", "capbset_drop", "setresuid", "capset", "chdir", "no_new_privs", "seccomp",
      "exec",
    }, ops(compile {}))
    assert.same({ "container", "cgroup:pids", "stdin", "stdout", "stderr" }, compile({}).slots)
  end)

  it("makes no new namespace", function()
    assert.equal(0, compile({}).flags)
  end)

  it("joins nothing of a container that has nothing of its own", function()
    assert.equal("init", ops(compile({}, target { flags = 0, attach = {} }))[1])
  end)

  it("joins the pid namespace of the command where PID 1 stays outside", function()
    local compiled = compile({}, target { pid_beside = true })
    assert.same({ op = "setns", ns = "pid namespace", flags = 0x20000000, from = "command" },
      compiled.steps[2])
  end)

  it("joins the cgroup namespace once it is in the cgroup, where it is born there", function()
    local compiled = compile({}, target { unified = "cgroup:unified", cgroup_beside = true })
    assert.same({ "setns", "init", "cgroup_attach", "setns" },
      table.move(ops(compiled), 1, 4, 1, {}))
    assert.same({ op = "setns", ns = "cgroup namespace", flags = 0x2000000, from = "command" },
      compiled.steps[4])
  end)

  it("leaves groups alone where the namespace does", function()
    local compiled = compile({}, target { id_maps = { setgroups = "deny" } })
    assert.is_nil((" " .. table.concat(ops(compiled), " ") .. " "):find(" setgroups ", 1, true))
  end)

  it("opens a terminal beside the container's", function()
    local compiled = compile { tty = true }
    assert.same({ "console", 1 }, { compiled.steps[2].op, compiled.steps[2].beside })
    assert.same({ "container", "cgroup:pids" }, compiled.slots)
  end)
end)
