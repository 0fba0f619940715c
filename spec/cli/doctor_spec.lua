-- `luactr doctor` on this host, and on this host without some of its calls.
local cjson = require("cjson")
local core = require("luactr.core")
local support = require("support")
local world = require("support.world")

local sys = core.sys

describe("luactr doctor #cli", function()
  -- The findings by name, and the report itself.
  local function doctor(options)
    local argv = options or {}
    table.move({ "doctor", "--json" }, 1, 2, 1, argv)
    local result = support.luactr(argv)
    assert.is_true(result.code == 0 or result.code == 1, result.stderr)
    local report, findings = cjson.decode(result.stdout), {}
    assert.equal(report.ok, result.code == 0)
    for _, found in ipairs(report.findings) do findings[found.name] = found end
    return findings, report
  end

  it("tells what the host can do", function()
    local result = support.luactr { "doctor" }
    assert.matches("\ncgroups\n  %S+ +layout", result.stdout)
    assert.equal(result.code == 0, result.stdout:find("Containers can run here.", 1, true) ~= nil)
    assert.equal("", result.stderr)
  end)

  it("takes no arguments", function()
    local result = support.luactr { "doctor", "me" }
    assert.equal(2, result.code)
    assert.is_truthy(result.stderr:find("doctor takes no arguments", 1, true))
  end)

  it("agrees with the kernel", function()
    local findings = doctor()
    local abi = sys.landlock_abi()
    assert.equal(abi and "ok" or "lacking", findings.landlock.status)
    assert.equal(abi and "ABI " .. abi, abi and findings.landlock.text:match("^ABI %d+"))
    local time = sys.stat("/proc/self/ns/time") ~= nil
    assert.equal(time and "ok" or "lacking", findings.time.status)
    local actions = support.read("/proc/sys/kernel/seccomp/actions_avail"):gsub("\n", "")
    assert.is_truthy(findings.seccomp.text:find(actions, 1, true))
  end)

  it("has a remedy for all that is missing and can be helped", function()
    local cannot <const> = { ["core scheduling"] = true, root = true, capabilities = true }
    for name, found in pairs(doctor()) do
      local helped = found.remedy ~= nil or cannot[name] or found.text:find("not in this kernel")
      assert.is_truthy(found.status == "ok" or helped, name .. ": " .. found.text)
    end
  end)

  it("finds calls that a filter round luactr hides", function()
    for _, name in ipairs { "openat2", "mount_setattr", "clone3", "close_range" } do
      local found = doctor({ without = { name } })[name]
      assert.equal("lacking", found.status)
      assert.matches("a system call filter round luactr hides it", found.text)
      assert.matches("allow " .. name .. " where luactr runs", found.remedy, 1, true)
    end
  end)

  it("says truly what containers can do without", function()
    support.needs("root")
    local mount_calls <const> = { "fsopen", "fsconfig", "fsmount", "open_tree", "move_mount" }
    for name, calls in pairs { openat2 = { "openat2" }, ["mount calls"] = mount_calls,
      mount_setattr = { "mount_setattr" }, close_range = { "close_range" }, clone3 = { "clone3" },
      pidfd_open = { "pidfd_open" }, seccomp = { "seccomp" } } do
      local found = doctor({ without = calls })[name]
      local result = support.luactr { "lua/recipes/hello.lua", without = calls }
      assert.not_equal("ok", found.status, name)
      assert.equal(found.status == "lacking", result.code == 0, name .. ": " .. result.stderr)
    end
  end)

  it("finds a filter in the way of filters", function()
    local findings, report = doctor { without = { "seccomp" } }
    assert.equal("failed", findings.seccomp.status)
    assert.matches("without tsync, log", findings["seccomp flags"].text)
    assert.is_false(report.ok)
  end)

  it("finds that Landlock is hidden", function()
    local found = doctor({ without = { "landlock_create_ruleset" } }).landlock
    assert.equal("lacking", found.status)
    assert.matches("CONFIG_SECURITY_LANDLOCK", found.remedy)
  end)

  it("looks at what another user can do", function()
    support.needs("root", "stranger")
    local findings = doctor { user = support.stranger, env = { XDG_RUNTIME_DIR = "/tmp" } }
    assert.matches("^user " .. support.stranger, findings.root.text)
    assert.equal("lacking", findings["idmapped mounts"].status)
    assert.equal("ok", findings["user namespaces"].status)
    if findings.layout.text ~= "v2" then assert.matches("as root", findings.pids.remedy) end
  end)

  it("leaves nothing behind", function()
    support.needs("root")
    local before = world.mounts()
    doctor()
    assert.same(before, world.mounts())
  end)

  describe("leftovers", function()
    -- A group of luactr's without a container, where the controller lives.
    local function leftover(controller)
      local home = require("luactr.cgroup").detect().controllers[controller]
      local top = home.mount .. home.parent .. "/luactr"
      local had_top = sys.stat(top) ~= nil
      if not had_top then assert(sys.mkdir(top, "0755")) end
      local path = top .. "/luactr-spec-" .. sys.getpid()
      assert(sys.mkdir(path, "0755"))
      return setmetatable({ path = path }, { __close = function()
        sys.rmdir(path)
        if not had_top then sys.rmdir(top) end
      end })
    end

    it("are named, with the command that removes them", function()
      support.needs("root", "controller:pids")
      local left <close> = leftover("pids")
      local found
      repeat -- whoever runs `luactr gc` beside this spec removes it
        sys.mkdir(left.path, "0755")
        found = doctor().leftovers
      until sys.stat(left.path)
      assert.equal("lacking", found.status)
      assert.is_truthy(found.text:find(left.path, 1, true), found.text)
      assert.is_truthy(found.remedy:find(left.path, 1, true))
      assert(sys.rmdir(left.path))
      assert.is_nil(doctor().leftovers.text:find(left.path, 1, true))
    end)
  end)
end)
