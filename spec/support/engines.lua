-- Engines (podman, Docker, containerd) on a runtime, in a room of their own: see spec/support/room.
--
--   local room <close> = engines.room()
--   room:must { "podman", "--runtime", room.runtime, "run", "--rm", engines.image, "true" }
--
-- LUACTR_ENGINES_RUNTIME is another runtime than luactr, for a benign twin: /usr/sbin/runc.

local lfs = require("lfs")
local process = require("support.process")
local support = require("support")
local sys = require("luactr.core").sys

local engines = {}

local ROOM <const> = lfs.currentdir() .. "/spec/support/room"
local PATIENCE <const> = 180 -- seconds

--- Whether `scripts/test --engines` runs: its specs are in no other run.
engines.wanted = os.getenv("LUACTR_SPEC_ENGINES") ~= nil

--- The image that a room's archive becomes.
engines.image = "localhost/box:1"

local DOCKER <const> = [[{
  "runtimes": { "own": { "path": "%s" } },
  "default-runtime": "own",
  "storage-driver": "overlay2"
}]]

--- A command, for a container with a few restrictions, that shows them.
engines.look = "hostname; id -u; ulimit -n;"
  .. "grep -E 'CapBnd|NoNewPrivs|^Seccomp:' /proc/self/status;"
  .. "touch /x 2>&1; touch /host/x 2>&1; touch /tmp/x && echo written"

--- What it prints.
engines.seen = [[
inside
1000
100
CapBnd:	0000000000000001
NoNewPrivs:	1
Seccomp:	2
touch: /x: Read-only file system
touch: /host/x: Read-only file system
written]]

---@class support.Room
---@field dir table a directory that is the same inside
---@field runtime string path of the runtime
---@field archive string a root with busybox, as tar
local Room = {}
Room.__index = Room

local ACCOUNTS <const> = {
  ["etc/passwd"] = "root:x:0:0:root:/root:/bin/sh\napp:x:1000:1000::/home:/bin/sh\n",
  ["etc/group"] = "root:x:0:\napp:x:1000:\n",
}

--- Fill a directory with a small root: busybox under all its names, and two users.
function engines.make_root(dir, name)
  for _, part in ipairs { "bin", "etc", "proc", "sys", "dev", "tmp", "root", "home", "var" } do
    dir:mkdir(name .. "/" .. part)
  end
  local root = dir.path .. "/" .. name
  support.copy("/bin/busybox", root .. "/bin/busybox")
  support.must { root .. "/bin/busybox", "--install", "-s", root .. "/bin" }
  for applet in lfs.dir(root .. "/bin") do
    local path = root .. "/bin/" .. applet
    if lfs.symlinkattributes(path, "mode") == "link" then
      os.remove(path)
      assert(lfs.link("busybox", path, true))
    end
  end
  for file, text in pairs(ACCOUNTS) do dir:write(name .. "/" .. file, text) end
  support.must { "chmod", "1777", root .. "/tmp" }
  return root
end

local RUNTIME <const> = os.getenv("LUACTR_ENGINES_RUNTIME") or support.build .. "/luactr-oci"

local function child_of(pid)
  local children = support.read(("/proc/%d/task/%d/children"):format(pid, pid))
  return children:match("%d+")
end

-- hold's unshare has one child, PID 1 of the room.
local function first_process(holder)
  for child in support.read(("/proc/%d/task/%d/children"):format(holder, holder)):gmatch("%d+") do
    local inner = child_of(math.tointeger(tonumber(child)))
    if inner then return math.tointeger(tonumber(inner)) end
  end
end

