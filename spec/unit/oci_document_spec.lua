-- From a recipe to config.json and back: the plan is the same, as far as config.json can say it.

local cjson = require "cjson"
local back = require "luactr.oci.back"
local config = require "luactr.oci.config"
local ctr = require "luactr"
local json = require "luactr.oci.json"
local output = require "luactr.cli.output"
local plan = require "luactr.plan"
local spec = require "luactr.spec"

local CONTEXT <const> = { bundle = "/srv/b", id = "box" }

local facts = setmetatable({ cwd = "/srv/b", environment = {}, terminal = false,
  is_shared = function() return true end,
  lsm = { apparmor = function() return true end, selinux = function() return true end },
  accounts = function(recipe) return recipe.user, recipe.groups end,
}, { __index = require("luactr.host").facts() })

local function checked(fields)
  local raw = { name = "box", rootfs = ctr.rootfs.dir("/srv/root", { devices = true }),
    command = { "/bin/x", "y" }, init = false, tty = false, seccomp = "unconfined",
    keyring = "new" }
  for name, value in pairs(fields) do raw[name] = value end
  return assert(spec.check(raw))
end

local function again(document)
  local value = assert(json.decode(output.pretty(document)))
  local raw, origins = config.recipe(assert(config.check(value)), CONTEXT)
  return assert(spec.check(assert(raw, tostring(origins)), config.where(CONTEXT, origins)))
end

