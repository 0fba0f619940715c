local spec = require "luactr.spec"

-- The contributors have specs of their own: here each says where its steps come.
local function contributor(op)
  return { steps = function() return { { op = op, target = "/" .. op, from = "mounts[1]" } } end }
end

package.loaded["luactr.mount"] = contributor("mount")
package.loaded["luactr.mount"].early_sources = function() return {} end
package.loaded["luactr.security.process"] = contributor("no_new_privs")
package.loaded["luactr.cgroup"] = {
  compile = function(limits)
    if limits.pids == 666 then
      return nil, { { path = "limits.pids", message = "no controller" } }
    end
    return { path = "/luactr/x", writes = {}, attach = { "cgroup:/sys/fs/cgroup/pids" },
      warnings = { "a warning" } }
  end,
}

local plan = require "luactr.plan"
local core = require "luactr.core"
local sys = core.sys

local root <const> = setmetatable({}, {
  __name = "luactr.rootfs",
  __index = {
    steps = function() return { { op = "root_bind", source = "/srv", recursive = 1 } } end,
  },
})

local function host(changes)
  local facts = { uid = 0, gid = 0, privileged = true, last_cap = 40, capabilities = -1,
    terminal = false, environment = {}, state_dir = "/run/luactr", stage = "/run/luactr/stage",
    cwd = "/" }
  for name, value in pairs(changes or {}) do
    facts[name] = value
  end
  return facts
end

local function compile(fields, changes)
  local raw = { rootfs = root, command = { "/bin/true" } }
  for name, value in pairs(fields or {}) do
    raw[name] = value
  end
  return plan.compile(assert(spec.check(raw, { file = "web.lua", line = 3 })), host(changes))
end

local function ops(compiled)
  local list = {}
  for i, step in ipairs(compiled.steps) do
    list[i] = step.op
  end
  return list
end

local function index_of(compiled, op)
  for i, name in ipairs(ops(compiled)) do
    if name == op then
      return i
    end
  end
end

local function step_of(compiled, op)
  return compiled.steps[index_of(compiled, op)]
end

