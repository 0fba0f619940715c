-- The terminal of who starts a container, and the container's own.
local gallery = require("support.gallery")
local lfs = require("lfs")
local plain = require("support.peers").plain
local race = require("support.race")
local sys = require("luactr.core").sys
local world = require("support.world")

local INHERITED <const> = 'stdin = "inherit", tty = false,'
local OWN <const> = 'stdin = "inherit", tty = true,'

-- A /dev of the image's, with a devpts as it has to be.
local function dev_of(directory)
  return ([[mounts = { ctr.bind("%s", "/dev"), ctr.mount("devpts", "devpts", "/dev/pts",
    { "newinstance", "ptmxmode=0666", "mode=0620", "dev" }) },]]):format(directory)
end

local function legacy_tiocsti()
  local file <close> = io.open("/proc/sys/dev/tty/legacy_tiocsti")
  return not file or file:read("n") == 1
end

describe("a terminal #attack", function()
  before_each(world.check)
  after_each(world.check)

  if legacy_tiocsti() then
    gallery.specs {
      attack = "terminal-input", terminal = true, oci = plain, bwrap = plain,
      bundle = { "held" },
      needs = { "program:bash" }, script = "/bin/attack inject",
      variants = {
        { label = "luactr's own", fields = INHERITED },
        { label = "a new one", fields = OWN, twin = {} },
        { label = "luactr's own, all capabilities", fields = INHERITED .. 'capabilities = "all",' },
        { label = "luactr's own, no filter", fields = INHERITED .. 'seccomp = "unconfined",' },
        { label = "luactr's own, no filter, all capabilities",
          fields = INHERITED .. 'seccomp = "unconfined", capabilities = "all",' },
        { label = "a new one, no filter, all capabilities",
          fields = OWN .. 'seccomp = "unconfined", capabilities = "all",' },
      },
    }
  else
    pending("terminal-input: this kernel lets nobody do it (dev.tty.legacy_tiocsti)")
  end

  gallery.specs {
    attack = "console-symlink", terminal = true, needs = { "program:bash" },
    script = 'case $(readlink /proc/self/fd/0) in /dev/pts/*|/dev/console) ;; '
      .. '*) echo "escaped: no terminal";; esac',
    fields = OWN .. dev_of "{image}/dev",
    image = function(dir, place)
      dir:mkdir "image/dev/pts"
      assert(sys.symlink(place.host .. "/new", place.image .. "/dev/console"))
    end,
    twin = { image = function(dir) dir:mkdir "image/dev/pts" end },
  }

  race.specs {
    attack = "race-console", terminal = true, racer = { "volume/console", "volume/link" },
    fields = OWN .. dev_of "{volume}",
    prepare = function(dir, place)
      dir:mkdir "volume/pts"
      dir:write("volume/console", "")
      assert(sys.symlink(place.host .. "/new", place.volume .. "/link"))
    end,
    script = [[
[ -L /dev/console ] && echo "met: link" || echo "met: file"
case $(readlink /proc/self/fd/0) in
  /dev/pts/*|/dev/console|/dev/link) ;;
  *) echo "escaped: no terminal" ;;
esac]],
  }

  race.specs {
    attack = "race-pts", terminal = true, racer = { "volume/pts", "volume/link" },
    fields = OWN .. dev_of "{volume}",
    prepare = function(dir, place)
      dir:mkdir "volume/pts"
      assert(lfs.mkdir(place.host .. "/dir/pts"))
      assert(sys.symlink(place.host .. "/dir", place.volume .. "/link"))
    end,
    script = [[
echo "met: started"
case $(readlink /proc/self/fd/0) in
  /dev/pts/*|/dev/console|/dev/link/*) ;;
  *) echo "escaped: no terminal" ;;
esac]],
  }
end)
