local findings = require("luactr.cli.findings")

-- Doctor on hosts that lack something: facts and files are tables.
describe("luactr.cli.findings #unit", function()
  local FILES <const> = {
    ["/proc/self/ns/mnt"] = "", ["/proc/self/ns/pid"] = "", ["/proc/self/ns/uts"] = "",
    ["/proc/self/ns/ipc"] = "", ["/proc/self/ns/net"] = "", ["/proc/self/ns/cgroup"] = "",
    ["/proc/pressure"] = "", ["/proc/filesystems"] = "nodev\ttmpfs\nnodev\toverlay",
    ["/proc/sys/kernel/seccomp/actions_avail"] = "kill errno allow",
    ["/run"] = { mode = 493, uid = 0, gid = 0, type = "directory" },
  }

  local SYSCTLS <const> = { ["kernel/pid_max"] = 32768, ["user/max_net_namespaces"] = 100 }

  local function look(changes, files, sysctls)
    local host = { uid = 0, gid = 0, privileged = true, kernel = { 6, 1 }, last_cap = 40,
      capabilities = -1, state_dir = "/run/luactr", cgroup = { kind = "v2", controllers = {} } }
    for name, value in pairs(changes or {}) do host[name] = value end
    local eyes = {}
    function eyes.lstat(path)
      local file = (files or {})[path]
      if file == nil then file = FILES[path] end
      return file or nil
    end
    eyes.stat, eyes.read = eyes.lstat, eyes.lstat
    function eyes.sysctl(name) return (sysctls or {})[name] or SYSCTLS[name] end
    function eyes.rlimit() return 1024, 4096 end
    return findings.look(host, eyes)
  end

  local function finding(report, name)
    for _, found in ipairs(report.findings) do
      if found.name == name then return found end
    end
  end

  it("is content with a host that has all", function()
    local report = look()
    assert.is_true(report.ok)
    for _, found in ipairs(report.findings) do
      if found.section ~= "cgroups" then assert.equal("ok", found.status, found.name) end
    end
  end)

  local lacking = {
    { "an old kernel", { kernel = { 5, 4 } }, "mount_setattr", "failed", "needs Linux 5.12" },
    { "a kernel without clone3", { kernel = { 5, 4 } }, "clone3", "lacking", "needs Linux 5.7" },
    { "few capabilities", { capabilities = ~1 }, "capabilities", "lacking", "no CAP_CHOWN" },
    { "no cgroups", { cgroup = { controllers = {} } }, "layout", "lacking",
      "no cgroup file system" },
    { "a controller that is not there", {}, "memory", "lacking", "limits.memory refused: not in" },
  }
  for _, case in ipairs(lacking) do
    local title, host, name, status, text = table.unpack(case)
    it("finds " .. title, function()
      local found = finding(look(host), name)
      assert.equal(status, found.status)
      assert.is_truthy(found.text:find(text, 1, true), found.text)
    end)
  end

  it("fails where no container can run", function()
    assert.is_false(look({ kernel = { 5, 4 } }).ok)
    assert.is_false(look({}, { ["/proc/sys/kernel/seccomp/actions_avail"] = false }).ok)
    assert.is_false(look({}, { ["/proc/self/ns/pid"] = false }).ok)
  end)

  local homes = {
    { "v1 as root", { version = 1, mount = "/cg/memory", parent = "" }, "ok", "v1 at /cg/memory" },
    { "v1 as a user", { version = 1, mount = "/cg/memory" }, "lacking", "as root" },
    { "v2 that is not delegated", { version = 2, mount = "/cg" }, "lacking", "Delegate=yes" },
    { "v2 without the controller", { version = 2, mount = "/cg", parent = "/user", granted = {} },
      "lacking", "user@.service" },
  }
  for _, case in ipairs(homes) do
    local title, home, status, text = table.unpack(case)
    it("knows a controller on " .. title, function()
      local report = look { cgroup = { kind = "x", controllers = { memory = home } } }
      local found = finding(report, "memory")
      assert.equal(status, found.status)
      local said = found.text .. " " .. (found.remedy or "")
      assert.is_truthy(said:find(text, 1, true), said)
    end)
  end

  it("finds the init kept from memory", function()
    local found = finding(look({}, {}, { ["vm/memfd_noexec"] = 2 }), "executable memory")
    assert.equal("lacking", found.status)
    assert.matches("sysctl -w vm.memfd_noexec=1", found.remedy, 1, true)
  end)

  it("finds a state directory that cannot be made", function()
    local report = look { uid = 1000, gid = 1000, state_dir = "/run/user/1000/luactr" }
    local found = finding(report, "state")
    assert.equal("failed", found.status)
    assert.matches("may not write to /run", found.text, 1, true)
  end)
end)
