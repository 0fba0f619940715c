-- Paths inside that a recipe names and an image bends: where things are mounted, made and written,
-- where the command starts, what it is.
local gallery = require("support.gallery")
local support = require("support")
local sys = require("luactr.core").sys
local world = require("support.world")

-- What a recipe can put at a path.
local OPERATIONS <const> = {
  { "tmpfs", 'mounts = { ctr.tmpfs("%s") },' },
  { "directory", 'mounts = { ctr.dir("%s") },' },
  { "file", 'mounts = { ctr.file("%s", "pwned") },' },
  { "link", 'mounts = { ctr.symlink("/bin", "%s") },' },
  { "bind of a directory", 'mounts = { ctr.bind("{volume}", "%s") },' },
  { "bind of a file", 'mounts = { ctr.bind("{image}/etc/passwd", "%s") },' },
  { "mask", 'masked_paths = { "%s" },' },
  { "read-only path", 'readonly_paths = { "%s" },' },
  { "own mkdir", 'steps = function(p) p:mkdir("%s", "0777") end,' },
  { "own file", 'steps = function(p) p:file("%s", "pwned", "0666") end,' },
  { "own node", 'steps = function(p) local sys = require "luactr.sys" '
    .. 'p:mknod("%s", sys.S_IFIFO | 438, 0) end,' },
}

-- `twins`: each operation has to work where nothing is bent.
local function operations(target, twins)
  local variants = {}
  for i, operation in ipairs(OPERATIONS) do
    variants[i] = { label = operation[1], fields = operation[2]:format(target),
      twin = twins and {} or nil }
  end
  return variants
end

local function link(place, text, path)
  os.remove(place.image .. "/" .. path)
  assert(sys.symlink(text, place.image .. "/" .. path))
end

local SHOW <const> = [[
ls -lR /link {host} 2>/dev/null | head -n 20
while read -r _ _ _ root target _; do
  case $root in {host}*) echo "escaped: $root is mounted on $target";; esac
done < /proc/self/mountinfo]]

local DEEP <const> = ("../"):rep(40)

local function tmpfs_at(target)
  return function(config, place)
    table.insert(config.mounts, { type = "tmpfs", source = "tmpfs",
      destination = (target:gsub("{host}", place.host)) })
  end
end

local function directory_at(target)
  return function(place) return { "--dir", (target:gsub("{host}", place.host)) } end
end

describe("a path inside #attack", function()
  before_each(world.check)
  after_each(world.check)

  gallery.specs {
    attack = "target-parent-symlink", bundle = { "refused", "tmpfs on /link/pwned; ENOTDIR" },
    oci = tmpfs_at "/link/pwned", bwrap = directory_at "/link/pwned",
    script = SHOW, variants = operations("/link/pwned", true),
    image = function(_, place) link(place, place.outside .. place.host, "link") end,
  }

  gallery.specs {
    attack = "target-parent-symlink-relative",
    bundle = { "refused", "tmpfs on /link/pwned; ENOTDIR" },
    oci = tmpfs_at "/link/pwned", bwrap = directory_at "/link/pwned",
    script = SHOW, variants = operations "/link/pwned",
    image = function(_, place)
      link(place, DEEP .. (place.outside .. place.host):sub(2), "link")
    end,
  }

  gallery.specs {
    attack = "target-symlink", bundle = { "refused", "tmpfs on /link; ENOTDIR" },
    oci = tmpfs_at "/link", bwrap = function() return { "--tmpfs", "/link" } end,
    script = SHOW, variants = operations "/link",
    image = function(_, place) link(place, place.outside .. place.host .. "/dir", "link") end,
    twin = { image = function(_, place) link(place, "etc", "link") end },
  }

  gallery.specs {
    attack = "target-dangling-symlink", bundle = { "refused", "/etc/passwd on /link; ENOENT" },
    oci = function(config, place)
      table.insert(config.mounts, { destination = "/link", type = "bind", options = { "bind" },
        source = place.image .. "/etc/passwd" })
    end,
    bwrap = function(place) return { "--bind", place.image .. "/etc/passwd", "/link" } end,
    script = SHOW, variants = operations "/link",
    image = function(_, place) link(place, place.outside .. place.host .. "/new", "link") end,
  }

  gallery.specs {
    attack = "target-dotdot", script = SHOW, bundle = { "held", "/host/pwned:\n" },
    oci = tmpfs_at("/" .. DEEP .. "{host}/pwned"),
    bwrap = directory_at("/" .. DEEP .. "{host}/pwned"),
    variants = operations("/" .. DEEP .. "{host}/pwned"),
  }

  gallery.specs {
    attack = "target-symlink-chain", bundle = { "refused", "tmpfs on /link/pwned; ENOTDIR" },
    oci = tmpfs_at "/link/pwned", bwrap = directory_at "/link/pwned", script = SHOW,
    variants = operations "/link/pwned",
    image = function(_, place)
      for i = 1, 39 do link(place, "link" .. i, i == 1 and "link" or "link" .. i - 1) end
      link(place, place.outside .. place.host, "link39")
    end,
  }

  gallery.specs {
    attack = "file-over-symlink",
    fields = 'mounts = { ctr.file("/etc/hosts", "pwned"), ctr.file("/run/x/resolv", "pwned") }, '
      .. 'steps = function(p) p:write("/etc/motd", "pwned") end,',
    image = function(_, place)
      link(place, place.host .. "/secret", "etc/hosts")
      link(place, place.host .. "/secret", "etc/motd")
      link(place, place.host .. "/dir", "run/x")
    end,
    twin = { image = function(_, place) support.write(place.image .. "/etc/motd", "") end },
  }
end)
