-- Without root: a user namespace with one id, and what is refused then.

local lfs = require("lfs")
local support = require("support")
local world = require("support.world")
local cgroup = require("luactr.cgroup")
local group = require("support.group")
local process = require("support.process")
local sys = require("luactr.sys")

local it = support.it(it, pending, "root", "stranger") -- to become somebody else

local USER <const> = support.stranger
local NUMBER <const> = tostring(USER)
local BUSYBOX <const> = "/bin/busybox"

--- Run a recipe as a user without rights, with a runtime directory of its own.
local function run_recipe(text)
  local dir <close> = support.tmpdir()
  local recipe = dir:write("recipe.lua", text)
  local runtime = dir:mkdir "run"
  support.must { "chown", USER, runtime }
  local result = support.luactr { recipe, user = USER, env = { XDG_RUNTIME_DIR = runtime } }
  result.left = lfs.attributes(runtime .. "/luactr/containers", "nlink")
  return result
end

local function recipe(fields)
  return ([[
    local ctr = require "luactr"
    return ctr.container { rootfs = ctr.rootfs.host { "sh", "id", "cat" }, %s }
  ]]):format(fields)
end

-- What busybox's shell prints in a container on a directory, or the error.
local function shown(fields, script)
  local dir <close> = support.tmpdir()
  dir:mkdir "root/bin"
  dir:mkdir "data"
  dir:write("data/mine", "mine\n")
  support.copy(BUSYBOX, dir .. "/root/bin/busybox")
  support.must { "chown", "-R", USER, dir.path }
  local result = run_recipe(([[
    local ctr = require "luactr"
    local function words(text) return { "/bin/busybox", "sh", "-c", text } end
    return ctr.container { rootfs = %q, command = words %q, %s }
  ]]):format(dir .. "/root", script, (fields:gsub("DATA", dir .. "/data"))))
  return result.stderr ~= "" and result.stderr or result.stdout, dir
end