describe("luactr.plan #unit", function()
  describe("compile()", function()
    it("puts the phases in their order", function()
      local compiled = assert(compile {
        tty = true, readonly = true, sysctl = { ["net.ipv4.ip_forward"] = 1 }, oom_score_adj = 5,
        domainname = "d", steps = function(p) p:mkdir("/x", "0755") end,
        masked_paths = { "/proc/kcore" }, readonly_paths = { "/proc/sys" },
      })
      assert.are.same({
        "cgroup_attach", "parent_death_signal", "unshare", "sethostname", "setdomainname",
        "loopback_up", "propagation", "root_bind", "mount", "mkdir", "mask", "readonly", "console",
        "pivot_root", "mount_setattr", "sysctl", "oom_score_adj", "init", "no_new_privs", "exec",
      }, ops(compiled))
    end)

    it("touches nothing", function()
      local compiled = assert(spec.check { rootfs = root, command = { "/bin/true" } })
      local open, getenv = spy.on(io, "open"), spy.on(os, "getenv")
      finally(function()
        open:revert()
        getenv:revert()
      end)
      assert(plan.compile(compiled, host()))
      assert.spy(open).was_not_called()
      assert.spy(getenv).was_not_called()
    end)

    it("gives the same plan twice", function()
      local function text()
        local compiled = assert(compile { env = { A = "1", B = "2", C = "3" },
          sysctl = { ["net.a"] = 1, ["net.b"] = 2 } })
        return require("luactr.explain").text(compiled)
      end
      assert.are.equal(text(), text())
    end)

    it("has steps that the C encoder accepts", function()
      local compiled = assert(compile({ tty = true, readonly = true, oom_score_adj = -5,
        sysctl = { ["net.a"] = 1 }, domainname = "d" }))
      for i = #compiled.steps, 1, -1 do
        if compiled.steps[i].op == "mount" then -- the stub above has not all its arguments
          table.remove(compiled.steps, i)
        end
      end
      assert.is_userdata(core.plan.encode(compiled.steps, compiled.slots))
    end)

    it("makes all namespaces but user as root", function()
      assert.are.equal(sys.CLONE_NEWNS | sys.CLONE_NEWPID | sys.CLONE_NEWUTS | sys.CLONE_NEWIPC
        | sys.CLONE_NEWNET, compile().flags)
    end)

    it("makes a user namespace with one id when not root", function()
      local compiled = assert(compile({}, { uid = 1000, gid = 100, privileged = false }))
      assert.are.equal(sys.CLONE_NEWUSER, compiled.flags & sys.CLONE_NEWUSER)
      assert.are.same({ uid = { { inside = 0, outside = 1000, count = 1 } },
        gid = { { inside = 0, outside = 100, count = 1 } }, setgroups = "deny" }, compiled.id_maps)
      assert.are.equal("new", compiled.spec.namespaces.user)
      assert.are.equal(core.plan.rendezvous.id_maps, step_of(compiled, "rendezvous").number)
      assert.is_true(index_of(compiled, "rendezvous") < index_of(compiled, "parent_death_signal"))
    end)

    it("has neither maps nor a rendezvous without a user namespace", function()
      local compiled = assert(compile())
      assert.is_nil(compiled.id_maps)
      assert.is_nil(index_of(compiled, "rendezvous"))
    end)

    it("leaves out what belongs to the host's namespaces", function()
      local compiled = assert(compile { namespaces = { "pid" } })
      assert.are.equal(sys.CLONE_NEWNS | sys.CLONE_NEWPID, compiled.flags)
      for _, op in ipairs { "sethostname", "loopback_up", "unshare" } do
        assert.is_nil(index_of(compiled, op))
      end
    end)

    it("chroots where pivot_root cannot work", function()
      assert.is_truthy(index_of(assert(compile({}, { initramfs = true })), "chroot"))
    end)

    it("execs in place without an init", function()
      assert.is_nil(index_of(assert(compile { init = false }), "init"))
    end)

    it("lists the slots that its steps name, once", function()
      assert.are.same({ "cgroup:/sys/fs/cgroup/pids" }, compile().slots)
    end)

    it("passes on the cgroup's warnings", function()
      assert.are.same({ "a warning" }, compile().warnings)
    end)

    it("says where each step comes from", function()
      local compiled = assert(compile { hostname = "x", sysctl = { ["net.a"] = 1 } })
      assert.are.equal("hostname", step_of(compiled, "sethostname").from)
      assert.are.equal("sysctl.net.a", step_of(compiled, "sysctl").from)
      assert.are.equal("default", step_of(compiled, "mask").from)
      assert.are.equal("default", step_of(compiled, "mount").from) -- mounts was not given
      assert.are.equal("default", step_of(compiled, "parent_death_signal").from)
    end)

    it("returns what a contributor finds wrong as a spec's error", function()
      local compiled, err = compile { limits = { pids = 666 } }
      assert.is_nil(compiled)
      assert.are.equal("ESPEC", err.code)
      assert.are.same({ { path = "limits.pids", message = "no controller" } }, err.problems)
      assert.are.same({ file = "web.lua", line = 3 }, err.where)
    end)

    it("returns mistakes in the recipe's own steps", function()
      local _, err = compile { steps = function(p) p:mkdir("/x", 755) end }
      assert.are.equal("steps", err.problems[1].path)
      assert.matches("decimal", err.problems[1].message)
    end)

    it("refuses more steps than a plan can hold", function()
      local _, err = compile { steps = function(p)
        for _ = 1, 65536 do p:mkdir("/x", "0755") end
      end }
      assert.matches("at most 65536", err.problems[1].message)
    end)

    it("leaves the checked spec as it was", function()
      local checked = assert(spec.check { rootfs = root, command = { "/bin/true" } })
      assert(plan.compile(checked, host { privileged = false }))
      assert.are.equal("auto", checked.namespaces.user)
      assert.are.equal("auto", checked.tty)
    end)

    it("fills in capabilities = \"all\" with what the host knows", function()
      local compiled = assert(compile({ capabilities = "all" }, { last_cap = 3 }))
      assert.are.equal(4, #compiled.spec.capabilities.bounding)
    end)
  end)

  describe("tty", function()
    local terminal <const> = { terminal = true, environment = { TERM = "vt100" } }

    it("is automatic on a terminal", function()
      assert.is_true(compile({}, terminal).tty)
      assert.is_false(compile({}, {}).tty)
    end)

    it("is not automatic when a stream is redirected", function()
      assert.is_false(compile({ stdout = "capture" }, terminal).tty)
      assert.is_false(compile({ stdin = "null" }, terminal).tty)
    end)

    it("can be refused and wanted", function()
      assert.is_false(compile({ tty = false }, terminal).tty)
      assert.is_true(compile({ tty = true }, {}).tty)
    end)

    it("opens a console of the window's size", function()
      local console = step_of(compile({}, { terminal = true, window = { rows = 5, columns = 7 } }),
        "console")
      assert.are.equal(5, console.rows)
      assert.are.equal(7, console.columns)
    end)
  end)

  describe("environment", function()
    local function environment(fields, changes)
      local list = step_of(assert(compile(fields, changes)), "exec").env
      local map = {}
      for _, entry in ipairs(list) do
        local name, value = entry:match("^(.-)=(.*)$")
        map[name] = value
      end
      return map
    end

    local path <const> = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

    it("is clean", function()
      assert.are.same({ PATH = path, HOME = "/root", HOSTNAME = "web" },
        environment({ name = "web" }, { environment = { LANG = "C", SECRET = "x" } }))
    end)

    it("inherits by name, sets and leaves out", function()
      assert.are.same({ PATH = "/bin", LANG = "C", A = "1" },
        environment({ namespaces = { "pid" },
          env = { LANG = true, UNSET = true, HOME = false, PATH = "/bin", A = "1" } },
          { environment = { LANG = "C" } }))
    end)

    it("has TERM with a tty", function()
      assert.are.equal("vt100",
        environment({ tty = true }, { environment = { TERM = "vt100" } }).TERM)
      assert.are.equal("xterm", environment({ tty = true }).TERM)
    end)

    it("has another HOME for another user", function()
      assert.are.equal("/", environment({ user = 1000 }).HOME)
    end)

    it("is where the program is looked for", function()
      assert.are.equal("/opt", step_of(compile { env = { PATH = "/opt" } }, "exec").path)
      assert.are.equal(path, step_of(compile { env = { PATH = false } }, "exec").path)
    end)
  end)
end)
