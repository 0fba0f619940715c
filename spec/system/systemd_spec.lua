-- Scopes of a real systemd's, which is PID 1 of a room of its own (spec/support/room).

local engines = require("support.engines")
local support = require("support")

-- On cgroup v1, where systemd may remove a directory before the container is in it, they are for
-- scripts/test --engines alone: that its start tries again then is seen by cgroup_spec.
local NEEDS <const> = { "root", "program:systemctl", "file:/lib/systemd/systemd",
  "program:busybox", not engines.wanted and "layout:v2" or nil }

local it = support.it(it, pending, table.unpack(NEEDS))

local CONFIG <const> = [[{
  "ociVersion": "1.2.0",
  "annotations": { "org.systemd.property.TimeoutStopSec": "uint64 7" },
  "root": { "path": "../root" },
  "mounts": [ { "destination": "/proc", "type": "proc", "source": "proc" } ],
  "process": { "cwd": "/", "args": ["sleep", "1000"], "user": { "uid": 0, "gid": 0 },
    "env": ["PATH=/bin"] },
  "linux": { "namespaces": [ { "type": "mount" }, { "type": "pid" }, { "type": "cgroup" } ],
    "cgroupsPath": %s, "resources": { "memory": { "limit": 67108864 }, "pids": { "limit": 40 } } }
}]]

