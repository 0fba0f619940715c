-- Images whose own directories and devices lead out: links where a runtime mounts, masks, creates
-- and removes.
local gallery = require("support.gallery")
local lfs = require("lfs")
local plain = require("support.peers").plain
local support = require("support")
local sys = require("luactr.core").sys
local world = require("support.world")

-- Put a link in the place of whatever the image has there.
local function link(place, path, text)
  os.remove(place.image .. "/" .. path)
  assert(sys.symlink(text, place.image .. "/" .. path))
end

local function make_node(path, major, minor)
  assert(sys.mknod(path, sys.S_IFCHR | 438, sys.makedev(major, minor))) -- 0666
end

local function link_out(path)
  return function(_, place) link(place, path, place.outside .. place.host) end
end

local function relative_link_out(path)
  return function(_, place)
    link(place, path, ("../"):rep(16) .. (place.outside .. place.host):sub(2))
  end
end

-- The null device of the image is a link to a file of procfs that the attacker wants to write.
local function null_is_hostname(_, place)
  link(place, "dev/null", "/proc/sys/kernel/hostname")
end

local DEV_OF_THE_IMAGE <const> = 'mounts = { ctr.bind("{image}/dev", "/dev") },'

local IN_A_LAYER <const> = 'rootfs = ctr.rootfs.overlay { lower = "{image}", size = "32M" },'

-- All lines of mountinfo whose root is one of the host's directories.
local MOUNTS <const> = [[
while read -r _ _ _ root target _; do
  case $root in {host}*) echo "escaped: $root is mounted on $target";; esac
done < /proc/self/mountinfo
ls -l {host} /dev/ /proc/1/ /sys/ 2>/dev/null | head -n 20]]

local SECOND_PROC <const> = 'mounts = { ctr.mount("proc", "proc", "/p") },'

