-- What an attack must leave alone: a directory of the host with a secret, a process that listens on
-- two sockets, and what the host's kernel is set to.
--
--   local canary <close> = canary.new(path, owner)   -- its .path, .secret, .socket, .name
--   canary:watch()                                   -- this is how it should stay
--   canary:harm(output)                              -- what was done to it: a list
--
-- The owner is who runs luactr: what the attacker reaches with that user's rights would be lost.

local lfs = require("lfs")
local process = require("support.process")
local support = require("support")
local sys = require("luactr.core").sys

local Canary = {}
Canary.__index = Canary

-- Values of the whole host that attacks on a runtime go for.
local KERNEL <const> = {
  "/proc/sys/kernel/hostname", "/proc/sys/kernel/core_pattern", "/proc/sys/kernel/modprobe",
  "/proc/sys/user/max_user_namespaces", "/proc/sys/net/ipv4/ip_default_ttl",
  "/proc/sys/vm/stat_interval",
}

local function random_text()
  local file <close> = assert(io.open("/dev/urandom", "rb"))
  return (file:read(16):gsub(".", function(c) return ("%02x"):format(c:byte()) end))
end

-- All that stat and reading tell of a file; only the times of reading may change.
local STAT <const> = { "mode", "ino", "nlink", "uid", "gid", "size", "modification", "change",
  "permissions", "rdev", "target" }

local function identity(path)
  local stat, words = lfs.symlinkattributes(path), {}
  if not stat then return "gone" end
  for i, field in ipairs(STAT) do words[i] = field .. "=" .. tostring(stat[field]) end
  if stat.mode == "file" then words[#words + 1] = support.read(path) end
  return table.concat(words, " ")
end

-- { [path] = identity } of a tree
local function tree(path, found)
  found = found or {}
  found[path] = identity(path)
  if lfs.symlinkattributes(path, "mode") == "directory" then
    for name in lfs.dir(path) do
      if name ~= "." and name ~= ".." then tree(path .. "/" .. name, found) end
    end
  end
  return found
end

local function kernel()
  local found = {}
  for _, path in ipairs(KERNEL) do
    found[path] = lfs.attributes(path) and support.read(path) or nil
  end
  return found
end

local canary = {}

--- Make somebody the owner of a tree: user and group, nobody new if left out. Follows no link.
function canary.hand_over(path, owner)
  if not owner then return end
  if lfs.symlinkattributes(path, "mode") == "directory" then
    for name in lfs.dir(path) do
      if name ~= "." and name ~= ".." then canary.hand_over(path .. "/" .. name, owner) end
    end
  end
  assert(sys.chown(path, owner, owner, "symlink_nofollow"))
end

---@param path string a directory that is not there yet
---@param owner? integer user and group; root if left out
function canary.new(path, owner)
  local secret, self = random_text(), { path = path, socket = path .. "/socket" }
  self.secret, self.name = secret, "luactr-canary-" .. random_text()
  assert(lfs.mkdir(path) and lfs.mkdir(path .. "/dir"))
  for _, name in ipairs { "secret", "ptmx", "null", "dir/file" } do
    support.write(path .. "/" .. name, secret .. "\n")
  end
  local words = { support.program "attack", "witness", self.socket, self.name }
  if owner then
    local id = tostring(owner)
    table.move({ "setpriv", "--reuid", id, "--regid", id, "--clear-groups", "--" }, 1, 7, 1,
      table.move(words, 1, #words, 8))
  end
  canary.hand_over(path, owner)
  assert(sys.chmod(path .. "/secret", "0600"))
  self.witness = process.start(words)
  self.witness:expect "ready"
  return setmetatable(self, Canary)
end

--- From now on it has to stay as it is. `also`: more trees of the host.
function Canary:watch(also)
  self.trees = { self.path, table.unpack(also or {}) }
  self.before, self.kernel = self:look(), kernel()
end

function Canary:look()
  local found = {}
  for _, path in ipairs(self.trees) do tree(path, found) end
  return found
end

local function compare(before, after, harm)
  for path, was in pairs(before) do
    if after[path] ~= was then
      harm[#harm + 1] = ("%s was %s, is %s"):format(path, was, after[path] or "gone")
    end
  end
  for path, is in pairs(after) do
    if not before[path] then harm[#harm + 1] = ("%s is new: %s"):format(path, is) end
  end
end

function Canary:witness_harm(harm)
  self.witness:pump(0)
  for line in self.witness.stdout:gmatch("visited[^\n]*") do
    harm[#harm + 1] = "socket: " .. line
  end
  if not lfs.attributes("/proc/" .. self.witness:pid() .. "/exe") then
    harm[#harm + 1] = "the host's process is dead"
  end
end

--- What came to harm since watch(), and what the attacker said of it.
---@param output string all that the container printed
---@return string[]
function Canary:harm(output)
  local harm = {}
  compare(self.before, self:look(), harm)
  compare(self.kernel, kernel(), harm)
  self:witness_harm(harm)
  if output:find(self.secret, 1, true) then harm[#harm + 1] = "the secret is known" end
  for line in output:gmatch("escaped: [^\n]*") do harm[#harm + 1] = line end
  table.sort(harm)
  return harm
end

function Canary:close()
  self.witness:close()
end
Canary.__close = Canary.close

return canary