describe("a scope of systemd's #system #systemd #engines", function()
  local room, top

  setup(function()
    if not support.lacks(table.unpack(NEEDS)) then
      room = engines.room "systemd"
      top = room:must { "systemctl", "show", "--property=ControlGroup", "--value" }
    end
  end)

  -- Of the room itself nothing can be left: what is in there ends with it, and its cgroups must be
  -- empty then.
  teardown(function()
    if room then room:close() end
  end)

  local function luactr(...) return room:run { support.luactr_program, ... } end

  local function must(...) return room:must { support.luactr_program, ... } end

  local function show(unit, ...)
    local words = { "systemctl", "show", unit, "--timestamp=unix" }
    for _, name in ipairs { ... } do words[#words + 1] = "--property=" .. name end
    local values = {}
    for name, value in room:must(words):gmatch("([^\n=]+)=([^\n]*)") do values[name] = value end
    return values
  end

  local function is_gone(unit)
    engines.await(unit .. " to go", function()
      return show(unit, "ActiveState").ActiveState == "inactive"
        and show(unit, "LoadState").LoadState == "not-found"
    end)
  end

  local function recipe(name, fields)
    return room.dir:write(name .. ".lua", ([[
      local ctr = require "luactr"
      return ctr.container { name = "%s", rootfs = "%s/root", namespaces = { cgroup = "host" }, %s }
    ]]):format(name, room.dir.path, fields))
  end

  describe("in a recipe", function()
    it("has the container in it, by the names that are given #layout", function()
      local path = recipe("names", [[scope = { slice = "spec-a.slice", name = "web.scope" },
        limits = { memory = "64M" }, command = { "cat", "/proc/self/cgroup" }]])
      local cgroups, place = must(path), top .. "/spec.slice/spec-a.slice/web.scope/container"
      assert.matches(":" .. place .. "\n", cgroups .. "\n", 1, true)
      for line in cgroups:gmatch("[^\n]+") do
        local found = line:match(":(/.*)$")
        -- systemd's own hierarchy of v1 knows no other directory, and luactr uses not all of them
        assert.is_truthy(found == place or found .. "/container" == place or found == "/",
          line .. " not " .. place)
      end
      is_gone "web.scope"
    end)

    it("has properties for the limits, and those that are given", function()
      local path = recipe("limits", [[limits = { memory = "64M", pids = 40, cpu = 0.5,
          cpu_weight = 200, cpus = "0" },
        scope = { name = "limits.scope", properties = { TimeoutStopSec = "5" } },
        command = { "sleep", "1000" }]])
      local running <close> = room:start { support.luactr_program, path }
      engines.await("limits.scope", function()
        return show("limits.scope", "ActiveState").ActiveState == "active"
      end)
      assert.same({ MemoryMax = "67108864", TasksMax = "40", CPUQuotaPerSecUSec = "500ms",
        CPUWeight = "200", Slice = "system.slice", Delegate = "yes", TimeoutStopUSec = "5s" },
        show("limits.scope", "MemoryMax", "TasksMax", "CPUQuotaPerSecUSec", "CPUWeight", "Slice",
          "Delegate", "TimeoutStopUSec"))
      room:must { "systemctl", "stop", "limits.scope" }
      running:wait()
      is_gone "limits.scope"
    end)

    it("is refused with systemd's words, and nothing is left", function()
      local path = recipe("wrong", [[scope = { name = "wrong.scope",
        properties = { Nonsense = "true" } }, command = { "true" }]])
      local result = luactr(path)
      assert.equal(125, result.code)
      assert.matches("cannot start \"wrong\": cannot ask systemd: StartTransientUnit: .*Nonsense",
        result.stderr)
      is_gone "wrong.scope"
    end)

    it("is refused when it has a monitor", function()
      local path = recipe("apart", [[scope = true, command = { "true" }]])
      local result = luactr("run", "-d", path)
      assert.equal(125, result.code)
      assert.matches("systemd removes a scope with its last process", result.stderr)
    end)
  end)

  describe("of a user's own", function()
    local START <const> = [[
      umount /proc/sys # where it is covered, a user namespace has no proc
      mkdir -m 700 /run/own && chown 65534 /run/own
      exec systemd-run --quiet --uid=65534 -p Delegate=yes -p DefaultDependencies=no --unit=own \
        --setenv=XDG_RUNTIME_DIR=/run/own --setenv=container=luactr \
        --setenv=SYSTEMD_UNIT_PATH=/run/own/systemd/transient:/run/.units \
        /lib/systemd/systemd --user --unit=room.target --log-target=null
    ]]

    -- Without the system's bus a user's systemd moves processes only below its own cgroup.
    local RUN <const> = [[
      for point in /sys/fs/cgroup /sys/fs/cgroup/unified /sys/fs/cgroup/systemd; do
        own=$point/system.slice/own.service
        [ ! -e $own ] || { mkdir -p $own/work && echo $$ > $own/work/cgroup.procs; }
      done
      exec setpriv --reuid 65534 --regid 65534 --clear-groups \
        env HOME=/tmp XDG_RUNTIME_DIR=/run/own "$@"
    ]]

    it("is there for who is not root, with what that has been given #layout", function()
      support.needs "stranger"
      room:must { "sh", "-c", START }
      engines.await("the user's systemd", function()
        return room:run({ "test", "-S", "/run/own/systemd/private" }).code == 0
      end)
      support.must { "chmod", "0755", room.dir.path }
      local path = room.dir:write("own.lua", ([[
        local ctr = require "luactr"
        return ctr.container { name = "own", rootfs = ctr.rootfs.host { "cat" },
          namespaces = { cgroup = "host" }, scope = { name = "own.scope" }, %s
          command = { "cat", "/proc/self/cgroup" } }
      ]]):format(support.layout() == "v2" and "limits = { pids = 40 }," or ""), "0644")
      local cgroups = room:must { "sh", "-c", RUN, "sh", support.luactr_program, path }
      assert.matches("/system.slice/own.service/app.slice/own.scope/container", cgroups, 1, true)
    end)
  end)

  describe("of a bundle", function()
    local function bundle(name, cgroups_path)
      room.dir:write(name .. "/config.json", CONFIG:format(cgroups_path))
      return room.dir.path .. "/" .. name
    end

    local function oci(...) return must("oci", "--systemd-cgroup", ...) end

    it("is there from create to the end of the container #layout", function()
      oci("create", "--bundle", bundle("one", '"spec-b.slice:eng:one"'), "one")
      local there = show("eng-one.scope", "ActiveState", "MemoryMax", "TasksMax", "Slice",
        "TimeoutStopUSec", "ControlGroup")
      assert.same({ ActiveState = "active", MemoryMax = "67108864", TasksMax = "40",
        Slice = "spec-b.slice", TimeoutStopUSec = "7s",
        ControlGroup = top .. "/spec.slice/spec-b.slice/eng-one.scope" }, there)
      oci("start", "one")
      assert.matches('"running"', oci("state", "one"))
      oci("delete", "--force", "one")
      is_gone "eng-one.scope"
    end)

    it("has a name of luactr's where config.json has no cgroupsPath", function()
      oci("run", "--detach", "--bundle", bundle("two", '""'), "two")
      assert.equal("system.slice", show("luactr-two.scope", "Slice").Slice)
      local result =
        luactr("oci", "--systemd-cgroup", "create", "--bundle", room.dir.path .. "/two", "two")
      assert.not_equal(0, result.code)
      oci("kill", "two", "KILL")
      is_gone "luactr-two.scope"
      oci("delete", "two")
    end)

    it("has other limits after an update, which a reload keeps", function()
      oci("run", "--detach", "--bundle", bundle("three", '":eng:three"'), "three")
      must("update", "three", "memory=32M")
      assert.equal("33554432", show("eng-three.scope", "MemoryMax").MemoryMax)
      room:must { "systemctl", "daemon-reload" }
      assert.equal("33554432", show("eng-three.scope", "MemoryMax").MemoryMax)
      oci("delete", "--force", "three")
      is_gone "eng-three.scope"
    end)

    it("is not made by a path that is none of systemd's", function()
      local result = luactr("oci", "--systemd-cgroup", "create", "--bundle",
        bundle("four", '"/a/b"'), "four")
      assert.not_equal(0, result.code)
      assert.matches('linux.cgroupsPath: for systemd "slice:prefix:name" is expected',
        result.stderr, 1, true)
    end)

    it("is refused while another has its name", function()
      oci("run", "--detach", "--bundle", bundle("five", '":eng:same"'), "five")
      local result = luactr("oci", "--systemd-cgroup", "create", "--bundle",
        bundle("six", '":eng:same"'), "six")
      assert.not_equal(0, result.code)
      assert.matches("eng-same.scope", result.stderr, 1, true)
      assert.equal("active", show("eng-same.scope", "ActiveState").ActiveState)
      oci("delete", "--force", "five")
      is_gone "eng-same.scope"
    end)
  end)
end)