describe("a hostile image #attack", function()
  before_each(world.check)
  after_each(world.check)

  local function directory_is_a_link(directory, attack)
    attack.script = MOUNTS
    attack.variants = {
      { label = "absolute", image = link_out(directory) },
      { label = "relative", image = relative_link_out(directory) },
    }
    gallery.specs(attack)
  end

  directory_is_a_link("dev", {
    attack = "dev-symlink", oci = plain, bwrap = function() return { "--dev", "/dev" } end,
    bundle = { "refused", "make the device /dev/null; ENOTDIR" },
  })
  directory_is_a_link("proc", {
    attack = "proc-symlink", oci = plain, bwrap = plain,
    bundle = { "refused", "mount proc on /proc; ENOTDIR" },
  })
  directory_is_a_link("sys", {
    attack = "sys-symlink", bundle = { "refused", "mount sysfs on /sys; ENOTDIR" },
    oci = function(config)
      table.insert(config.mounts, { destination = "/sys", type = "sysfs", source = "sysfs" })
    end,
    bwrap = function() return { "--ro-bind", "/sys", "/sys" } end,
  })

  -- What a mask or a read-only bind is for must not depend on where the image's link leads.
  gallery.specs {
    attack = "proc-symlink-inside", oci = plain, bwrap = plain, bundle = { "held" },
    variants = {
      { label = "proc", image = function(_, place)
        assert(lfs.mkdir(place.image .. "/bad"))
        link(place, "proc", "/bad")
      end },
    },
    script = [[
for proc in /proc /bad; do
  [ -d $proc/1 ] || continue
  (: >> $proc/sys/kernel/core_pattern) 2>/dev/null && echo "escaped: $proc/sys is writable"
  (: >> $proc/sysrq-trigger) 2>/dev/null && echo "escaped: $proc/sysrq-trigger is writable"
  [ -n "$(head -c 1 $proc/timer_list 2>/dev/null)" ] && echo "escaped: $proc/timer_list"
done]],
  }

  gallery.specs {
    attack = "dev-null-mask", image = null_is_hostname,
    bundle = { "refused", "make the device /dev/null; EEXIST" },
    oci = function(config)
      config.linux.maskedPaths, config.linux.readonlyPaths = { "/etc/group" }, {}
    end,
    fields = DEV_OF_THE_IMAGE .. 'masked_paths = { "/etc/group" }, readonly_paths = {},',
    script = [[{
echo inside
echo owned > /etc/group
[ "$(cat /proc/sys/kernel/hostname)" = owned ] && echo "escaped: the mask is a file of procfs"
[ -s /etc/group ] && echo "escaped: no mask"
} > /tmp/said]],
  }

  gallery.specs {
    attack = "dev-null-stdio", image = null_is_hostname,
    bundle = { "refused", "make the device /dev/null; EEXIST" },
    oci = function(config) config.linux.readonlyPaths = {} end,
    start = { before = { "sh", "-c", 'exec "$@" </dev/null 2>/dev/null', "-" } },
    fields = DEV_OF_THE_IMAGE .. 'stdin = "null", stderr = "null", readonly_paths = {},',
    script = "{ echo inside; /bin/attack null 0 2; } > /tmp/said",
  }

  gallery.specs {
    attack = "proc-covered", user = false,
    fields = 'mounts = { ctr.tmpfs("/proc"), ctr.mount("proc", "proc", "/p"), '
      .. 'ctr.file("/proc/sys/net/ipv4/ip_default_ttl", "fake") }, oom_score_adj = 321, '
      .. 'sysctl = { ["net.ipv4.ip_default_ttl"] = 77 },',
    script = [[
[ "$(cat /p/sys/net/ipv4/ip_default_ttl)" = 77 ] || echo "escaped: the sysctl went into a fake"
[ "$(cat /p/self/oom_score_adj)" = 321 ] || echo "escaped: the score went into a fake"]],
    twin = { fields = SECOND_PROC .. 'oom_score_adj = 321,'
      .. 'sysctl = { ["net.ipv4.ip_default_ttl"] = 77 },' },
  }

  gallery.specs {
    attack = "device-node", user = false, oci = plain, bwrap = plain,
    bundle = { "held", "open /bin/node: " },
    script = "/bin/attack device /bin/node",
    variants = {
      { label = "file systems", image = function(_, place)
        make_node(place.image .. "/bin/node", 10, 229)
      end },
      { label = "file systems, in a layer", fields = IN_A_LAYER, image = function(_, place)
        make_node(place.image .. "/bin/node", 10, 229)
      end, twin = {} },
      { label = "file systems, in a lower mount", image = function(_, place)
        make_node(place.image .. "/bin/node", 10, 229)
      end, fields = 'mounts = { ctr.overlay("/lower", '
        .. '{ lower = { "{image}/bin", "{image}/etc" } }) },',
        script = "/bin/attack device /lower/node", twin = {} },
      { label = "zeroes", image = function(_, place)
        make_node(place.image .. "/bin/node", 1, 5)
      end },
      { label = "disk", image = function(_, place)
        support.must { "sh", "-c", "mknod " .. place.image .. "/bin/node b $(stat -c '%Hd %Ld' /)" }
      end },
    },
  }

  -- A layer's name with what separates the names of layers and options.
  gallery.specs {
    attack = "layer-names", script = "cat /{host}/secret /secret /dir/file; ls /", twin = { fields =
      'rootfs = ctr.rootfs.overlay { lower = { "{image}", "{volume}" }, size = "32M" },' },
    image = function(dir)
      dir:mkdir "a"
      for _, name in ipairs { "a:", "a,lowerdir=", "a\\" } do dir:mkdir(name) end
      for _, name in ipairs { "a:", "a,lowerdir=", "a\\" } do
        support.must { "cp", "-a", dir.path .. "/image/.", dir.path .. "/" .. name }
      end
    end,
    variants = {
      { label = "a colon", fields =
        'rootfs = ctr.rootfs.overlay { lower = { "{work}/a:{host}", "{image}" }, size = "32M" },' },
      { label = "a comma", fields =
        'rootfs = ctr.rootfs.overlay { lower = { "{work}/a,lowerdir={host}", "{image}" }, '
        .. 'size = "32M" },' },
      { label = "names that are right", fields =
        'rootfs = ctr.rootfs.overlay { lower = { "{work}/a:", "{work}/a,lowerdir=", '
        .. '"{work}/a\\\\" }, size = "32M" },' },
    },
  }

  -- What a tmpfs begins with a copy of must be the image's.
  gallery.specs {
    attack = "copied-directory", script = "cat /data/* /data/*/* /data/*/*/* 2>/dev/null; ls /data",
    fields = 'mounts = { ctr.tmpfs("/data", "8M", { options = { "tmpcopyup" } }) },',
    variants = {
      { label = "a link", image = link_out "data" },
      { label = "a relative link", image = relative_link_out "data" },
      { label = "links in it", image = function(_, place)
        assert(lfs.mkdir(place.image .. "/data"))
        link(place, "data/link", place.host)
        link(place, "data/secret", place.host .. "/secret")
        link(place, "data/up", ("../"):rep(16) .. place.host:sub(2))
        assert(lfs.link(place.host .. "/dir/file", place.image .. "/data/hard"))
        support.must { "mkfifo", place.image .. "/data/fifo" }
        make_node(place.image .. "/data/node", 10, 229)
      end, script = "/bin/attack device /data/node; cat /data/link/secret /data/secret "
        .. "/data/up/secret 2>/dev/null; ls /data", },
      { label = "deeper than a stack", image = function(_, place)
        local path = place.image .. "/data"
        for _ = 1, 300 do
          assert(lfs.mkdir(path))
          path = path .. "/d"
        end
      end },
    },
    twin = { image = function(dir) dir:write("image/data/file", "inside") end },
  }
end)