describe("a container without root #system", function()
  before_each(world.check)
  after_each(world.check)

  it("is root of its own user namespace, and that user outside", function()
    local result =
      run_recipe(recipe [[ command = { "sh", "-c", "id -u; cat /proc/self/uid_map" } ]])
    assert.equal("", result.stderr)
    local id, inside, outside, count = result.stdout:match("^(%d+)\n%s*(%d+)%s+(%d+)%s+(%d+)\n$")
    assert.same({ "0", "0", tostring(USER), "1" }, { id, inside, outside, count })
  end)

  it("passes on its status and leaves no state", function()
    local result = run_recipe(recipe [[ command = { "sh", "-c", "exit 9" } ]])
    assert.same({ 9, 2 }, { result.code, result.left })
  end)

  it("is refused a limit that is not delegated, by the limit's name", function()
    local result = run_recipe(recipe [[ command = { "sh" }, limits = { memory = "64M" } ]])
    assert.equal(125, result.code)
    assert.is_truthy(result.stderr:find("limits.memory", 1, true))
    assert.is_truthy(result.stderr:find("delegated", 1, true))
  end)

  -- What a root container can, and how that is seen from inside.
  local cases <const> = {
    { "runs on a directory of its own", "", "busybox touch /new; busybox ls /new; busybox id -u",
      "/new\n0\n" },
    { "may keep it from being changed", "readonly = true", "busybox touch /new 2>&1",
      "touch: /new: Read-only file system\n" },
    { "is any one user", "user = '12:34', groups = 'keep'", "busybox id",
      "uid=12 gid=34\n" },
    { "mounts what that user may read", "mounts = { ctr.bind('DATA', '/d'),"
      .. "ctr.tmpfs('/t', '1M'), ctr.file('/f', 'text') }",
      "busybox cat /d/mine /f; busybox df -k /t | busybox awk 'NR == 2 { print $2 }'",
      "mine\ntext1024\n" },
    { "changes nothing below a read-only bind",
      "mounts = { ctr.bind('DATA', '/d', { ro = true }) }",
      "busybox touch /d/x 2>&1", "touch: /d/x: Read-only file system\n" },
    { "has names, a network and queues of its own",
      "hostname = 'h', sysctl = { ['net.ipv4.ip_forward'] = 1, ['kernel.shmmax'] = 5000 }",
      "busybox hostname; busybox ip -o addr | busybox wc -l; cd /proc/sys;"
      .. "busybox cat net/ipv4/ip_forward kernel/shmmax", "h\n2\n1\n5000\n" },
    { "is PID 1 without an init", "init = false", "echo $$", "1\n" },
    { "sees its own processes alone", "", "set -- /proc/[0-9]*; echo $#", "2\n" },
    { "has the devices that everybody has", "", "echo x >/dev/null; "
      .. "busybox head -c 3 /dev/zero | busybox wc -c; busybox ls /dev | busybox wc -l",
      "3\n14\n" },
    { "is filtered", "", "busybox awk '/^Seccomp:/ { print $2 }' /proc/self/status;"
      .. "busybox unshare -U true 2>&1",
      "2\nunshare: unshare(0x10000000): Operation not permitted\n" },
    { "has limits of the process", "rlimits = { nofile = 33 }, oom_score_adj = 500",
      "ulimit -n; busybox cat /proc/self/oom_score_adj", "33\n500\n" },
    { "shares a network by word", "network = 'host'",
      "busybox ls /sys/class/net | busybox grep -c lo",
      "1\n" },
    { "shares other namespaces by word", "namespaces = { 'mount', 'user' }",
      "set -- /proc/[0-9]*; [ $# -gt 5 ] && echo many",
      "many\n" },
    { "is root with all capabilities that mean nothing outside", "capabilities = 'all'",
      "busybox awk '/CapEff/ { print $2 != \"0000000000000000\" }' /proc/self/status;"
      .. "busybox chown 1:1 /bin/busybox 2>&1", "1\nchown: /bin/busybox: Invalid argument\n" },
  }
  for _, case in ipairs(cases) do
    it(case[1], function()
      assert.equal(case[4], (shown(case[2], case[3])))
    end)
  end

  -- user_namespaces(7): a user that could leave a group could read what is kept from that group.
  it("leaves no group, and so gains nothing that the group is kept from", function()
    local dir <close> = support.tmpdir()
    local kept <const> = 54321
    local file = dir:write("file", "secret\n", "0604")
    assert(sys.chown(file, 0, kept))
    local runtime = dir:mkdir "run"
    assert(sys.chown(runtime, USER, USER))
    local path = dir:write("recipe.lua", ([[
      local ctr = require "luactr"
      return ctr.container { rootfs = ctr.rootfs.host { "cat" }, seccomp = "unconfined",
        mounts = { ctr.bind(%q, "/file") }, command = { "cat", "/file" } }
    ]]):format(file))
    local function read_in(groups)
      return support.run { "setpriv", "--reuid", NUMBER, "--regid", NUMBER, groups, "env",
        "XDG_RUNTIME_DIR=" .. runtime, support.luactr_program, path }
    end
    assert.equal("secret\n", read_in("--clear-groups").stdout)
    local refused = read_in("--groups=" .. kept)
    assert.same({ "", "cat: /file: Permission denied\n" }, { refused.stdout, refused.stderr })
  end)

  it("copies programs of the host into its own directory", function()
    local result = run_recipe [[
      local ctr = require "luactr"
      return ctr.container { rootfs = ctr.rootfs.host { "id", copy = true },
        command = { "id", "-u" } }
    ]]
    assert.same({ "0\n", "", 2 }, { result.stdout, result.stderr, result.left })
  end)

  it("ends by the supervisor's limits", function()
    local result = run_recipe [[
      local ctr = require "luactr"
      local result = assert(ctr.run { rootfs = ctr.rootfs.host { "sleep" },
        command = { "sleep", "60" }, limits = { wall_time = "200ms" } })
      print(result.reason)
    ]]
    assert.same({ "wall_time\n", "" }, { result.stdout, result.stderr })
  end)

  local function joined(fields)
    return run_recipe(([[
      local ctr = require "luactr"
      local root = ctr.rootfs.host { "sh", "sleep", "cat" }
      local other <close> = ctr.container { name = "joined", rootfs = root,
        command = { "sleep", "1000" } }
      assert(other:start())
      local result, err = ctr.run { name = "joiner", rootfs = root, %s }
      print(result and result.exit_code or err)
    ]]):format(fields))
  end

  it("joins the users of another, and so what belongs to them", function()
    local result = joined [[ command = { "sh", "-c", "cat /proc/1/comm; (sleep 1000 &); exit 3" },
      namespaces = { user = "container:joined", pid = "container:joined",
        network = "container:joined" } ]]
    assert.same({ "luactr-init\n3\n", "", 2 }, { result.stdout, result.stderr, result.left })
  end)

  for fields, message in pairs {
    ['namespaces = { pid = "container:joined" }'] =
      'or join that as well: user = "container:joined"',
    ['namespaces = { user = "container:joined" }, clock = { boottime = "1d" }'] =
      "only root can set clocks for the users of another container",
  } do
    it("is told what it cannot join: " .. fields, function()
      local result = joined(fields .. ', command = { "sh" }')
      assert.is_truthy(result.stdout:find(message, 1, true), result.stdout .. result.stderr)
    end)
  end

  local refusals <const> = {
    { "groups = { 5 }",
      'groups: cannot be set in a user namespace with one group: say idmap = "range"' },
    { "devices = { { path = '/dev/null', type = 'c', major = 1, minor = 5 } }",
      "/dev/null" },
    { "oom_score_adj = -500", "only root may make a process less likely to be killed" },
    { "namespaces = { user = 'host' }",
      "luactr is not root, and the recipe wants no user namespace" },
  }
  for _, case in ipairs(refusals) do
    it("is refused, with the reason: " .. case[1], function()
      local text = shown(case[1], "true")
      assert.is_truthy(text:find(case[2], 1, true), text)
    end)
  end

  it("has a terminal of its own", function()
    local dir <close> = support.tmpdir()
    local runtime = dir:mkdir "run"
    support.must { "chown", USER, runtime }
    local path = dir:write("recipe.lua", recipe [[ command = { "sh", "-c", "tty; stty size" },
      rootfs = ctr.rootfs.host { "sh", "tty", "stty" } ]])
    local shell <close> = process.start { "setpriv", "--reuid", NUMBER, "--regid", NUMBER,
      "--clear-groups", "--", "env", "XDG_RUNTIME_DIR=" .. runtime, support.luactr_program, path,
      tty = { rows = 33, columns = 44 } }
    shell:expect("/dev/pts/0")
    shell:expect("33 44")
    assert.equal(0, shell:wait().code)
  end)

  it("has the limits of a cgroup that was handed over", function()
    local dir <close> = support.tmpdir()
    local runtime = dir:mkdir "run"
    assert(sys.chown(runtime, USER, USER))
    local path = dir:write("recipe.lua", [[
      local ctr = require "luactr"
      local box <close> = ctr.container { rootfs = ctr.rootfs.host { "sleep" },
        command = { "sleep", "60" }, limits = { pids = 7 } }
      assert(box:start())
      local groups = io.open("/proc/" .. box:pid() .. "/cgroup"):read("a")
      local v1 = groups:match(":pids:(%S+)")
      local file = v1 and "/sys/fs/cgroup/pids" .. v1
        or "/sys/fs/cgroup" .. groups:match("0::(%S+)")
      assert(io.open(file .. "/pids.max"):read("a") == "7\n")
    ]])
    local layout = cgroup.detect()
    local outer <close> = assert(cgroup.open((assert(cgroup.compile({ pids = 50 }, layout,
      "spec-" .. sys.getpid())))))
    for _, directory in ipairs(outer:paths()) do
      for _, file in ipairs { "", "/cgroup.procs", "/tasks", "/cgroup.subtree_control" } do
        sys.chown(directory.path .. file, USER, USER)
      end
    end
    assert.equal(0, group.run(outer, function()
      assert(sys.exec("/usr/bin/setpriv", { "setpriv", "--reuid", NUMBER, "--regid", NUMBER,
        "--clear-groups", "--", "env", "XDG_RUNTIME_DIR=" .. runtime, support.luactr_program,
        path }))
    end))
  end)
end)
