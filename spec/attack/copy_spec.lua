-- Copies into and out of a running container whose files, archives and racing payload want them to
-- go elsewhere.
local archive = require("luactr.files.archive")
local ctr = require("luactr")
local document = require("support.gallery.document")
local gallery = require("support.gallery")
local race = require("support.race")
local support = require("support")
local sys = require("luactr.sys")
local world = require("support.world")

local it = support.it(it, pending, "root")

-- ---- one attempt

local function memory(text)
  local fd = assert(sys.memfd_create("spec"))
  if text then
    fd:write(text)
    sys.lseek(fd, 0)
  end
  return fd
end

-- An archive of entries; a file's data is `text`.
local function tar_of(entries)
  local fd = memory()
  local writer <close> = assert(archive.writer(fd))
  for _, entry in ipairs(entries) do
    entry.mode = entry.mode or 420
    entry.fd = entry.text and memory(entry.text)
    entry.size = entry.size or entry.text and #entry.text or nil
    assert(writer:put(entry))
    if entry.fd then entry.fd:close() end
  end
  assert(writer:finish())
  sys.lseek(fd, 0)
  return fd
end

-- Errors, for people, of what was tried.
local function text_of(results)
  local lines = {}
  for i, err in ipairs(results) do lines[i] = tostring(err) end
  return table.concat(lines, "\n")
end

---@class copy.Attack
---@field attack string its row in docs/security.md
---@field image? fun(dir: support.Directory, place: gallery.Place)
---@field tries fun(box: luactr.container, place: gallery.Place, try: function) calls
---  try(result...) with what each copy returned
---@field check? fun(place: gallery.Place): string? the harm done

