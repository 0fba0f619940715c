#!/usr/bin/env luactr
--- A root file system of its own (section 2.1 of the article).
--
--   luactr lua/recipes/chroot.lua
--
-- The article copies bash, ls and pwd with the libraries they need to /home/container and calls
-- chroot. rootfs.host does the same: it reads in each program's header which loader and libraries
-- it wants. `copy = true` is a temporary directory; copy = "/home/container" would stay. (Without
-- `copy` nothing is copied: the files are bound into an empty tmpfs, read-only.)
--
-- Only the mount namespace is new (and, without root, the user namespace that allows it), as chroot
-- isolates nothing else. Of the host's programs three are left, so `clear` is not found.
local ctr = require "luactr"

-- set -x prints each command before it runs, with PS4 in front.
local script = [[
exec 2>&1; PS4="$ "; set -x
pwd
ls /
ls /bin
clear
{ set +x; } 2>/dev/null
]]

local on_terminal = ctr.sys.isatty(0) and ctr.sys.isatty(1)
if on_terminal then
  script = script .. [[
echo "A shell to look around in; exit leaves it."
PS1="chroot:\w\$ " exec bash --norc]]
end

return ctr.container {
  rootfs = ctr.rootfs.host { "bash", "ls", "pwd", copy = true },
  namespaces = { pid = "host", uts = "host", ipc = "host", network = "host", cgroup = "host" },
  command = { "/bin/bash", "-c", script },
}
