-- Options of docs/options.md that no other spec looks at, as a program inside finds them.
local ctr = require("luactr")
local support = require("support")
local world = require("support.world")

local it = support.it(it, pending, "root", "file:/bin/busybox")

local CPUS <const> = support.read("/sys/devices/system/cpu/online")
local LAST_CPU <const> = CPUS:match("(%d+)%s*$")

-- What it is, the fields, what the shell does, what it prints.
local CASES <const> = {
  { "a procfs that hides the processes of others",
    { user = 1000, mounts = { ctr.mount("proc", "proc", "/proc", { "ro", "hidepid=2" }) } },
    "test -d /proc/1 || echo hidden; test -d /proc/$$ && echo own", "hidden\nown\n" },
  { "no procfs", { mounts = { ctr.tmpfs("/proc", "0", { ro = true }) } },
    "ls /proc | wc -l", "0\n" },
  { "a mount that is changed",
    { mounts = { { type = "tmpfs", target = "/dev/shm", options = { "remount", "ro" } } } },
    "touch /dev/shm/x 2>/dev/null || echo refused", "refused\n" },
  { "shared memory of another size", { mounts = { ctr.tmpfs("/dev/shm", "1M") } },
    "df -k /dev/shm | awk 'NR == 2 { print $2 }'", "1024\n" },
  { "CPUs of the start and of the program",
    { cpu_affinity = { initial = "0", final = LAST_CPU } },
    "grep Cpus_allowed_list /proc/self/status", "Cpus_allowed_list:\t" .. LAST_CPU .. "\n" },
  { "errors among the output", { stderr = "stdout" }, "echo a; echo b >&2", "a\nb\n" },
  { "a machine of 32 bits without ASLR", { personality = { "no_aslr", "linux32" } },
    "cat /proc/self/personality", "00040008\n" },
  { "root that is nobody special", { securebits = { "noroot" } },
    "grep CapEff /proc/self/status", "CapEff:\t0000000000000000\n" },
  { "calls that luactr does not know",
    { seccomp = { base = "default", skip_unknown = true,
      rules = { { names = { "no_such_call" }, action = "EPERM" } } } }, "echo runs", "runs\n" },
  { "a device of the host", { devices = { "/dev/kmsg" } },
    "stat -c '%F %t:%T' /dev/kmsg", "character special file 1:b\n" },
  { "a domain name", { domainname = "example" }, "cat /proc/sys/kernel/domainname", "example\n" },
  { "a size of files", { rlimits = { fsize = 0 } },
    "exec 2>/dev/null; (echo x > /dev/shm/x); echo $?", "153\n" }, -- 128 + SIGXFSZ
}

describe("an option #system", function()
  local dir

  setup(function()
    dir = support.tmpdir()
    dir:mkdir("root/bin")
    support.write(dir.path .. "/root/bin/busybox", support.read("/bin/busybox"))
    support.must { "chmod", "755", dir.path .. "/root/bin/busybox" }
    for _, name in ipairs { "ls", "touch", "grep", "cat", "df", "awk", "wc", "stat", "echo" } do
      support.symlink("busybox", dir.path .. "/root/bin/" .. name)
    end
  end)

  teardown(function() dir:close() end)

  before_each(world.check)
  after_each(world.check)

  for _, case in ipairs(CASES) do
    it("is " .. case[1], function()
      local fields = { rootfs = dir.path .. "/root", stdin = "null", stdout = "capture",
        stderr = case[2].stderr or "capture", env = { PATH = "/bin" },
        command = { "/bin/busybox", "sh", "-c", case[3] } }
      for name, value in pairs(case[2]) do fields[name] = value end
      local result = assert(ctr.run(fields))
      assert.same({ case[4], "" }, { result.stdout, result.stderr or "" })
    end)
  end
end)
