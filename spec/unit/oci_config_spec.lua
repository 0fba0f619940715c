local config = require "luactr.oci.config"
local json = require "luactr.oci.json"
local spec = require "luactr.spec"

local CONTEXT <const> = { bundle = "/srv/b", id = "box" }

local function parse(text)
  local value = assert(json.decode(text))
  return value
end

-- A config.json with these members beside what every one has.
local function with(text)
  local value = parse [[{"ociVersion": "1.0.2", "root": {"path": "rootfs"},
    "process": {"cwd": "/", "args": ["sh"]}, "linux": {"namespaces": [{"type": "mount"}]}}]]
  for name, member in pairs(parse(text)) do
    if type(member) == "table" and (name == "process" or name == "linux") then
      for inner, content in pairs(member) do value[name][inner] = content end
    else
      value[name] = member
    end
  end
  return value
end

local function raw_of(text, context)
  local document = assert(config.check(with(text)))
  return config.recipe(document, context or CONTEXT)
end

local function spec_of(text)
  local raw, origins = raw_of(text)
  if not raw then return nil, origins end
  return spec.check(raw, config.where(CONTEXT, origins))
end

local function without(name)
  return function()
    local value = with "{}"
    if name:find("%.") then
      local outer, inner = name:match("^(.*)%.(.*)$")
      value[outer][inner] = nil
    else
      value[name] = nil
    end
    return value
  end
end

-- Every problem as "path: message".
local function problems_of(case)
  local document, err = config.check(type(case) == "function" and case() or with(case))
  if document then
    local raw, origins = config.recipe(document, CONTEXT)
    if raw then
      raw, err = spec.check(raw, config.where(CONTEXT, origins))
      assert.is_nil(raw)
    else
      err = origins
    end
  end
  assert.are.equal("ESPEC", err.code)
  local lines = {}
  for i, problem in ipairs(err.problems) do lines[i] = problem.path .. ": " .. problem.message end
  return table.concat(lines, "\n"), err
end