local function text_of(value)
  if type(value) ~= "table" then return tostring(value) end
  local parts = {}
  for key, element in pairs(value) do parts[#parts + 1] = key .. "=" .. text_of(element) end
  table.sort(parts)
  return "{" .. table.concat(parts, ",") .. "}"
end

-- What would be done, in the order of the alphabet: where a default mount came from is no matter.
local function steps_of(recipe)
  local list = {}
  for _, step in ipairs(assert(plan.compile(recipe, facts)).steps) do
    if step.op == "mount_setattr" and step.recursive == 0 then step.recursive = nil end
    step.from = nil
    list[#list + 1] = text_of(step)
  end
  table.sort(list)
  return table.concat(list, "\n")
end

local function names_of(lost)
  local list = {}
  for i, one in ipairs(lost) do list[i] = one.path end
  return table.concat(list, " ")
end

describe("luactr.oci.back #unit", function()
  local same <const> = {
    ["nothing"] = {},
    ["a process"] = { user = { uid = 5, gid = 6 }, groups = { 7, 8 }, umask = "077", cwd = "/x",
      env = { A = "1", PATH = "/bin", HOME = "/h" }, oom_score_adj = 5, no_new_privileges = false,
      apparmor = "profile", selinux = "a:b:c:d" },
    ["capabilities"] = { capabilities = { bounding = { "CHOWN", "KILL" }, effective = { "KILL" },
      permitted = { "KILL" }, inheritable = { "KILL" }, ambient = { "KILL" } } },
    ["rlimits"] = { rlimits = { nofile = 99, core = { soft = 0, hard = "unlimited" } } },
    ["the order of running"] = { scheduler = { policy = "deadline", runtime = "0.1ms",
      deadline = "1ms", period = "2ms", flags = { "reclaim" } }, io_priority = "idle",
      memory_policy = { mode = "bind", nodes = "0", flags = { "static_nodes" } },
      personality = "linux32" },
    ["nice"] = { scheduler = { policy = "batch", nice = 7 },
      io_priority = { class = "be", priority = 2 } },
    ["namespaces"] = { namespaces = { uts = "new", ipc = "host", network = "/run/netns/x",
      cgroup = "host", time = "new" }, clock = { monotonic = "1h", boottime = "-5s" } },
    ["names"] = { hostname = "web", domainname = "far", sysctl = { ["net.x"] = 1 } },
    ["no name"] = { hostname = false, env = { HOSTNAME = false } },
    ["users"] = { namespaces = { user = "new" }, idmap = { uid = { { 0, 100000, 65536 } } } },
    ["devices"] = { devices = { { path = "/dev/x", type = "c", major = 1, minor = 3,
      mode = "0640", uid = 3, gid = 4 }, { path = "/y", type = "p" } } },
    ["paths"] = { masked_paths = { "/proc/kcore" }, readonly_paths = { "/proc/sys" },
      readonly = true, propagation = "shared" },
    ["no default mounts"] = { default_mounts = false, mount_label = "a:b:c:s0:c1,c2" },
    ["mounts"] = { mounts = {
      ctr.bind("/a", "/b", { ro = true }), ctr.tmpfs("/t", "64K"),
      { source = "/c", target = "/d/e/f", options = { "bind", "noexec", "rslave", "exec" } },
      { source = "/c", target = "/d", options = { "rbind", "noatime", "rrw", "dev" } },
      { type = "tmpfs", target = "/u", options = { "tmpcopyup", "mode=0700" } },
      { source = "/i", target = "/j", options = { "create=dir", "src-nofollow", "optional" } },
      { type = "ext4", source = "/dev/x", target = "/k", options = { "sync", "strictatime" } },
      { type = "tmpfs", target = "/dev/shm", options = { "size=1M" } },
      { type = "tmpfs", target = "/dev/shm", options = { "remount", "ro" } },
    } },
    ["exact mounts"] = { default_mounts = false, mounts = {
      { source = "/a", target = "/b", options = { "rbind", "ro", "rnoexec" }, exact = true },
      { type = "tmpfs", target = "/t", options = { "ro" }, exact = true },
      { type = "proc", target = "/proc", exact = true },
    } },
    ["limits"] = { limits = { cpu = 0.5, memory = "64M", pids = 20, devices = { "c 10:229 rw" } } },
    ["a view of cgroups"] = { mounts = { { type = "cgroup", target = "/sys/fs/cgroup" } } },
  }
  for name, fields in pairs(same) do
    it("means the same, and loses nothing: " .. name, function()
      local recipe = checked(fields)
      local document, lost = back.document(recipe)
      assert.are.equal("", names_of(lost))
      assert.are.equal(steps_of(recipe), steps_of(again(document)))
    end)
  end

  it("says what runs the same way in an engine", function()
    local document = back.document(checked { labels = { a = "b" }, stop_signal = "INT",
      window = { rows = 3, columns = 4 }, exec_cpu_affinity = "0-1", cgroup = "/a/b",
      net_devices = { eth1 = "eth0" }, resctrl = { group = "g", bandwidth = "MB:0=50" },
      hooks = { poststop = { { path = "/bin/true", args = { "true" } } } } })
    assert.are.same({ a = "b", ["org.opencontainers.image.stopSignal"] = "2" },
      document.annotations)
    assert.are.same({ height = 3, width = 4 }, document.process.consoleSize)
    assert.are.same({ final = "0,1" }, document.process.execCPUAffinity)
    assert.are.equal("/a/b", document.linux.cgroupsPath)
    assert.are.equal("/bin/true", document.hooks.poststop[1].path)
    assert.are.same({ eth1 = { name = "eth0" } }, document.linux.netDevices)
    assert.are.same({ closID = "g", memBwSchema = "MB:0=50" }, document.linux.intelRdt)
    assert.is_string(cjson.encode(document))
    local recipe = again(document)
    assert.are.same({ eth1 = "eth0" }, recipe.net_devices)
    assert.are.same({ group = "g", bandwidth = "MB:0=50" }, recipe.resctrl)
  end)

  it("is of the oldest version that has its fields, since there are engines that insist", function()
    local function version(fields) return back.document(checked(fields)).ociVersion end
    assert.are.equal("1.0.2", version {})
    assert.are.equal("1.1.0", version { domainname = "x" })
    assert.are.equal("1.2.0", version { exec_cpu_affinity = "0", domainname = "x" })
    assert.are.equal("1.3.0", version { net_devices = { "eth1" } })
  end)

  describe("of a filter", function()
    local bpf = require "support.bpf"
    local seccomp = require "luactr.security.seccomp"
    local abi = require("luactr.spec.seccomp.syscalls").abis()[1]

    local function program_of(recipe) return (assert(seccomp.compile(recipe.seccomp))) end

    local function verdicts(program, calls)
      local list = {}
      for i, call in ipairs(calls) do
        list[i] = bpf.verdict(program, { nr = abi.numbers[call[1]], arch = call.arch,
          table.unpack(call, 2) })
      end
      return list
    end

    local ARCH <const> = ({ x86_64 = 0xc000003e, aarch64 = 0xc00000b7 })[abi.name]
    local CALLS <const> = {
      { "read" }, { "mount" }, { "clone3" }, { "bpf" }, { "clone", 17 }, { "clone", 0x10000000 },
      { "socket", 1 }, { "socket", 16 }, { "socket", 17 }, { "socket", 0x100000001 },
      { "ioctl", 0, 0x5412 }, { "ioctl", 0, 0x541c }, { "ioctl", 0, 0x5423 },
      { "ioctl", 0, 0x5413 }, { "ioctl", 0, 0 }, { "ioctl", 0, 0x100005412 },
      { "ioctl", 0, 0xffffffff }, { "personality", 8 }, { "personality", 9 }, { "setuid", 0 },
    }
    for _, call in ipairs(CALLS) do call.arch = ARCH end

    for _, word in ipairs { "default", "strict" } do
      it("answers as the profile does: " .. word, function()
        local document, lost = back.document(checked { seccomp = word })
        assert.are.equal("", names_of(lost))
        local program = program_of(again(document))
        assert.are.same(verdicts(require("luactr.core").seccomp.builtin(word), CALLS),
          verdicts(program, CALLS))
      end)
    end

    it("answers as rules of one's own do, with comparisons of all kinds", function()
      local recipe = checked { seccomp = { default = "allow", rules = {
        { names = { "socket" }, action = "EIO", args = { { index = 0, op = "<", value = 5 },
          { index = 1, op = "not in", values = { 0, 3 } } } },
        { names = { "ioctl" }, action = "trap", args = { { index = 1, op = "~=", value = 0 } } },
        { names = { "clone" }, action = "ENOSPC",
          args = { { index = 0, op = ">=", value = -1 } } },
      } } }
      local document, lost = back.document(recipe)
      assert.are.equal("", names_of(lost))
      local calls = { { "socket", 1, 0 }, { "socket", 1, 1 }, { "socket", 5, 1 },
        { "socket", 4, 3 }, { "socket", 4, -1 }, { "ioctl", 0, 0 }, { "ioctl", 0, 7 },
        { "clone", -1 }, { "clone", 1 }, { "read" } }
      for _, call in ipairs(calls) do call.arch = ARCH end
      assert.are.same(verdicts(program_of(recipe), calls),
        verdicts(program_of(again(document)), calls))
    end)
  end)

  local lost <const> = {
    { { rootfs = ctr.rootfs.empty() }, "rootfs" }, { { rootfs = "/srv/root" }, "rootfs" },
    { { readonly = "recursive" }, "readonly" }, { { env = { A = true } }, "env.A" },
    { { user = "bob" }, "user" }, { { groups = { "audio", 5 } }, "groups[1]" },
    { { seccomp = { base = "default", notify = { uname = print } } }, "seccomp" },
    { { seccomp = { default = "EPERM", rules = { { names = { "read" }, action = "EIO",
      args = { { index = 0, op = "==", value = 1 } } },
      { names = { "read" }, action = "allow" } } } }, "seccomp.read" },
    { { landlock = { read = { "/" } } }, "landlock" },
    { { mounts = { ctr.file("/f", "x"), ctr.bind("/a", "/b") } }, "mounts[1]" },
    { { namespaces = { network = "container:x" } }, "namespaces.network" },
    { { idmap = "range" }, "idmap" }, { { limits = { wall_time = "1s" } }, "limits.wall_time" },
    { { personality = "no_aslr" }, "personality" }, { { argv0 = "x" }, "argv0" },
    { { securebits = { "noroot" } }, "securebits" }, { { steps = print }, "steps" },
    { { hooks = { prestart = { print } } }, "hooks.prestart[1]" },
    { { cpu_affinity = "0" }, "cpu_affinity" }, { { stop_timeout = "5s" }, "stop_timeout" },
  }
  for i, case in ipairs(lost) do
    it("names what config.json cannot say (" .. i .. "): " .. case[2], function()
      local document, list = back.document(checked(case[1]))
      assert.are.equal(case[2], names_of(list))
      again(document)
    end)
  end
end)
