-- What a container could reach of the kernel and of other processes: files of procfs and sysfs,
-- cgroups, devices, sockets, signals, system calls.
local gallery = require("support.gallery")
local plain = require("support.peers").plain
local support = require("support")
local sys = require("luactr.core").sys
local world = require("support.world")

-- Opened for appending, never written; without a fork for each of hundreds.
local WRITABLE <const> = [[
for file in /proc/sysrq-trigger /proc/sys/kernel/core_pattern /proc/sys/kernel/modprobe \
  /proc/sys/kernel/hostname /proc/sys/vm/drop_caches /proc/sys/fs/binfmt_misc/register \
  /proc/irq/default_smp_affinity /sys/kernel/uevent_helper /sys/power/state /sys/kernel/mm/ksm/run \
  /sys/module/*/parameters/* /sys/fs/cgroup/release_agent /sys/fs/cgroup/*/release_agent; do
  [ -e $file ] && true >> $file && echo "escaped: $file opens for writing"
done
]]

local READABLE <const> = [[
for file in /proc/kcore /proc/keys /proc/timer_list /proc/sched_debug /proc/interrupts; do
  [ -n "$(head -c 1 $file 2>/dev/null)" ] && echo "escaped: $file can be read"
done
for directory in /proc/acpi /proc/scsi /proc/asound /sys/firmware; do
  [ -n "$(ls $directory 2>/dev/null)" ] && echo "escaped: $directory shows what is in it"
done
]]

local UNDO <const> = [[
umount /proc/kcore; umount -l /proc/keys; umount /proc/sys; umount -l /sys/firmware; umount -l /proc
mount -o remount,rw /proc/sys; mount -o remount,rw,bind /proc/sys; mount -o remount,rw /sys
mount -o bind /proc/sys /tmp; mount -o move /proc/kcore /tmp; mount -t proc proc /tmp
mount -t sysfs sysfs /tmp; mount -t tmpfs t /tmp; mount -t devtmpfs t /tmp; unshare -m true
unshare -r mount -t proc proc /tmp
]]

-- With rights over everything but what the filter keeps.
local ALL <const> = 'capabilities = "all",'

local function quiet(script) return "{ " .. script .. "} 2>/dev/null\n" end

local RELEASE_AGENT <const> = [[
agent() {
  echo {host}/owned > $1/release_agent && echo "escaped: $1/release_agent is mine"
  mkdir $1/x && echo 1 > $1/x/notify_on_release && echo "escaped: a cgroup of the host is mine"
}
for kind in memory rdma cpu; do
  mkdir -p /tmp/$kind
  mount -t cgroup -o $kind x /tmp/$kind && agent /tmp/$kind
  unshare -r mount -t cgroup -o $kind x /tmp/$kind && agent /tmp/$kind
done
for top in /sys/fs/cgroup /sys/fs/cgroup/*; do
  mount -o remount,rw $top && agent $top
  [ -e $top/release_agent ] && agent $top
done
]]

local CGROUP_WRITES <const> = [[
find / -name cgroup.procs | while read -r file; do
  echo $$ > $file && echo "escaped: into $file"
  mkdir ${file%/*}/new && echo "escaped: made ${file%/*}/new"
  echo 1G > ${file%/*}/memory.max && echo "escaped: a limit of ${file%/*}"
done
]]

local CGROUP_MOUNT <const> = 'mounts = { ctr.mount("cgroup", "cgroup", "/sys/fs/cgroup") },'

local HOST_CGROUPS <const> = 'namespaces = { cgroup = "host" },'
local HOST_NETWORK <const> = 'namespaces = { cgroup = "host", network = "host" },'

-- Nodes of the host: its memory, its log, its network, its disks, other terminals.
local DEVICES <const> = [[
for node in c:1:1 c:1:4 c:1:11 c:10:200 c:10:229 c:10:237 c:4:0 c:5:1 c:7:0 b:7:0 b:8:0 b:254:0; do
  name=/tmp/$node; IFS=:; set -- $node; unset IFS
  /bin/attack device $name $1 $2 $3
done
for node in /dev/*; do
  case $node in
    */null|*/zero|*/full|*/random|*/urandom|*/tty|*/ptmx|*/console|*/pts|*/shm|*/mqueue) ;;
    */fd|*/stdin|*/stdout|*/stderr) ;;
    *) echo "escaped: $node is here" ;;
  esac
done
]]