describe("luactr.oci.config #unit", function()
  describe("recipe()", function()
    it("gives a container nothing that is not said", function()
      local checked = assert(spec_of "{}")
      assert.is_false(checked.default_mounts)
      assert.is_false(checked.init)
      assert.is_false(checked.tty)
      assert.is_false(checked.no_new_privileges)
      assert.is_false(checked.hostname)
      assert.are.equal("unconfined", checked.seccomp)
      assert.are.same({}, checked.capabilities.bounding)
      assert.are.same({}, checked.masked_paths)
      assert.are.same({ mount = "new", pid = "host", uts = "host", ipc = "host", network = "host",
        user = "host", cgroup = "host", time = "host" }, checked.namespaces)
      assert.are.same({ PATH = false, HOSTNAME = false, TERM = false }, checked.env)
      assert.are.equal("/srv/b/rootfs", checked.rootfs.path)
    end)

    it("makes paths absolute: those of the host by the bundle, those inside by /", function()
      local checked = assert(spec_of [[{"mounts": [{"destination": "data", "source": "d",
        "options": ["rbind", "ro"]}, {"destination": "/p", "type": "proc", "source": "proc"}]}]])
      assert.are.equal("/srv/b/d", checked.mounts[1].source)
      assert.are.equal("/data", checked.mounts[1].target)
      assert.are.equal("bind", checked.mounts[1].type)
      assert.are.equal("proc", checked.mounts[2].source)
    end)

    it("takes RLIM_INFINITY for unlimited", function()
      local checked = assert(spec_of [[{"process": {"rlimits": [{"type": "RLIMIT_CORE",
        "soft": 0, "hard": 18446744073709551615}]}}]])
      assert.are.same({ CORE = { soft = 0, hard = -1 } }, checked.rlimits)
    end)

    it("takes modes as numbers, whatever they look like", function()
      local checked = assert(spec_of [[{"process": {"user": {"uid": 0, "gid": 0, "umask": 22}},
        "linux": {"devices": [{"path": "/dev/x", "type": "u", "major": 1, "minor": 3,
        "fileMode": 8630}]}}]])
      assert.are.equal(22, checked.umask)
      assert.are.equal(438, checked.devices[1].mode)
      assert.are.equal("c", checked.devices[1].type)
    end)

    it("leaves the terminals' multiplexer to devpts", function()
      local checked = assert(spec_of [[{"linux": {"devices": [
        {"path": "/dev/ptmx", "type": "c", "major": 5, "minor": 2},
        {"path": "/dev/x", "type": "c", "major": 1, "minor": 3}]}}]])
      assert.are.equal(1, #checked.devices)
      assert.are.equal("/dev/x", checked.devices[1].path)
    end)

    it("passes over capabilities that nobody knows, with a warning", function()
      local raw, _, warnings = raw_of [[{"process": {"capabilities": {
        "bounding": ["CAP_CHOWN", "CAP_MAGIC"]}}}]]
      assert.are.same({ "CAP_CHOWN" }, raw.capabilities.bounding)
      assert.matches("CAP_MAGIC", warnings[1])
    end)

    it("leaves out capabilities that the kernel would refuse", function()
      local raw, _, warnings = raw_of [[{"process": {"capabilities": {"ambient": ["CAP_KILL"],
        "permitted": ["CAP_KILL"], "effective": ["CAP_KILL", "CAP_CHOWN"]}}}]]
      assert.are.same({ "CAP_KILL" }, raw.capabilities.effective)
      assert.are.same({}, raw.capabilities.ambient)
      assert.are.equal(2, #warnings)
    end)

    it("leaves a name space's names alone that others made", function()
      local checked = assert(spec_of [[{"hostname": "x", "linux": {"namespaces": [
        {"type": "mount"}, {"type": "uts", "path": "/proc/1/ns/uts"}]}}]])
      assert.is_false(checked.hostname)
      assert.are.same({ join = "path", path = "/proc/1/ns/uts" }, checked.namespaces.uts)
    end)

    it("takes offsets of clocks to the nanosecond", function()
      local checked = assert(spec_of [[{"linux": {"namespaces": [{"type": "mount"},
        {"type": "time"}], "timeOffsets": {"monotonic": {"secs": -172800, "nanosecs": 999999999},
        "boottime": {"secs": 604800}}}}]])
      assert.are.same({ seconds = -172800, nanoseconds = 999999999 }, checked.clock.monotonic)
      assert.are.same({ seconds = 604800, nanoseconds = 0 }, checked.clock.boottime)
    end)

    it("passes cgroups over, if there are to be none", function()
      local raw, _, warnings = raw_of([[{"linux": {"cgroupsPath": "/a",
        "resources": {"pids": {"limit": 5}}}}]], { bundle = "/b", id = "x", no_cgroup = true })
      assert.is_nil(raw.cgroup)
      assert.is_nil(raw.limits)
      assert.are.same({ "linux.resources: left out, since it is to have no cgroup" }, warnings)
    end)

    it("hands on descriptors", function()
      local raw = raw_of("{}", { bundle = "/b", id = "x", preserve_fds = 2 })
      assert.are.same({ [3] = 3, [4] = 4 }, raw.fds)
    end)

    it("ignores what it does not know, and what is for other systems", function()
      assert(spec_of [[{"x": {"y": [1]}, "windows": {"z": 1}, "process": {"commandLine": "a",
        "later": {}, "user": {"uid": 1, "gid": 2, "username": "bob"}}}]])
    end)

    it("takes empty texts for none", function()
      local checked = assert(spec_of [[{"hostname": "", "process": {"apparmorProfile": "",
        "selinuxLabel": ""}, "linux": {"mountLabel": "", "cgroupsPath": ""}}]])
      assert.is_nil(checked.apparmor)
      assert.is_nil(checked.selinux)
    end)
  end)

  describe("command()", function()
    it("takes a process object, and its CPUs for itself", function()
      local raw, origins = config.command(parse [[{"args": ["x"], "cwd": "/a", "env": ["A=1"],
        "execCPUAffinity": {"initial": "", "final": "0"}}]], CONTEXT)
      assert.are.same({ final = "0" }, raw.cpu_affinity)
      assert.are.equal("1", raw.env.A)
      assert.are.equal("cwd", config.path("cwd", origins))
    end)

    it("tells every problem by its place there", function()
      local raw, err = config.command(parse '{"cwd": "a", "args": []}', CONTEXT)
      assert.is_nil(raw)
      assert.are.same({ "args", "cwd" }, { err.problems[1].path, err.problems[2].path })
    end)
  end)

  describe("problems", function()
    local cases <const> = {
      { without "ociVersion", "ociVersion: is missing" },
      { '{"ociVersion": "2.0.0"}', "ociVersion: version 2.0.0: only the versions 1 are known" },
      { '{"ociVersion": "one"}', 'ociVersion: a version as "1.0.2" expected' },
      { without "root", "root: is missing" },
      { '{"root": {}}', "root.path: is missing" },
      { without "process", "process: is missing" },
      { without "process.args", "process.args: is missing" },
      { '{"process": {"args": []}}', "process.args: is empty" },
      { '{"process": {"args": [""]}}', "process.args: the program's name is empty" },
      { '{"process": {"args": ["a", 1]}}', "process.args[1]: string expected, got 1" },
      { '{"process": {"args": ["a\\u0000"]}}', "process.args[0]: contains a NUL byte" },
      { without "process.cwd", "process.cwd: is missing" },
      { '{"process": {"cwd": "x"}}', "process.cwd: absolute path expected" },
      { '{"process": {"env": ["A=1", "B"]}}', 'process.env[1]: "NAME=value" expected' },
      { '{"process": {"user": {"uid": -1, "gid": 0}}}', "process.user.uid: -1 is out of range" },
      { '{"process": {"user": {"uid": 4294967296, "gid": 0}}}', "process.user.uid: 4294967296 is" },
      { '{"process": {"user": {"uid": 1.5, "gid": 0}}}', "process.user.uid: integer of 32 bits" },
      { '{"process": {"rlimits": [{"type": "RLIMIT_X", "soft": 1, "hard": 1}]}}',
        "process.rlimits[0]: unknown rlimit" },
      { '{"process": {"rlimits": [{"type": "nofile", "soft": 1, "hard": 1}]}}',
        'process.rlimits[0].type: unknown rlimit "nofile"' },
      { '{"process": {"rlimits": [{"type": "RLIMIT_CPU", "soft": 1, "hard": 1}, '
        .. '{"type": "RLIMIT_CPU", "soft": 2, "hard": 2}]}}',
        "process.rlimits[1].type: RLIMIT_CPU is there twice" },
      { '{"process": {"rlimits": [{"type": "RLIMIT_CPU", "soft": 2, "hard": 1}]}}',
        "process.rlimits[0]: the soft limit is above the hard one" },
      { '{"process": {"rlimits": [{"type": "RLIMIT_CPU", "soft": 0, '
        .. '"hard": 18446744073709551616}]}}', "process.rlimits[0].hard: integer of 64 bits" },
      { '{"process": {"ioPriority": {"class": "IOPRIO_CLASS_X", "priority": 1}}}',
        'process.ioPriority.class: unknown class "IOPRIO_CLASS_X"' },
      { '{"process": {"scheduler": {"policy": "SCHED_ISO"}}}',
        "process.scheduler.policy: unknown scheduling policy" },
      { '{"process": {"oomScoreAdj": 1001}}', "process.oomScoreAdj: 1001 is out of range" },
      { '{"linux": {"namespaces": [{"type": "mount"}, {"type": "net"}]}}',
        'linux.namespaces[1].type: unknown namespace type "net"' },
      { '{"linux": {"namespaces": [{"type": "mount"}, {"path": "/proc/1/ns/net"}]}}',
        "linux.namespaces[1].type: is missing" },
      { '{"linux": {"namespaces": [{"type": "mount"}, {"type": "pid"}, {"type": "pid"}]}}',
        'linux.namespaces[2].type: "pid" is there twice' },
      { '{"linux": {"namespaces": [{"type": "mount"}, {"type": "pid", "path": "ns"}]}}',
        "linux.namespaces[1].path: absolute path expected" },
      { '{"linux": {"namespaces": []}}', "linux.namespaces.mount: cannot be the host's" },
      { '{"hostname": "x"}', "hostname: needs a uts namespace of its own" },
      { '{"domainname": "x"}', "domainname: needs a uts namespace of its own" },
      { '{"linux": {"uidMappings": [{"containerID": 0, "hostID": 1, "size": 1}]}}',
        "linux.uidMappings: needs a user namespace of its own" },
      { '{"linux": {"namespaces": [{"type": "mount"}, {"type": "user"}], "uidMappings": ['
        .. '{"containerID": 0, "hostID": 1, "size": 9}, {"containerID": 5, "hostID": 90, '
        .. '"size": 9}]}}', "linux.uidMappings[1]: overlaps" },
      { '{"linux": {"sysctl": {"vm.swappiness": "1"}}}', "linux.sysctl.vm.swappiness: is not nam" },
      { '{"linux": {"sysctl": {"net.x": "1"}}}', "linux.sysctl.net.x: needs a namespace" },
      { '{"linux": {"timeOffsets": {"monotonic": {"secs": 1}}}}',
        "linux.timeOffsets: needs a time namespace" },
      { '{"linux": {"personality": {"domain": "SUNOS"}}}', "linux.personality.domain: LINUX or" },
      { '{"linux": {"personality": {"domain": "LINUX", "flags": ["X"]}}}',
        "linux.personality.flags: there are no flags yet" },
      { '{"linux": {"rootfsPropagation": "some"}}', "linux.rootfsPropagation: shared, slave" },
      { '{"linux": {"devices": [{"type": "x", "path": "/dev/x"}]}}',
        "linux.devices[0].type: c, b, u or p expected" },
      { '{"linux": {"devices": [{"type": "c", "path": "/dev/x", "major": 1}]}}',
        "linux.devices[0].minor: is missing" },
      { '{"linux": {"maskedPaths": ["/a", "b"]}}', "linux.maskedPaths[1]: absolute path" },
      { '{"linux": {"seccomp": {"defaultAction": "SCMP_ACT_X"}}}',
        "linux.seccomp.defaultAction: unknown action" },
      { '{"linux": {"seccomp": {"defaultAction": "SCMP_ACT_ALLOW", "listenerMetadata": "x"}}}',
        "linux.seccomp.listenerMetadata: is for a listener" },
      { '{"linux": {"seccomp": {"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": '
        .. '["chmod"], "action": "SCMP_ACT_KILL_PROCESS", "errnoRet": 1}]}}}',
        "linux.seccomp.syscalls[0].errnoRet: goes with SCMP_ACT_ERRNO" },
      { '{"linux": {"seccomp": {"defaultAction": "SCMP_ACT_ALLOW", "defaultErrnoRet": 1}}}',
        "linux.seccomp.defaultErrnoRet: goes with SCMP_ACT_ERRNO" },
      { '{"linux": {"memoryPolicy": {"mode": "MPOL_X"}}}', "linux.memoryPolicy.mode: unknown" },
      { '{"mounts": [{"source": "/a"}]}', "mounts[0].destination: is missing" },
      { '{"mounts": [{"destination": "/a", "source": "/b"}]}', "mounts[0].type: is missing" },
      { '{"mounts": [{"destination": "/a", "options": ["bind"]}]}',
        "mounts[0].source: is missing" },
      { '{"mounts": [{"destination": "/a", "source": "/b", "options": ["bind", "nope"]}]}',
        'mounts[0].options[1]: unknown option "nope"' },
      { '{"mounts": [{"destination": "/a", "source": "/b", "options": ["bind"], '
        .. '"uidMappings": [{"containerID": 0, "hostID": 1, "size": 1}]}]}',
        "mounts[0].gidMappings: is missing" },
      { '{"mounts": [{"destination": "/", "type": "tmpfs"}]}',
        "mounts[0].destination: is the root" },
      { '{"hooks": {"prestart": [{"path": "x"}]}}', "hooks.prestart[0].path: absolute path" },
      { '{"hooks": {"poststop": [{"path": "/x", "timeout": 0}]}}', "hooks.poststop[0].timeout" },
      { '{"annotations": {"": "x"}}', "annotations" },
      { '{"annotations": {"a": 1}}', "annotations.a: string expected, got 1" },
      { '{"mounts": {"a": 1}}', "mounts: list expected" },
    }
    for _, case in ipairs(cases) do
      it("are told with their path: " .. case[2], function()
        local text = problems_of(case[1])
        assert.is_truthy(text:find(case[2], 1, true), text)
      end)
    end

    it("are all told at once", function()
      local _, err = problems_of '{"process": {"cwd": 1, "terminal": "yes"}, "hostname": []}'
      assert.are.equal(3, #err.problems)
      assert.matches("3 problems in config.json", tostring(err))
    end)

    it("count elements from 0 where the recipe counts from 1", function()
      local origins = { mounts = "mounts", ["mounts[2].target"] = "mounts[2].destination",
        ["rlimits.nofile"] = "process.rlimits[3]" }
      assert.are.equal("mounts[1].destination", config.path("mounts[2].target", origins))
      assert.are.equal("mounts[1].options[4]", config.path("mounts[2].options[5]", origins))
      assert.are.equal("process.rlimits[2].hard", config.path("rlimits.nofile.hard", origins))
      assert.are.equal("other", config.path("other", origins))
    end)
  end)

  it("takes lists of a megabyte without effort, and says what is wrong", function()
    local rows = {}
    for i = 1, 20000 do
      rows[i] = string.format('{"containerID": %d, "hostID": %d, "size": 1}', i, i)
    end
    local text = problems_of('{"linux": {"namespaces": [{"type": "mount"}, {"type": "user"}], '
      .. '"uidMappings": [' .. table.concat(rows, ",") .. "]}}")
    assert.matches("^linux.uidMappings: more than 340 ranges", text)
  end)
end)
