#!/usr/bin/env luactr
--- Landlock: a program confined without namespaces, without mounts and without root.
--
--   luactr landlock.lua                     what the rules leave and take away
--   luactr landlock.lua PROGRAM [ARG...]    your program under the same rules
--
-- Some hosts forbid namespaces to those who are not root. ctr.rootfs.none() asks for none: the
-- command sees the host as it is, and keeps only what the rules name. Here: programs of the system
-- run, /etc can be read, only /tmp can be written to, no TCP port can be reached or bound, and no
-- signal or abstract socket gets out. Run it as a plain user as well.
local ctr = require "luactr"

local SHOW <const> = [[
try() { echo "$ $*"; "$@" 2>&1 | head -n 1; }
try grep -c root /etc/passwd
try ls /root
try touch /var/tmp/luactr-recipe
file=$(mktemp /tmp/luactr-recipe.XXXXXX) && echo "$ mktemp works in /tmp" && rm "$file"
try bash -c 'echo > /dev/tcp/127.0.0.1/80'
try kill -0 $PPID
]]

return ctr.container {
  rootfs = ctr.rootfs.none(),
  landlock = {
    read    = { "/etc" },
    execute = { "/usr", "/bin", "/sbin", "/lib", { path = "/lib64", optional = true } },
    write   = { "/tmp", "/dev/null" },
    tcp     = { bind = {}, connect = {} },
    scope   = { "signal", "abstract_unix_socket" },
    optional = true, -- what an older kernel lacks is a warning
  },
  command = ... and { ... } or { "bash", "-c", SHOW },
}
