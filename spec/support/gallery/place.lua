-- Where an attack of the gallery takes place: an image, a volume and a canary, in one directory.

local canary = require("support.canary")
local support = require("support")
local sys = require("luactr.core").sys

local M = {}

---@class gallery.Place
---@field work string the directory of this run on the host
---@field image string the root file system
---@field volume string a directory that the attacker can write from outside as well
---@field host string the canary's directory
---@field canary table
---@field owner? integer
---@field outside string before the host's paths, for links that are to lead there

local SKELETON <const> = { "bin", "dev", "etc", "proc", "sys", "tmp", "run", "home" }

-- What scripts may call.
local PROGRAMS <const> = {
  "cat", "chmod", "chown", "cp", "dd", "env", "find", "grep", "head", "id", "kill", "ln", "ls",
  "mkdir", "mknod", "mount", "mv", "od", "readlink", "rm", "sh", "sleep", "stat", "touch", "umount",
  "unshare", "wc",
}

local binaries -- read once: a run is short beside a fork

local function read_binaries()
  binaries = {
    busybox = support.read("/bin/busybox"), attack = support.read(support.program "attack"),
  }
end

local function make_image(path)
  assert(sys.mkdir(path))
  for _, name in ipairs(SKELETON) do assert(sys.mkdir(path .. "/" .. name)) end
  if not binaries then read_binaries() end
  for name, content in pairs(binaries) do
    support.write(path .. "/bin/" .. name, content)
    assert(sys.chmod(path .. "/bin/" .. name, "0755"))
  end
  for _, name in ipairs(PROGRAMS) do assert(sys.symlink("busybox", path .. "/bin/" .. name)) end
  support.write(path .. "/etc/passwd", "root:x:0:0:root:/root:/bin/sh\n")
  support.write(path .. "/etc/group", "root:x:0:\n")
end

local Place = {}
Place.__index = Place

function Place:close()
  if self.canary then self.canary:close() end
  self.dir:close()
end

-- Only what could not be made whole.
function Place:__close()
  if not self.kept then self:close() end
end

--- Directories for one run of luactr as that user; close the result.
---@param owner? integer
---@return gallery.Place
function M.new(owner)
  local dir = support.tmpdir()
  local place <close> = setmetatable({ dir = dir, work = dir.path, owner = owner,
    image = dir.path .. "/image", host = dir.path .. "/host",
    volume = dir:mkdir "volume", run = dir:mkdir "run" }, Place)
  make_image(place.image)
  place.canary = canary.new(place.host, owner)
  place.kept = true
  return setmetatable({}, { __index = place, __close = function() place:close() end })
end

--- Give the user what is his.
function M.hand_over(place)
  for _, path in ipairs { place.image, place.volume, place.run, place.recipe } do
    canary.hand_over(path, place.owner)
  end
end

return M
