-- Unpack a layer as an import does, with its blob: luactr unpack.lua LAYER DIRECTORY. Prints how
-- much memory that took, in KiB.
local layer = require "luactr.image.layer"
local sys = require "luactr.sys"

local path <const> = arg[2]
assert(sys.mkdir(path, "0700"))
local source <close> = assert(sys.open(arg[1]))
local stage <const> = { path = path, fd = assert(sys.open(path, "directory")) }
assert(layer.unpack(source, stage, "tree", { blob = "blob" }))
local file <close> = assert(io.open("/proc/self/status"))
print(file:read("a"):match("VmHWM:%s*(%d+)"))
