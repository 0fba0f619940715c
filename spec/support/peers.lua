-- Known peers under the same attacks: what succeeds there shows that an attack is one.
--
-- An attack says with `oci` and `bwrap` how it is put to them. Only the versions that
-- docs/security.md names count: others may have been mended.

local cjson = require("cjson")
local lfs = require("lfs")
local support = require("support")

local peers = {}

local CAPABILITIES <const> = { "CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_FOWNER", "CAP_FSETID",
  "CAP_KILL", "CAP_SETGID", "CAP_SETUID", "CAP_SETPCAP", "CAP_NET_BIND_SERVICE", "CAP_SYS_CHROOT",
  "CAP_SETFCAP" }

local NAMESPACES <const> = { "pid", "network", "ipc", "uts", "mount" }

local function namespaces()
  local list = {}
  for i, kind in ipairs(NAMESPACES) do list[i] = { type = kind } end
  return list
end

--- What engines give to an OCI runtime, with /proc alone mounted.
---@param place gallery.Place
---@param command string[]
---@return table config.json
function peers.config(place, command)
  return {
    ociVersion = "1.0.2",
    process = {
      terminal = false, user = { uid = 0, gid = 0 }, args = command, env = { "PATH=/bin" },
      cwd = "/", noNewPrivileges = true,
      capabilities = {
        bounding = CAPABILITIES, effective = CAPABILITIES, permitted = CAPABILITIES,
      },
    },
    root = { path = place.image }, hostname = "gallery",
    mounts = { { destination = "/proc", type = "proc", source = "proc" } },
    linux = {
      cgroupsPath = "/luactr-gallery-" .. lfs.symlinkattributes("/proc/self", "target"),
      namespaces = namespaces(),
      resources = { devices = { { allow = false, access = "rwm" } } },
      maskedPaths = { "/proc/acpi", "/proc/asound", "/proc/interrupts", "/proc/kcore", "/proc/keys",
        "/proc/timer_list", "/proc/sched_debug", "/proc/scsi", "/sys/firmware" },
      readonlyPaths = { "/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger" },
    },
  }
end

--- cjson writes an empty list as {}; the only empty tables here are lists.
function peers.write_config(bundle, config)
  support.write(bundle .. "/config.json", (cjson.encode(config):gsub("{}", "[]")))
end

-- Both refuse hosts with hierarchies of both versions: they get a view without the second.
local VIEW <const> = [[
program=$1 state=$2 bundle=$3 log=$4
umount /sys/fs/cgroup/unified 2>/dev/null
%s
status=$?
"$program" --root "$state" delete --force gallery >/dev/null 2>&1
exit $status]]

local RUN <const> = VIEW:format '"$program" --root "$state" run --bundle "$bundle" gallery'

-- The same with what goes to the log, where no attack can hide it.
local LOGGED <const> = '"$program" --root "$state" --log "$log" '
local TOLD <const> = '\nstatus=$?\ncat "$log"\n(exit $status)'
local RUN_LOGGED <const> = VIEW:format(LOGGED .. 'run --bundle "$bundle" gallery' .. TOLD)

-- By the steps of an engine. When nobody writes to the pipe any more the container has ended.
local CREATE <const> = VIEW:format("{ " .. LOGGED .. 'create --bundle "$bundle" gallery && '
  .. LOGGED .. "start gallery; } | cat" .. TOLD)

local function oci(program, script)
  return function(attack, place, command)
    local bundle = place.dir:mkdir "bundle"
    local spec = peers.config(place, command)
    attack.oci(spec, place)
    peers.write_config(bundle, spec)
    return { "unshare", "--mount", "--propagation", "private", "sh", "-c", script, "-", program,
      place.dir:mkdir "state", bundle, bundle .. "/log" }
  end
end

local function bwrap(attack, place, command)
  local words = { "bwrap", "--unshare-all", "--die-with-parent", "--bind", place.image, "/",
    "--proc", "/proc" }
  for _, word in ipairs(attack.bwrap(place)) do words[#words + 1] = word end
  return table.move(command, 1, #command, #words + 1, words)
end

--- The plain container, for attacks that need nothing of it.
function peers.plain() return {} end

---@class peers.Peer
---@field name string
---@field how string the attack's field that is needed
---@field outside? string where it has the host's root while it sets up
---@field argv fun(attack: table, place: table, command: string[]): string[]

---@type peers.Peer[]
peers.list = {
  { name = "runc", how = "oci", argv = oci("runc", RUN) },
  { name = "crun", how = "oci", argv = oci("crun", RUN) },
  { name = "bwrap", how = "bwrap", argv = bwrap, outside = "/oldroot" },
}

--- luactr as a runtime of bundles, put to the same, in the foreground.
---@type peers.Peer
peers.own = {
  name = "luactr oci", how = "oci", argv = oci(support.build .. "/luactr-oci", RUN_LOGGED),
}

--- And by create and start.
---@type peers.Peer
peers.engine = {
  name = "luactr oci", how = "oci", argv = oci(support.build .. "/luactr-oci", CREATE),
}

--- The version of an installed peer, such as "1.1.5"; nil if there is none. crun mounts a copy of
--- itself whatever it is to do: not in the sight of others.
function peers.version(peer)
  if support.lacks("program:" .. peer.name) then return nil end
  local ran = support.run { "unshare", "--mount", "--propagation", "private", peer.name,
    "--version" }
  return ran.stdout:match("(%d+%.%d+%.?%d*)")
end

return peers
