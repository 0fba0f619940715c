-- What a container could inherit or find: descriptors, programs, working directories, the rights
-- and settings of who started it.
local gallery = require("support.gallery")
local lfs = require("lfs")
local plain = require("support.peers").plain
local support = require("support")
local sys = require("luactr.core").sys
local world = require("support.world")

local READ <const> = "cat {host}/secret ../../../../../..{host}/secret 2>/dev/null; "

local FILES <const> = {
  support.luactr_program, support.build .. "/luactr-init", support.build .. "/lib/luactr/core.so",
}
for _, path in ipairs { "/usr/bin/lua5.4", "/usr/lib/x86_64-linux-gnu/liblua5.4.so.0" } do
  if lfs.attributes(path) then FILES[#FILES + 1] = path end
end

-- The words in front of luactr open fifty directories of the host for it.
local OPEN_DIRECTORIES <const> = { "bash", "-c",
  'for i in {10..60}; do eval "exec $i</"; done; exec "$@"', "-" }

describe("what a container inherits #attack", function()
  before_each(world.check)
  after_each(world.check)

  gallery.specs {
    attack = "inherited-descriptors", oci = plain, bwrap = plain, needs = { "program:bash" },
    bundle = { "held" },
    start = { before = OPEN_DIRECTORIES },
    script = "/bin/attack fds; for i in /proc/self/fd/* /proc/1/fd/*; do cat $i{host}/secret; done "
      .. "2>/dev/null",
    variants = {
      { label = "with an init" },
      { label = "without", fields = "init = false," },
    },
  }

  local function at(path)
    return { label = path, fields = ("cwd = %q,"):format(path) }
  end
  local places = { at "/proc/self/cwd", at "/proc/1/cwd", at "/proc/self/root/..",
    at "/proc/1/root/../..", at "/proc/self/fd/10/../.." }
  for fd = 3, 12 do places[#places + 1] = at("/proc/self/fd/" .. fd) end
  gallery.specs {
    attack = "cwd-through-descriptor", needs = { "program:bash" },
    oci = function(config) config.process.cwd = "/proc/self/fd/10" end,
    bundle = { "refused", "change to the directory /proc/self/fd/10; ENOENT" },
    bwrap = function() return { "--chdir", "/proc/self/fd/10" } end,
    start = { before = OPEN_DIRECTORIES }, script = READ .. "ls -l",
    fields = 'sysctl = { ["net.ipv4.ip_default_ttl"] = 77 }, oom_score_adj = 500,',
    variants = places, twin = { fields = "", oci = plain },
  }

  gallery.specs {
    attack = "cwd-through-symlink",
    oci = function(config) config.process.cwd = "/run/new" end,
    bundle = { "refused", "change to the directory /run/new; ENOENT" },
    bwrap = function() return { "--chdir", "/run/new" } end,
    script = READ .. "cat secret 2>/dev/null; pwd",
    fields = 'cwd = "/run/new",',
    image = function(_, place)
      assert(sys.symlink(place.host, place.image .. "/run/new"))
    end,
    twin = { expect = "\n/run/new\n",
      image = function(_, place) assert(lfs.mkdir(place.image .. "/run/new")) end },
  }

  local function program(path)
    return { label = path, fields = ('command = { %q, "x" },'):format(path) }
  end
  gallery.specs {
    attack = "command-through-descriptor", needs = { "program:bash" }, watch = FILES,
    start = { before = { "bash", "-c", 'for i in {3..9}; do eval "exec $i</bin/busybox"; done; '
      .. 'exec "$@"', "-" } },
    variants = { program "/proc/self/exe", program "/proc/self/fd/3", program "/proc/self/fd/4",
      program "/proc/self/fd/5", program "/proc/self/fd/6", program "/proc/1/exe" },
    twin = { fields = 'command = { "/bin/busybox", "echo", "inside" },' },
  }

  gallery.specs {
    attack = "self-exe", oci = plain, bwrap = plain, watch = FILES, bundle = { "held" },
    script = "/bin/attack exe 0.2 & /bin/attack exe 0.2; wait",
    variants = {
      { label = "a loop over /proc" },
      { label = "a loop over /proc, all capabilities", fields = 'capabilities = "all",' },
      { label = "a loop over /proc, without an init", fields = "init = false," },
      { label = "a script for /proc/self/exe", fields = 'command = { "/bin/evil" },',
        image = function(_, place)
          support.write(place.image .. "/bin/evil", "#!/proc/self/exe\n")
          assert(sys.chmod(place.image .. "/bin/evil", "0755"))
        end },
    },
  }

  gallery.specs {
    attack = "init-memory", bwrap = plain,
    control = 'capabilities = "all", seccomp = "unconfined",', script = [[
for file in maps mem environ auxv exe; do
  [ -z "$(head -c 1 /proc/1/$file 2>/dev/null)" ] || echo "escaped: /proc/1/$file can be read"
done
for link in /proc/1/fd/* /proc/1/map_files/* /proc/1/exe; do
  readlink $link && echo "escaped: $link shows where it leads"
done
/bin/attack trace 1]],
  }

  gallery.specs {
    attack = "settings-of-the-caller", oci = plain, bwrap = plain, needs = { "program:setpriv" },
    bundle = { "held", "\n0022\n" },
    start = { before = { "sh", "-c", 'umask 0; trap "" HUP INT PIPE; exec "$@"', "-" } },
    script = [[
umask
grep -E '^Sig(Blk|Ign):.*[1-9a-f]' /proc/self/status && echo "escaped: signals are inherited"
[ "$(umask)" = 0022 ] || echo "escaped: the umask is $(umask)"]],
  }

  gallery.specs {
    attack = "environment-of-the-caller", control = 'env = { "HOST_VARIABLE" },',
    start = { env = { HOST_VARIABLE = "{secret}" } },
    script = "env; cat /proc/self/environ /proc/1/environ",
    variants = {
      { label = "nothing said" },
      { label = "a star", fields = 'env = { "*" },' },
      { label = "a prefix", fields = 'env = { "HOST", HOST_ = true, ["HOST_VARIABLE "] = true },' },
    },
  }

  gallery.specs {
    attack = "capabilities-of-the-caller", user = false, oci = plain, bwrap = plain,
    bundle = { "held" },
    needs = { "program:setpriv" },
    start = { before = { "setpriv", "--inh-caps", "+net_raw,+sys_admin,+chown",
      "--ambient-caps", "+net_raw,+sys_admin",
      "--" } },
    script = [[
grep -E '^Cap(Inh|Amb):.*[1-9a-f]' /proc/self/status && echo "escaped: rights are inherited"]],
    variants = {
      { label = "root" },
      { label = "another user", fields = "user = 1000," },
      { label = "another user who may gain", fields = "user = 1000, no_new_privileges = false," },
    },
  }

  -- vfs_cap_data of revision 2: a flag for "effective", then permitted and inheritable bits.
  local CAPABLE <const> = ("<I4I4I4I4I4"):pack(0x02000001, 1 << 13 | 1, 1 << 13 | 1, 0, 0)
  local HERITABLE <const> = ("<I4I4I4I4I4"):pack(0x02000001, 0, 1 << 13 | 1, 0, 0)

  local function programs_with(capabilities)
    return function(_, place)
      local text = support.read(place.image .. "/bin/attack")
      for name, mode in pairs { setuid = "6755", capable = "0755" } do
        local path = ("%s/bin/%s"):format(place.image, name)
        support.write(path, text)
        assert(sys.chmod(path, mode))
        if name == "capable" then
          assert(sys.setxattr(path, "security.capability", capabilities))
        end
      end
    end
  end

  local MAY_GAIN <const> = "user = 1000, no_new_privileges = false, "
  gallery.specs {
    attack = "privileged-programs", user = false, oci = function(config, place)
      config.process.user = { uid = 1000, gid = 1000 }
      support.must { "chown", "1000", place.image .. "/tmp" }
    end,
    bundle = { "held" },
    fields = "user = 1000,", image = programs_with(CAPABLE), control = MAY_GAIN,
    script = "/bin/setuid gained; /bin/capable gained", twin = { script = "/bin/attack gained" },
    variants = {
      { label = "with capabilities" },
      { label = "with heritable capabilities", image = programs_with(HERITABLE) },
      { label = "with heritable ones, for who may gain", image = function(_, place)
        programs_with(HERITABLE)(_, place)
        assert(sys.chmod(place.image .. "/bin/setuid", "0755"))
      end, fields = MAY_GAIN },
    },
  }

  gallery.specs {
    attack = "groups-of-the-caller", user = false, oci = plain, bwrap = plain,
    bundle = { "held" },
    needs = { "program:setpriv" },
    start = { before = { "setpriv", "--groups", "4,5,20", "--" } },
    script = '[ "$(id -G)" = 0 ] || echo "escaped: in groups $(id -G)"',
    variants = {
      { label = "root" },
      { label = "listed ones", fields = "groups = { 7 },",
        script = '[ "$(id -G)" = "0 7" ] || echo "escaped: in groups $(id -G)"' },
    },
  }
end)

-- Seen from the host: what the processes of a container hold while it runs.
describe("a running container holds nothing of the host #attack", function()
  local it = support.it(it, pending, "root", "program:gcc")

  before_each(world.check)
  after_each(world.check)

  local function links(pid, directory)
    local found = {}
    for name in lfs.dir(("/proc/%d/%s"):format(pid, directory)) do
      if name:find("^[%x]") then
        found[name] = lfs.symlinkattributes(("/proc/%d/%s/%s"):format(pid, directory, name),
          "target")
      end
    end
    return found
  end

  local ALLOWED <const> = { "^socket:", "^pipe:", "^/dev/null$" }

  local function is_allowed(target)
    for _, pattern in ipairs(ALLOWED) do
      if target:find(pattern) then return true end
    end
    return false
  end

  local function audit(process, image)
    local pid = process.host_pid
    for fd, target in pairs(links(pid, "fd")) do
      assert.is_true(is_allowed(target), ("%s: fd %s is %s"):format(process.command, fd, target))
    end
    for range, target in pairs(links(pid, "map_files")) do
      local own = target:find("^/memfd:luactr%-init") or target:find("^/bin/busybox")
      assert.is_truthy(own or target:find("^/tmp/luactr%-spec"), range .. " is " .. target)
    end
    for _, name in ipairs { "root", "cwd" } do
      local seen = lfs.attributes(("/proc/%d/%s/bin/attack"):format(pid, name), "ino")
      assert.equal(lfs.attributes(image .. "/bin/attack", "ino"), seen, name)
    end
  end

  local cases = {
    ["with an init"] = {},
    ["without an init"] = { init = false },
    ["as another user"] = { user = 1000 },
    ["with everything that opens something"] = {
      sysctl = { ["net.ipv4.ip_default_ttl"] = 77 }, oom_score_adj = 500,
      limits = { memory = "64M", pids = 20 }, masked_paths = { "/etc", "/home", "/etc/passwd" },
    },
  }
  for what, fields in pairs(cases) do
    it(what, function()
      local place <close> = gallery.place()
      local recipe = { rootfs = place.image, stdin = "null", stdout = "capture", stderr = "capture",
        command = { "/bin/busybox", "sleep", "1000" } }
      for name, value in pairs(fields) do recipe[name] = value end
      local box <close> = require("luactr").container(recipe)
      assert(box:start())
      local processes = box:processes()
      assert.equal(fields.init == false and 1 or 2, #processes)
      for _, process in ipairs(processes) do audit(process, place.image) end
    end)
  end
end)

-- The container's own users and processes are joined, and it looks at whoever comes.
describe("who is joined finds nothing of luactr #attack", function()
  local it = support.it(it, pending, "root", "program:gcc")
  local STARTS <const> = os.getenv("LUACTR_GALLERY") == "quick" and 4 or 20

  before_each(world.check)
  after_each(world.check)

  local function start(place, name, fields)
    fields.name, fields.rootfs, fields.stdin = name, place.image, "null"
    fields.stdout, fields.stderr = "capture", "capture"
    return require("luactr").container(fields)
  end

  for what, users in pairs { ["with its users"] = "new", ["as the host's root"] = "host" } do
    it(what, function()
      local place <close> = gallery.place()
      local hunter <close> = start(place, support.name "hunter", { namespaces = { user = users },
        capabilities = users == "new" and "all" or nil, seccomp = "unconfined",
        command = { "/bin/attack", "hunt" } })
      assert(hunter:start())
      local joins = { pid = "container:" .. support.name "hunter" }
      joins.user = users == "new" and "container:" .. support.name "hunter" or nil
      for _ = 1, STARTS do
        local box = start(place, support.name "prey", { namespaces = joins, sysctl = {
          ["net.ipv4.ip_default_ttl"] = 77 }, command = { "/bin/busybox", "true" } })
        assert.equal(0, assert(box:run()).exit_code)
      end
      hunter:kill "KILL"
      assert.equal("", hunter:wait().stdout)
    end)
  end
end)
