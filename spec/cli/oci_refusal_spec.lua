-- What contradicts itself, or is no config.json at all: a sentence on stderr and in the log, a
-- status that is not 0, and nothing left.

local cjson = require("cjson")
local lfs = require("lfs")
local support = require("support")
local world = require("support.world")

local it = support.it(it, pending, "root")

local GOOD <const> = '{"ociVersion": "1.0.2", "root": {"path": "rootfs"}, '
  .. '"process": {"cwd": "/", "args": ["true"]}, "linux": {"namespaces": [{"type": "mount"}]}}'

local function with(from, to)
  local text, count = GOOD:gsub(from:gsub("%p", "%%%0"), (to:gsub("%%", "%%%%")))
  assert(count == 1, from)
  return text
end

local function mappings()
  local list = {}
  for i = 1, 20000 do
    list[i] = string.format('{"containerID": %d, "hostID": %d, "size": 1}', i, i)
  end
  return with('"linux": {', '"linux": {"uidMappings": [' .. table.concat(list, ",") .. "], ")
end

local CASES <const> = {
  { "a version that is none", with("1.0.2", "one"), 'ociVersion: a version as "1.0.2" expected' },
  { "a version of the future", with("1.0.2", "2.0.0"), "only the versions 1 are known" },
  { "no root", with('"root": {"path": "rootfs"}, ', ""), "root: is missing" },
  { "a root that is not there", with("rootfs", "nowhere"), "nowhere" },
  { "an unknown namespace", with('"mount"', '"mount"}, {"type": "moon"'),
    'linux.namespaces[1].type: unknown namespace type "moon"' },
  { "a path without the type", with('"mount"', '"mount"}, {"path": "/proc/1/ns/net"'),
    "linux.namespaces[1].type: is missing" },
  { "a namespace twice", with('"mount"', '"mount"}, {"type": "mount"'),
    'linux.namespaces[1].type: "mount" is there twice' },
  { "a huge number", with('"args"', '"oomScoreAdj": ' .. ("9"):rep(400) .. ', "args"'),
    "process.oomScoreAdj: integer of 64 bits expected" },
  { "a number past 64 bits", with('"args"', '"user": {"uid": 18446744073709551617}, "args"'),
    "process.user.uid: integer of 32 bits" },
  { "depth", with('"args"', '"x": ' .. ("["):rep(100000) .. ("]"):rep(100000) .. ', "args"'),
    "it is deeper than 64" },
  { "bad UTF-8", with("true", "tr\xffe"), "it is no UTF-8 at byte" },
  { "a member twice", with('"cwd": "/"', '"cwd": "/", "cwd": "/tmp"'), '"cwd" is there twice' },
  { "a megabyte of mappings", mappings(), "linux.uidMappings: more than 340 ranges" },
  { "mappings without users", with('"linux": {',
    '"linux": {"uidMappings": [{"containerID": 0, "hostID": 1, "size": 1}], '),
    "linux.uidMappings: needs a user namespace of its own" },
  { "names for the host", with('"root"', '"hostname": "x", "root"'), "hostname: needs a uts" },
}

describe("luactr oci refuses #cli", function()
  local dir

  before_each(function()
    world.check()
    dir = support.tmpdir()
    dir:mkdir("bundle/rootfs")
  end)

  after_each(function()
    dir:close()
    world.check()
  end)

  for _, case in ipairs(CASES) do
    it(case[1], function()
      support.write(dir.path .. "/bundle/config.json", case[2])
      local result = support.luactr { "oci", "--root", dir .. "/state", "--log", dir .. "/log",
        "--log-format", "json", "create", "--bundle", dir .. "/bundle", support.name("refused") }
      assert.are_not.equal(0, result.code)
      assert.are.equal("", result.stdout)
      assert.is_truthy(result.stderr:find(case[3], 1, true), result.stderr:sub(1, 1000))
      local line = cjson.decode(support.read(dir.path .. "/log"):match("[^\n]+"))
      assert.are.equal("error", line.level)
      assert.is_truthy(line.msg:find(case[3], 1, true), line.msg:sub(1, 1000))
      assert.is_nil(lfs.attributes(dir.path .. "/state/containers/" .. support.name("refused")))
    end)
  end
end)
