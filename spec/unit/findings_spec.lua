local findings = require("luactr.cli.findings")

-- Doctor on hosts that lack something: facts, files and what the kernel answers are tables.
describe("luactr.cli.findings #unit", function()
  local FILES <const> = {
    ["/proc/self/ns/mnt"] = "", ["/proc/self/ns/pid"] = "", ["/proc/self/ns/uts"] = "",
    ["/proc/self/ns/ipc"] = "", ["/proc/self/ns/net"] = "", ["/proc/self/ns/cgroup"] = "",
    ["/proc/self/ns/user"] = "", ["/proc/self/ns/time"] = "",
    ["/proc/pressure"] = "", ["/proc/filesystems"] = "nodev\ttmpfs\nnodev\toverlay",
    ["/proc/sys/kernel/seccomp/actions_avail"] = "kill errno user_notif allow",
    ["/sys/module/apparmor/parameters/enabled"] = "Y", ["/proc/self/attr/current"] = "unconfined",
    ["/sys/fs/selinux/enforce"] = "1",
    ["/proc/self/mounts"] = "/dev/a / ext4 rw 0 0\n/dev/b /srv xfs rw,prjquota 0 0",
    ["/"] = { mode = 493, uid = 0, gid = 0, type = "directory" },
    ["/var/lib"] = { mode = 493, uid = 0, gid = 0, type = "directory" },
    ["/run"] = { mode = 493, uid = 0, gid = 0, type = "directory" },
    ["/usr/bin/newuidmap"] = { mode = 2541, uid = 0, gid = 0, type = "file" },
  }

  local SYSCTLS <const> = { ["kernel/pid_max"] = 32768, ["user/max_net_namespaces"] = 100,
    ["dev/tty/legacy_tiocsti"] = 0 }

  local IDS <const> = {
    name = "joe", pool = { {}, {} }, helpers = { uid = "/usr/bin/newuidmap", gid = "/bin/ngm" },
    granted = { uid = { { first = 100000, count = 65536 } }, gid = { { first = 1, count = 2 } } },
  }

  local function eyes_of(files, sysctls)
    local eyes = {}
    function eyes.lstat(path)
      local file = files[path]
      if file == nil then file = FILES[path] end
      return file or nil
    end
    eyes.stat, eyes.read = eyes.lstat, eyes.lstat
    function eyes.sysctl(name)
      local value = sysctls[name]
      if value == nil then value = SYSCTLS[name] end
      return value or nil
    end
    function eyes.rlimit() return 1024, 4096 end
    return eyes
  end

  -- `absent` is name to errno, `names` directory to list
  local function probes_of(kernel)
    return {
      call = function(name)
        local code = kernel.absent and kernel.absent[name]
        return code == nil, code
      end,
      clone = function()
        if kernel.clone then return nil, "clone: Operation not permitted", 1 end
        return true
      end,
      idmapped = function(path)
        if path == kernel.unmapped then return nil, "mount_setattr: Invalid argument" end
        return true
      end,
      list = function(path) return kernel.names and kernel.names[path] or {} end,
    }
  end

  local function look(changes, files, sysctls, kernel)
    local host = { uid = 0, gid = 0, privileged = true, kernel = { 6, 1 }, last_cap = 40,
      capabilities = -1, state_dir = "/run/luactr", cgroup = { kind = "v2", controllers = {} },
      landlock = { abi = 7 }, ids = IDS }
    for name, value in pairs(changes or {}) do host[name] = value end
    return findings.look(host, eyes_of(files or {}, sysctls or {}), probes_of(kernel or {}))
  end

  local function finding(report, name)
    for _, found in ipairs(report.findings) do
      if found.name == name then return found end
    end
    error("no finding " .. name)
  end

  it("is content with a host that has all", function()
    local report = look()
    assert.is_true(report.ok)
    for _, found in ipairs(report.findings) do
      if found.section ~= "cgroups" then
        assert.equal("ok", found.status, found.name)
        assert.is_nil(found.remedy, found.name)
      end
    end
  end)

  it("names each finding once", function()
    local seen = {}
    for _, found in ipairs(look().findings) do
      assert.is_nil(seen[found.name], found.name)
      seen[found.name] = true
    end
  end)

  -- title; host, files, sysctls, kernel; finding, status, text, remedy
  local lacking = {
    { "an old kernel",
      { { kernel = { 5, 4 } }, nil, nil, { absent = { mount_setattr = "ENOSYS" } } },
      "mount_setattr", "lacking", "needs Linux 5.12; they are remounted", "5.12" },
    { "a call that a filter hides", { nil, nil, nil, { absent = { openat2 = "ENOSYS" } } },
      "openat2", "lacking", "a system call filter round luactr hides it", "allow openat2" },
    { "mount calls that are hidden in part",
      { nil, nil, nil, { absent = { move_mount = "EPERM", fsopen = "ENOSYS" } } },
      "mount calls", "lacking", "mount(2) takes their place", "allow fsopen, move_mount where" },
    { "a kernel without clone3",
      { { kernel = { 5, 4 } }, nil, nil, { absent = { clone3 = "ENOSYS" } } },
      "clone3", "lacking", "needs Linux 5.7; processes are moved there", "5.7" },
    { "a kernel that cannot kill a cgroup", { { kernel = { 5, 10 } } }, "cgroup.kill", "lacking",
      "needs Linux 5.14" },
    { "few capabilities", { { capabilities = ~1 } }, "capabilities", "lacking", "no CAP_CHOWN" },
    { "user namespaces switched off for users",
      { { privileged = false, uid = 1000 }, nil, { ["kernel/unprivileged_userns_clone"] = 0 },
        { clone = true } },
      "user namespaces", "failed", "kernel.unprivileged_userns_clone is 0",
      "sysctl -w kernel.unprivileged_userns_clone=1" },
    { "AppArmor against user namespaces, as root sees it",
      { nil, nil, { ["kernel/apparmor_restrict_unprivileged_userns"] = 1 } },
      "rootless", "lacking", "kernel.apparmor_restrict_unprivileged_userns is 1",
      "sysctl -w kernel.apparmor_restrict_unprivileged_userns=0" },
    { "no user namespace for anybody", { nil, nil, { ["user/max_user_namespaces"] = 0 } },
      "rootless", "lacking", "user.max_user_namespaces is 0", "=65536" },
    { "SELinux against user namespaces",
      { nil, { ["/sys/fs/selinux/booleans/deny_userns"] = "1 1" } },
      "rootless", "lacking", "deny_userns", "setsebool -P deny_userns off" },
    { "no newuidmap", { { ids = setmetatable({ helpers = {} }, { __index = IDS }) } },
      "newuidmap", "lacking", "not installed", "apt install uidmap" },
    { "no ranges for a user", { { privileged = false, ids = setmetatable(
        { granted = { uid = {}, gid = {} } }, { __index = IDS }) } },
      "subuid", "lacking", "/etc/subuid grants none to joe",
      "echo joe:100000:65536 >> /etc/subuid" },
    { "no range for root's containers",
      { { ids = setmetatable({ pool = false }, { __index = IDS }) } },
      "id pool", "lacking", "no range of ids to spare", "idmap = \"single\"" },
    { "a kernel without time namespaces", { nil, { ["/proc/self/ns/time"] = false } }, "time",
      "lacking", "not in this kernel" },
    { "namespaces whose number is 0", { nil, nil, { ["user/max_net_namespaces"] = 0 } }, "net",
      "lacking", "user.max_net_namespaces is 0", "sysctl -w user.max_net_namespaces=65536" },
    { "no cgroups", { { cgroup = { controllers = {} } } }, "layout", "lacking",
      "no cgroup file system", "mount -t cgroup2" },
    { "a controller that is not there", {}, "memory", "lacking", "limits.memory refused: not in" },
    { "no stall times", { nil, { ["/proc/pressure"] = false } }, "pressure", "lacking",
      "no stall times", "psi=1" },
    { "no filters", { nil, nil, nil, { absent = { seccomp_filter = "EINVAL" } } }, "seccomp",
      "failed", "not in this kernel", "unconfined" },
    { "a filter's flag that is missing",
      { nil, nil, nil, { absent = { seccomp_wait_killable_recv = "EINVAL" } } },
      "seccomp flags", "lacking", "without wait_killable_recv", "5.19" },
    { "no user notification",
      { nil, { ["/proc/sys/kernel/seccomp/actions_avail"] = "kill errno" } },
      "seccomp notify", "lacking", "cannot be answered", "5.0" },
    { "Landlock switched off at boot",
      { { landlock = { code = "EOPNOTSUPP" } }, { ["/sys/kernel/security/lsm"] = "yama" } },
      "landlock", "lacking", "switched off", "boot with lsm=landlock,... (what is on now: yama)" },
    { "no Landlock", { { landlock = { code = "ENOSYS" } } }, "landlock", "lacking",
      "built without Landlock", "5.13" },
    { "AppArmor switched off", { nil, { ["/sys/module/apparmor/parameters/enabled"] = "N" } },
      "apparmor", "lacking", "switched off at boot", "apparmor=1" },
    { "no AppArmor", { nil, { ["/sys/module/apparmor/parameters/enabled"] = false } },
      "apparmor", "lacking", "is refused", "CONFIG_SECURITY_APPARMOR" },
    { "no SELinux", { nil, { ["/sys/fs/selinux/enforce"] = false } }, "selinux", "lacking",
      "is refused", "CONFIG_SECURITY_SELINUX" },
    { "SELinux without a policy",
      { nil, { ["/sys/fs/selinux/enforce"] = false, ["/sys/kernel/security/lsm"] = "x,selinux" } },
      "selinux", "lacking", "without a policy", "mount -t selinuxfs" },
    { "an init kept from memory", { nil, nil, { ["vm/memfd_noexec"] = 2 } }, "executable memory",
      "lacking", "vm.memfd_noexec is 2", "sysctl -w vm.memfd_noexec=1" },
    { "terminals that can be typed into", { nil, nil, { ["dev/tty/legacy_tiocsti"] = 1 } },
      "terminal input", "lacking", "legacy_tiocsti is 1", "sysctl -w dev.tty.legacy_tiocsti=0" },
    { "a kernel that cannot prevent that", { nil, nil, { ["dev/tty/legacy_tiocsti"] = false } },
      "terminal input", "lacking", "Linux 6.1 cannot switch TIOCSTI off", "6.2" },
    { "no core scheduling", { nil, nil, nil, { absent = { core_scheduling = "EINVAL" } } },
      "core scheduling", "lacking", "not in this kernel", "CONFIG_SCHED_CORE" },
    { "cores with one thread each", { nil, nil, nil, { absent = { core_scheduling = "ENODEV" } } },
      "core scheduling", "lacking", "one thread" },
    { "no memory policy", { nil, nil, nil, { absent = { set_mempolicy = "ENOSYS" } } }, "NUMA",
      "lacking", "not in this kernel", "CONFIG_NUMA" },
    { "no keys", { nil, nil, nil, { absent = { keyctl = "ENOSYS" } } }, "keyring", "lacking",
      "not in this kernel", "CONFIG_KEYS" },
    { "a file system that takes no id map", { nil, nil, nil, { unmapped = "/tmp" } },
      "idmapped mounts", "lacking", "of /tmp takes no id map (mount_setattr: Invalid", "6.3" },
    { "no project quotas", { nil, { ["/proc/self/mounts"] = "/dev/a / ext4 rw,quota 0 0" } },
      "project quotas", "lacking", "a disk quota is refused", "tune2fs -O project,quota" },
    { "no overlayfs", { nil, { ["/proc/filesystems"] = "nodev\ttmpfs" } }, "overlay", "lacking",
      "layers", "modprobe overlay" },
    { "a state directory that cannot be made",
      { { uid = 1000, gid = 1000, state_dir = "/run/user/1000/luactr" } }, "state", "failed",
      "may not write to /run", "XDG_RUNTIME_DIR" },
  }
  for _, case in ipairs(lacking) do
    local title, world, name, status, text, remedy = table.unpack(case)
    it("finds " .. title, function()
      local report = look(world[1], world[2], world[3], world[4])
      local found = finding(report, name)
      assert.equal(status, found.status)
      assert.is_truthy(found.text:find(text, 1, true), found.text)
      if remedy then
        assert.is_truthy(found.remedy and found.remedy:find(remedy, 1, true), found.remedy)
      end
      assert.equal(status ~= "failed", report.ok)
    end)
  end

  it("fails where no container can run", function()
    assert.is_false(look({}, { ["/proc/self/ns/pid"] = false }).ok)
  end)

  it("tells which version of Landlock comes next", function()
    local found = finding(look { landlock = { abi = 3 } }, "landlock")
    assert.equal("ABI 3 of 7; the next, 4, comes with Linux 6.7", found.text)
    assert.equal("ok", found.status)
    assert.equal("ABI 9", finding(look { landlock = { abi = 9 } }, "landlock").text)
  end)

  it("tells a helper that only file capabilities can make work", function()
    assert.equal("/usr/bin/newuidmap", finding(look(), "newuidmap").text)
    local plain = { ["/bin/ngm"] = { mode = 493, uid = 0 } }
    assert.matches("capability cap_setgid", finding(look({}, plain), "newgidmap").text)
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

  describe("on cgroups of containers that are gone", function()
    local home <const> = { version = 1, mount = "/cg", parent = "/p", granted = {} }
    local controllers <const> = { memory = home, cpu = home }
    local changes <const> = { cgroup = { kind = "v1", controllers = controllers } }
    local names <const> = { names = { ["/cg/p/luactr"] = { "cgroup.procs", "lost", "web" } } }
    local directory <const> = { type = "directory", mode = 493, uid = 0, gid = 0 }

    local function leftovers(files)
      files["/cg/p/luactr/web"], files["/run/luactr/containers/web"] = directory, directory
      return finding(look(changes, files, {}, names), "leftovers")
    end

    it("is content where each has a container", function()
      assert.equal("ok", leftovers({}).status)
    end)

    it("names them, once, and how to remove them", function()
      local found = leftovers { ["/cg/p/luactr/lost"] = directory }
      assert.equal("lacking", found.status)
      assert.equal("1 without a container: /cg/p/luactr/lost", found.text)
      assert.equal("rmdir /cg/p/luactr/lost", found.remedy)
    end)

    it("tells that processes still run in one", function()
      local found = leftovers { ["/cg/p/luactr/lost"] = directory,
        ["/cg/p/luactr/lost/cgroup.procs"] = "12\n13" }
      assert.matches("processes still run in /cg/p/luactr/lost", found.text, 1, true)
      assert.matches("end those processes, then rmdir", found.remedy, 1, true)
    end)
  end)
end)