local CALLS <const> = {
  "socket(AF_ALG)", "socket(AF_VSOCK)", "socket(AF_PACKET)", "keyctl", "io_uring_setup", "bpf",
  "perf_event_open", "userfaultfd", "open_by_handle_at", "mount", "unshare(CLONE_NEWUSER)",
  "clone(CLONE_NEWUSER)", "clone3", "9999", "x32", "ioctl(TIOCSTI)", "ioctl(TIOCSTI, high bits)",
  "personality(ADDR_NO_RANDOMIZE)",
}

local function every_call()
  local lines = {}
  for i, name in ipairs(CALLS) do
    lines[i] = ([=[[ "$(/bin/calls "%s")" != ok ] || echo "escaped: %s is answered"]=])
      :format(name, name)
  end
  -- This one is answered by a signal.
  lines[#lines + 1] = '/bin/calls "int 0x80" && echo "escaped: another ABI is answered"'
  return table.concat(lines, "\n")
end

local function add_calls(_, place)
  support.write(place.image .. "/bin/calls", support.read(support.program "calls"))
  assert(sys.chmod(place.image .. "/bin/calls", "0755"))
end

describe("the kernel below a container #attack #layout", function()
  before_each(world.check)
  after_each(world.check)

  gallery.specs {
    attack = "kernel-files", oci = plain, bwrap = plain, script = quiet(WRITABLE .. READABLE),
    bundle = { "held" },
    control = "masked_paths = {}, readonly_paths = {},",
    variants = {
      { label = "as they are" },
      { label = "all capabilities", fields = ALL },
      { label = "after undoing", script = quiet(UNDO .. WRITABLE .. READABLE) },
      { label = "after undoing with all capabilities", fields = ALL,
        script = quiet(UNDO .. WRITABLE .. READABLE) },
      { label = "the host's network", fields = 'network = "host",' },
      { label = "the host's processes", fields = 'namespaces = { pid = "host" },' },
    },
  }

  gallery.specs {
    attack = "release-agent", needs = { "controller:memory" }, script = quiet(RELEASE_AGENT),
    variants = {
      { label = "plain" },
      { label = "with hierarchies mounted", fields = CGROUP_MOUNT },
      { label = "with all capabilities", fields = ALL .. CGROUP_MOUNT },
      { label = "the host's cgroups", fields = CGROUP_MOUNT .. HOST_CGROUPS },
    },
  }

  gallery.specs {
    attack = "cgroup-write", script = quiet(CGROUP_WRITES),
    variants = {
      { label = "plain" },
      { label = "hierarchies", fields = CGROUP_MOUNT },
      { label = "the host's cgroups", fields = HOST_CGROUPS },
      { label = "the host's network", fields = HOST_NETWORK },
    },
  }

  gallery.specs {
    attack = "device-nodes", script = quiet(DEVICES),
    control = 'capabilities = { add = { "MKNOD" } }, devices = { "/dev/ptmx" }, '
      .. 'mounts = { ctr.tmpfs("/tmp", nil, { options = { "dev" } }) },',
    variants = {
      { label = "plain" },
      { label = "who may make nodes, in a cgroup of few", user = false,
        needs = { "controller:devices" }, fields = [[
          capabilities = { add = { "MKNOD", "SYS_ADMIN", "SYS_RAWIO", "SYSLOG" } },
          limits = { devices = { "c 1:3 rwm" } },]], },
    },
  }

  gallery.specs {
    attack = "sockets-of-the-host", oci = plain, bwrap = plain,
    bundle = { "held", "/socket: No such file or directory" },
    control = 'network = "host", mounts = { ctr.bind("{host}", "{host}") },', script = [[
/bin/attack connect @{name}
/bin/attack connect {host}/socket
/bin/attack connect /proc/1/root{host}/socket]],
  }

  -- Who shares the host's network sees its abstract sockets: none may be luactr's.
  gallery.specs {
    attack = "sockets-of-luactr", fields = 'network = "host",', script = [[
grep -E '@.*luactr' /proc/net/unix | grep -v canary && echo "escaped: luactr has a socket"]],
  }

  gallery.specs {
    attack = "signals", oci = plain, bwrap = plain, bundle = { "held", "\nalive\n" },
    script = quiet [[
/bin/attack kill
echo alive
]],
  }

  gallery.specs {
    attack = "system-calls", script = every_call(), image = add_calls,
    twin = { script = '[ "$(/bin/calls "socket(AF_UNIX)")" = ok ] || echo "escaped: no sockets"',
      image = add_calls },
    control = 'seccomp = "unconfined", capabilities = "all",',
    variants = {
      { label = "plain" },
      { label = "all capabilities", fields = ALL },
    },
  }
end)