--- Make a room. `init` is "systemd" to have that as PID 1.
---@param init? "systemd"
function engines.room(init)
  local dir = support.tmpdir()
  local self = setmetatable({ dir = dir, name = support.name("room-" .. dir.path:match("(%w+)$")),
    runtime = RUNTIME, archive = dir.path .. "/root.tar", daemons = {} }, Room)
  local root = engines.make_root(dir, "root")
  support.must { "tar", "-C", root, "-cf", self.archive, "." }
  self.holder = process.start { ROOM, "hold", self.name, init }
  self.holder:expect("ready\n")
  self.pid = first_process(self.holder:pid())
  if init then
    local fine, problem = pcall(engines.await, "systemd", function()
      return self:run({ "test", "-S", "/run/systemd/private" }).code == 0
    end)
    if not fine then
      self:close()
      error(problem, 2)
    end
  end
  return self
end

local function inside(self, options)
  local copy = { ROOM, "run", self.name, self.pid }
  for key, value in pairs(options) do
    if type(key) == "string" then copy[key] = value end
  end
  copy.timeout = copy.timeout or PATIENCE
  for i, word in ipairs(options) do copy[i + 4] = tostring(word) end
  return copy
end

--- Run a program in the room to its end, as support.run does.
---@param options support.Run
function Room:run(options)
  return support.run(inside(self, options))
end

--- The same for one that has to succeed: what it printed, without the last newline.
---@param options support.Run
function Room:must(options)
  local result = self:run(options)
  if result.code ~= 0 then
    error(("%s: status %d: %s%s"):format(table.concat(options, " "), result.code, result.stdout,
      result.stderr), 2)
  end
  return (result.stdout:gsub("\n$", ""))
end

--- Run a program in the room beside the spec, as support.process does; it ends with the room.
---@param options support.Start
function Room:start(options)
  local copy = inside(self, options)
  copy[4] = tostring(copy[4])
  copy.timeout = nil
  return process.start(copy)
end

--- A daemon, whose output goes to a file of the room's directory.
---@param name string
---@param argv string[]
function Room:daemon(name, argv)
  local log = self.dir.path .. "/" .. name .. ".log"
  local words = { "sh", "-c", 'exec "$@" >"$0" 2>&1', log }
  table.move(argv, 1, #argv, #words + 1, words)
  self.daemons[#self.daemons + 1] = self:start(words)
end

--- Call a function until what it returns is true; its last value, or an error with the message.
function engines.await(what, condition)
  local deadline = sys.clock_gettime() + PATIENCE
  repeat
    local value = condition()
    if value then return value end
    sys.nanosleep(0.1)
  until sys.clock_gettime() > deadline
  error("not within " .. PATIENCE .. " seconds: " .. what, 2)
end

--- The archive as an image in OCI's layout, for containerd: its path.
function Room:oci_archive()
  local path = self.dir.path .. "/oci.tar"
  local store = { LUACTR_IMAGES = self.dir.path .. "/images" }
  local program = support.luactr_program
  support.must { program, "image", "import", self.archive, "--name", engines.image, env = store }
  support.must { program, "image", "export", engines.image, "--output", path, env = store }
  return path
end

--- Options for run, must and start: docker with these arguments.
function Room:docker(...)
  return { tty = { rows = 31, columns = 97 }, env = {
    DOCKER_HOST = "unix:///run/docker.sock", DOCKER_CONFIG = "/run/docker", DOCKER_BUILDKIT = "0",
    PATH = "/usr/sbin:/usr/bin:/sbin:/bin",
  }, "docker", ... }
end

--- Start Docker with the runtime as its default one, and give it the image.
function Room:start_docker()
  local configuration = self.dir:write("daemon.json", DOCKER:format(self.runtime))
  self:daemon("dockerd", { "dockerd", "--config-file", configuration, "--host",
    "unix:///run/docker.sock" })
  engines.await("dockerd", function() return self:run(self:docker("version")).code == 0 end)
  self:must(self:docker("import", self.archive, engines.image))
end

--- End all that runs in the room and remove what is left of it.
function Room:close()
  if self.closed then return end
  self.closed = true
  self.holder:end_input()
  self.holder:wait(PATIENCE)
  self.holder:close()
  for _, daemon in ipairs(self.daemons) do daemon:close() end
  support.must { ROOM, "close", self.name }
  self.dir:close()
end
Room.__close = Room.close

return engines