---@param attack copy.Attack
local function specs(attack)
  it(attack.attack, function()
    local place <close> = gallery.place()
    if attack.image then attack.image(place.dir, place) end
    place.canary:watch()
    local box <close> = ctr.container { rootfs = place.image, stdin = "null",
      command = { "/bin/busybox", "sleep", "1000" } }
    assert(box:start())
    local errors, done = {}, 0
    attack.tries(box, place, function(fine, err)
      if fine then done = done + 1 else errors[#errors + 1] = err end
    end)
    local output = text_of(errors)
    local harm = place.canary:harm(output)
    harm[#harm + 1] = attack.check and attack.check(place) or nil
    for _, result in ipairs { done > 0 and "held" or nil, #errors > 0 and "refused" or nil } do
      document.expect(attack, { result = #harm > 0 and "escaped" or result,
        harm = table.concat(harm, "\n"), output = output })
    end
  end)
end

-- Whether the secret is in a tree of the host.
local function has_secret(place, path)
  local stat = sys.stat(path, "symlink_nofollow")
  if stat and stat.type == "file" and support.read(path):find(place.canary.secret, 1, true) then
    return path .. " has the secret"
  end
  for _, entry in ipairs(stat and stat.type == "directory" and sys.readdir(path) or {}) do
    local found = has_secret(place, path .. "/" .. entry.name)
    if found then return found end
  end
end

describe("a copy #attack", function()
  setup(world.adopt_orphans)
  before_each(world.check)
  after_each(world.check)

  specs {
    attack = "copy-through-symlink",
    image = function(dir, place)
      support.symlink(place.host, place.image .. "/leak")
      support.symlink(place.host .. "/secret", place.image .. "/file")
      support.symlink(("../"):rep(20) .. place.host, place.image .. "/dots")
      support.symlink("/proc/self/root" .. place.host, place.image .. "/magic")
      dir:write("in/secret", "pwned")
    end,
    tries = function(box, place, try)
      local out = place.work .. "/out"
      for _, path in ipairs { "/leak/secret", "/leak/.", "/dots/secret", "/magic/secret",
        ("/.."):rep(20) .. place.host .. "/secret", "/proc/1/root" .. place.host .. "/secret",
        "/proc/self/cwd/secret" } do
        try(box:copy_out(path, out))
        try(box:copy_in(place.work .. "/in/secret", path))
      end
      try(box:copy_out("/file", out, { follow = true }))
      try(box:copy_in(place.work .. "/in/secret", "/file"))
      try(box:copy_in(place.work .. "/in/.", "/leak"))
      try(box:copy_in(place.work .. "/in/.", "/dots/"))
    end,
    check = function(place) return has_secret(place, place.work .. "/out") end,
  }

  -- What was copied out is looked at later by the host's root.
  specs {
    attack = "copy-out-privileges",
    image = function(dir, place)
      dir:write("image/tree/setuid", "#!/bin/sh\n")
      assert(sys.chmod(place.image .. "/tree/setuid", "06755"))
      sys.setxattr(place.image .. "/tree/setuid", "security.capability",
        "\1\0\0\2\0\0\32\0" .. ("\0"):rep(12))
      sys.mknod(place.image .. "/tree/zero", "020666", sys.makedev(1, 5))
    end,
    tries = function(box, place, try)
      try(box:copy_out("/tree", place.work .. "/plain"))
      try(box:copy_out("/tree", place.work .. "/archive", { archive = true }))
    end,
    check = function(place)
      for _, name in ipairs { "plain", "archive" } do
        local file = place.work .. "/" .. name .. "/setuid"
        if sys.stat(file).mode & tonumber("6000", 8) ~= 0 then return file .. " has set-id bits" end
        if sys.getxattr(file, "security.capability") then return file .. " has capabilities" end
        if sys.stat(place.work .. "/" .. name .. "/zero") then return "a device came out" end
      end
    end,
  }

  specs {
    attack = "archive-names",
    tries = function(box, place, try)
      for _, name in ipairs { ("../"):rep(20) .. place.host:sub(2) .. "/pwned",
        "a/../../" .. ("../"):rep(20) .. place.host:sub(2) .. "/pwned", "..",
        place.host .. "/pwned", "//" .. place.host .. "/secret" } do
        local tar <close> = tar_of { { path = name, type = "file", text = "pwned" } }
        try(box:copy_in(tar, "/tmp"))
      end
    end,
  }

  specs {
    attack = "archive-links",
    image = function(_, place)
      support.symlink(place.host, place.image .. "/tmp/old")
    end,
    tries = function(box, place, try)
      for _, entries in ipairs {
        { { path = "l", type = "symlink", link = place.host },
          { path = "l/pwned", type = "file", text = "pwned" } },
        { { path = "old/pwned", type = "file", text = "pwned" } },
        { { path = "old", type = "directory", mode = 511 } },
        { { path = "old/dir", type = "directory", mode = 511 } },
        { { path = ".", type = "symlink", link = place.host },
          { path = "pwned", type = "file", text = "pwned" } },
        { { path = "h", type = "link", link = place.host .. "/secret" },
          { path = "h", type = "file", text = "pwned" } },
        { { path = "h", type = "link", link = ("../"):rep(20) .. place.host:sub(2) .. "/secret" } },
        { { path = "h", type = "link", link = "old/secret" } },
        { { path = "s", type = "symlink", link = place.host .. "/secret" },
          { path = "h", type = "link", link = "s" },
          { path = "h", type = "file", text = "pwned", mode = 511 },
          { path = "s", type = "file", text = "pwned", mode = 511 } },
      } do
        local tar <close> = tar_of(entries)
        try(box:copy_in(tar, "/tmp", { archive = true }))
      end
    end,
  }

  specs {
    attack = "archive-privileges",
    tries = function(box, _, try)
      local tar <close> = tar_of {
        { path = "setuid", type = "file", text = "x", mode = tonumber("6755", 8), uid = 5,
          xattrs = { ["security.capability"] = "\1\0\0\2\0\0\32\0" .. ("\0"):rep(12),
            ["trusted.overlay.opaque"] = "y", ["user.overlay.opaque"] = "y" } },
        { path = "zero", type = "char", major = 1, minor = 5 },
        { path = "disk", type = "block", major = 8, minor = 0 },
      }
      try(box:copy_in(tar, "/tmp"))
    end,
    check = function(place)
      local file = place.image .. "/tmp/setuid"
      local stat = sys.stat(file)
      if stat.mode ~= tonumber("755", 8) or stat.uid ~= 0 then return "set-id bits, or an owner" end
      if #assert(sys.listxattr(file)) > 0 then return "attributes: " .. sys.listxattr(file)[1] end
      if #assert(sys.readdir(place.image .. "/tmp")) ~= 1 then return "devices" end
    end,
  }

  specs {
    attack = "archive-bombs",
    tries = function(box, _, try)
      local hole <close> = memory()
      sys.ftruncate(hole, 1 << 40)
      local many = {}
      for i = 1, 101 do many[i] = { path = "many" .. i, type = "directory" } end
      for _, entries in ipairs {
        { { path = "large", type = "file", size = 1 << 40 } }, many,
        { { path = ("d/"):rep(60) .. "x", type = "directory" } },
      } do
        local fd <close> = memory()
        local writer <close> = assert(archive.writer(fd))
        for _, entry in ipairs(entries) do
          entry.fd = entry.size and hole
          assert(writer:put(entry))
        end
        assert(writer:finish())
        sys.lseek(fd, 0)
        local done, err = box:copy_in(fd, "/tmp",
          { limits = { entries = 100, bytes = 1 << 30, depth = 50 } })
        assert(done or err.code == "E2BIG", tostring(err))
        try(done, err)
      end
    end,
    check = function(place)
      return sys.stat(place.image .. "/tmp/large") and "there is a file of a TiB" or nil
    end,
  }

  -- Programs and libraries of the image, and Lua files, that a copy might load.
  it("copy-planted-code", function()
    local attack = { attack = "copy-planted-code" }
    local place <close> = gallery.place()
    local owned = ("#!/bin/busybox sh\necho pwned > %s/owned\n"):format(place.host)
    for _, name in ipairs { "xz", "unxz", "gzip", "zstd", "bzip2", "tar", "sh" } do
      place.dir:write("image/planted/" .. name, owned, "0755")
    end
    for _, name in ipairs { "libarchive.so.13", "libnss_files.so.2", "liblzma.so.5", "cjson.so",
      "luactr/files/archive.lua", "init.lua" } do
      place.dir:write("image/" .. name, ("io.open(%q, 'w'):close()"):format(place.host .. "/owned"))
    end
    place.dir:write("plain", "x")
    support.must { "tar", "-cJf", place.work .. "/t.tar.xz", "-C", place.work, "plain" }
    place.canary:watch()
    local box <close> = ctr.container { name = support.name("planted"), rootfs = place.image,
      stdin = "null", command = { "/bin/busybox", "sleep", "1000" } }
    assert(box:start())
    local output = ""
    for _, words in ipairs { { "cp", "-", box.id .. ":/tmp" }, { "cp", box.id .. ":/etc", "-" },
      { "export", box.id } } do
      words.cwd, words.stdin = place.image, support.read(place.work .. "/t.tar.xz")
      words.env = { PATH = place.image .. "/planted:" .. os.getenv("PATH") }
      table.insert(words, 1, support.luactr_program)
      local result = support.run(words)
      assert(result.code == 0, result.stderr)
      output = output .. result.stderr
    end
    assert.equal("x", support.read(place.image .. "/tmp/plain"))
    local harm = place.canary:harm(output)
    document.expect(attack, { result = #harm > 0 and "escaped" or "held",
      harm = table.concat(harm, "\n"), output = output })
  end)
end)

describe("a race with a copy #attack", function()
  setup(world.adopt_orphans)
  before_each(world.check)
  after_each(world.check)

  -- volume/dest is a directory with what the canary has, volume/link a link to the canary's.
  local function prepare(dir, place)
    dir:write("volume/dest/secret", "inside")
    dir:write("volume/dest/dir/file", "inside")
    support.symlink(place.host, place.volume .. "/link")
    for i = 1, 20 do dir:write("in/" .. i, "copied") end
    dir:write("in/secret", "copied")
    dir:write("in/dir/file", "copied")
  end

  local FIELDS <const> = 'mounts = { ctr.bind("{volume}", "/vol") }, labels = { work = "{work}" },'
  local NAMES <const> = { "volume/dest", "volume/link" }

  -- `operation` uses box and work, and has to return what copies return.
  local function running(operation)
    return ([[
local work, sys = fields.labels.work, ctr.sys
local box <close> = ctr.container(fields)
assert(box:start())
for _ = 1, ATTEMPTS do
  local done, err = (function() %s end)()
  met(done == true and "directory" or done, err)
end]]):format(operation)
  end

  race.specs {
    attack = "race-copy-in", prepare = prepare, racer = NAMES, fields = FIELDS,
    script = "exec sleep 1000", body = running 'return box:copy_in(work .. "/in/.", "/vol/dest")',
  }

  race.specs {
    attack = "race-copy-out", prepare = prepare, racer = NAMES, fields = FIELDS,
    script = "exec sleep 1000",
    body = running [[
local done, err = box:copy_out("/vol/dest/secret", work .. "/volume/out")
local file <close> = io.open(work .. "/volume/out")
print(file and file:read("a"))
return done, err]],
  }

  -- What is exchanged lies below what is copied.
  race.specs {
    attack = "race-copy-tree", older = false, prepare = prepare, racer = NAMES, fields = FIELDS,
    script = "exec sleep 1000",
    body = running [[
local fd <close> = sys.memfd_create("out")
local done, err = box:copy_out("/vol", fd)
sys.lseek(fd, 0)
print((fd:read(1 << 20):gsub("[%z%c]", "")))
sys.lseek(fd, 0)
local reader <close> = require("luactr.files.archive").reader(fd)
for entry in function() return reader:next() end do
  if entry.path:find("^vol/dest/?$") then return entry.type, err end
end
return done and "nothing", err]],
  }
end)
