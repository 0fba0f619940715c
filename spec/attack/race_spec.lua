-- Races: while a container is set up, somebody who shares a volume or the image with it exchanges a
-- directory for a link to the host.
local lfs = require("lfs")
local race = require("support.race")
local sys = require("luactr.core").sys
local world = require("support.world")

-- volume/dest is a directory with a file, volume/link a link to the canary's.
local function dest_and_link(dir, place)
  dir:write("volume/dest/file", "inside")
  assert(lfs.mkdir(place.volume .. "/dest/here"))
  assert(sys.symlink(place.host, place.volume .. "/link"))
end

local NAMES <const> = { "volume/dest", "volume/link" }

local function volume(mounts)
  return ('mounts = { ctr.bind("{volume}", "/vol"), %s },'):format(mounts or "")
end

-- Where mountinfo has what the recipe mounted, and whether anything of the host's is there.
local MOUNTS <const> = [[
while read -r _ _ _ root target _; do
  case $root in {host}*) echo "escaped: $root is mounted on $target";; esac
  case $target in /vol/*) echo "met: ${target%%/x*}";; esac
done < /proc/self/mountinfo]]

describe("a race #attack", function()
  before_each(world.check)
  after_each(world.check)

  race.specs {
    attack = "race-mount", prepare = dest_and_link, racer = NAMES, script = MOUNTS,
    fields = volume 'ctr.tmpfs("/vol/dest/x")',
  }

  race.specs {
    attack = "race-mkdir", prepare = dest_and_link, racer = NAMES, script = MOUNTS,
    fields = volume 'ctr.dir("/vol/dest/a/b/c"), ctr.bind("{image}/etc", "/vol/dest/x/y")',
  }

  race.specs {
    attack = "race-write", prepare = dest_and_link, racer = NAMES, script = "echo met: directory",
    fields = volume() .. [[steps = function(p)
      p:file("/vol/dest/file", "pwned", "0666")
      p:write("/vol/dest/file", "pwned")
      p:symlink("/nowhere", "/vol/dest/new")
    end,]],
  }

  race.specs {
    attack = "race-mask", prepare = dest_and_link, racer = NAMES,
    fields = volume() .. 'masked_paths = { "/vol/dest/here", "/vol/dest/file" }, '
      .. 'readonly_paths = { "/vol/dest" },',
    script = MOUNTS .. "\necho met: started",
  }

  race.specs {
    attack = "race-cwd", prepare = dest_and_link, racer = NAMES,
    fields = volume() .. 'cwd = "/vol/dest",',
    script = 'echo "met: directory"; cat secret ../secret {host}/secret 2>/dev/null; '
      .. 'ls -d ptmx && echo "escaped: outside"',
  }

  -- Two containers of one image: the attacker in the first moves what the second's /proc is in.
  race.specs {
    attack = "race-proc", racer = { "image/a", "image/b" },
    prepare = function(dir, place)
      dir:mkdir "image/a/proc"
      dir:mkdir "image/b/proc"
      assert(lfs.rmdir(place.image .. "/proc"))
      assert(sys.symlink("a/proc", place.image .. "/proc"))
    end,
    script = [[
for proc in /a/proc /b/proc; do
  [ -e $proc/version ] || continue
  echo "met: $proc"
  (: >> $proc/sys/vm/stat_interval) 2>/dev/null && echo "escaped: $proc/sys is writable"
  [ -n "$(head -c 1 $proc/timer_list 2>/dev/null)" ] && echo "escaped: $proc/timer_list"
done]],
  }

  -- Settings are written through no /proc that somebody else could have made.
  race.specs {
    attack = "race-settings", racer = { "volume/sys", "volume/link" }, user = false,
    prepare = function(dir, place)
      for _, root in ipairs { "volume/sys", "host/dir" } do
        dir:write(root .. "/net/ipv4/ip_default_ttl", "64\n")
      end
      dir:write("volume/self/oom_score_adj", "0\n")
      assert(sys.symlink(place.host .. "/dir", place.volume .. "/link"))
    end,
    fields = 'mounts = { ctr.bind("{volume}", "/proc"), ctr.mount("proc", "proc", "/p") }, '
      .. 'sysctl = { ["net.ipv4.ip_default_ttl"] = 77 }, oom_score_adj = 321,',
    script = [[
[ -L /proc/sys ] && echo "met: link" || echo "met: directory"
for fake in /proc/sys/net/ipv4/ip_default_ttl /proc/link/net/ipv4/ip_default_ttl; do
  [ "$(cat $fake 2>/dev/null)" = 77 ] && echo "escaped: the parameter went into a fake"
done
[ "$(cat /proc/self/oom_score_adj)" = 321 ] && echo "escaped: the score went into a fake"
[ "$(cat /p/sys/net/ipv4/ip_default_ttl)" = 77 ] || echo "escaped: the parameter is not set"
[ "$(cat /p/self/oom_score_adj)" = 321 ] || echo "escaped: the score is not set"]],
  }

  -- The image's null device is not the one that hides a path.
  race.specs {
    attack = "race-null", racer = { "volume/null", "volume/link" },
    prepare = function(dir, place)
      dir:write("volume/null", "")
      assert(sys.symlink("/proc/sys/kernel/hostname", place.volume .. "/link"))
      for _, name in ipairs { "pts", "shm" } do lfs.mkdir(place.volume .. "/" .. name) end
    end,
    fields = 'mounts = { ctr.bind("{volume}", "/dev") }, masked_paths = { "/etc/group" }, ',
    script = [[
[ -L /dev/null ] && echo "met: link" || echo "met: file"
echo owned > /etc/group
[ "$(cat /proc/sys/kernel/hostname)" = owned ] && echo "escaped: the mask is a file of procfs"
[ -s /etc/group ] && echo "escaped: no mask"
/bin/attack null 0]],
  }

  -- A container that runs, and gets mounts.
  local function running(operation)
    return ([[
local box <close> = ctr.container(fields)
assert(box:start())
for _ = 1, ATTEMPTS do
  local done, err = box:mount(%s)
  met(done and "directory", err)
  if done then box:unmount("/vol/dest/x", { detach = true }) end
end]]):format(operation)
  end

  race.specs {
    attack = "race-mount-running", prepare = dest_and_link, racer = NAMES, fields = volume(),
    script = "exec sleep 1000", body = running 'ctr.tmpfs("/vol/dest/x")',
  }

  race.specs {
    attack = "race-make-running", prepare = dest_and_link, racer = NAMES, fields = volume(),
    script = "exec sleep 1000", body = running 'ctr.dir("/vol/dest/x/y")',
  }

  -- What is copied is exchanged for a link while it is.
  race.specs {
    attack = "race-copy", racer = { "volume/dest/sub", "volume/dest/link" },
    prepare = function(dir, place)
      for i = 1, 20 do dir:write("volume/dest/sub/" .. i, "inside") end
      assert(sys.symlink(place.host, place.volume .. "/dest/link"))
    end,
    fields = volume 'ctr.tmpfs("/vol/dest", "8M", { options = { "tmpcopyup" } })',
    script = "[ -L /vol/dest/sub ] && echo met: link || echo met: directory; "
      .. "cat /vol/dest/sub/* /vol/dest/link/* 2>/dev/null",
  }
end)
