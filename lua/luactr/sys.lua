--- luactr.sys: the kernel's container primitives, one thin function each.
---
--- With these a container is made by hand, step by step (lua/recipes/by-hand.lua);
--- `luactr.container` makes one from a description. The conventions are those of Lua's io library:
---
---  * A function returns its value (`true` where there is none), or `nil, message, errno`.
---    `sys.errname(errno)` is "ENOENT" and the like. A wrong argument raises an error.
---  * A descriptor that luactr opens is a handle ("luactr.fd": `close`, `fileno`, `read`, `write`)
---    that closes itself when collected or at the end of a `<close>` variable. Where a descriptor
---    is wanted, a handle or a number fits. All are close-on-exec.
---  * Flags are an integer (`sys.CLONE_NEWPID | sys.CLONE_NEWNS`), a name or a list of names: the C
---    constant's name, or what follows its prefix, in any case: `{ "newpid", "newns" }`.
---  * A constant of one of the families is `sys.NAME`, as in C.
---  * A file mode is an integer or octal digits in a string: `"0755"`.
---  * A process is a pid, or the handle that `clone` returned; none is the caller.
---  * Times are seconds, with fraction; sizes are bytes.
---
--- The functions are declared and documented in the files of lua/luactr/sys/, by concern.

local core <const> = require("luactr.core").sys

---@class luactr.sys
---@field [string] integer the constants: CLONE_*, MS_*, O_*, ...
local M = {}

local function join(part)
  for name, value in pairs(part) do M[name] = value end
end

join(require("luactr.sys.constants"))
join(require("luactr.sys.fd"))
join(require("luactr.sys.file"))
join(require("luactr.sys.mount"))
join(require("luactr.sys.namespace"))
join(require("luactr.sys.process"))
join(require("luactr.sys.resource"))
join(require("luactr.sys.ids"))
join(require("luactr.sys.security"))
join(require("luactr.sys.terminal"))
join(require("luactr.sys.quota"))

return setmetatable(M, { __index = core })
