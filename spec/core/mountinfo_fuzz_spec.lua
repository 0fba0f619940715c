local cgroup = require("luactr.core").cgroup
local lfs = require("lfs")
local support = require("support")

local CORPUS <const> = "spec/corpus/mountinfo"
local random = math.random

local function lines_of_corpus()
  local lines = {}
  for name in lfs.dir(CORPUS) do
    if name:sub(1, 1) ~= "." then
      for line in io.lines(CORPUS .. "/" .. name) do lines[#lines + 1] = line end
    end
  end
  return lines
end

-- As the kernel writes a path or a source.
local function escaped(text)
  return (text:gsub("[ \t\n\\]", function(c) return ("\\%03o"):format(c:byte()) end))
end

local function bytes(length, alphabet)
  local parts = {}
  for i = 1, length do
    local at = random(#alphabet)
    parts[i] = alphabet:sub(at, at)
  end
  return table.concat(parts)
end

local ANY <const> = "/a-b.: \t\n\\0123,=#-\xff\x01"
local WORD <const> = "abc-,=:/.\\\xff"
local NUMBERS <const> = { 0, 1, 9, 4095, 65536, 4294967295 }

local function number() return NUMBERS[random(#NUMBERS)] end

local function random_mount()
  local optional = {}
  for i = 1, random(0, 3) do optional[i] = ("shared:%d"):format(number()) end
  return {
    id = number(), parent = number(), major = number(), minor = number(),
    root = "/" .. bytes(random(0, 30), ANY), target = "/" .. bytes(random(0, 300), ANY),
    options = "rw" .. bytes(random(0, 10), WORD), propagation = table.concat(optional, " "),
    type = "t" .. bytes(random(0, 10), WORD), source = bytes(random(0, 20), ANY),
    super_options = bytes(random(0, 20), WORD),
  }
end

local function line_of(mount)
  return ("%d %d %d:%d %s %s %s %s- %s %s %s"):format(mount.id, mount.parent, mount.major,
    mount.minor, escaped(mount.root), escaped(mount.target), mount.options,
    mount.propagation == "" and "" or mount.propagation .. " ", mount.type,
    escaped(mount.source), mount.super_options)
end

local function mutate(line)
  local at = random(#line)
  local change = random(4)
  if change == 1 then return line:sub(1, at - 1) .. line:sub(at + 1) end
  if change == 2 then return line:sub(1, at) end
  if change == 3 then return line:sub(1, at) .. bytes(1, " \\-:0/\n\xff") .. line:sub(at + 1) end
  return line:sub(1, at - 1) .. string.char(random(1, 255)) .. line:sub(at + 1)
end

describe("parse_mountinfo() under a fuzzer #fuzz", function()
  it("reads back what the kernel would write", function()
    support.fuzz(function()
      local mount = random_mount()
      assert.same(mount, cgroup.parse_mountinfo(line_of(mount)))
    end)
  end)

  it("takes every line of the corpus, and keeps to its fields when they are changed", function()
    local corpus = lines_of_corpus()
    assert.is_true(#corpus > 12)
    for _, line in ipairs(corpus) do assert(cgroup.parse_mountinfo(line), line) end
    local taken, refused = 0, 0
    support.fuzz(function()
      local line = corpus[random(#corpus)]
      for _ = 1, random(3) do line = mutate(line) end
      local mount, message = cgroup.parse_mountinfo(line)
      taken, refused = taken + (mount and 1 or 0), refused + (mount and 0 or 1)
      if not mount then return assert(message) end
      for _, name in ipairs { "id", "parent", "major", "minor" } do
        assert(mount[name] >= 0 and mount[name] <= 4294967295, line)
      end
      local length = #mount.root + #mount.target + #mount.options + #mount.propagation
        + #mount.type + #mount.source + #mount.super_options
      assert(length < #line, line)
    end)
    assert.is_true(taken > 0 and refused > 0)
  end)

  it("finds the homes of controllers in whatever text", function()
    local corpus = lines_of_corpus()
    support.fuzz(function()
      local lines = {}
      for i = 1, random(0, 12) do
        lines[i] = corpus[random(#corpus)]
        if random(3) == 1 then lines[i] = mutate(lines[i]) end
      end
      local layout = cgroup.layout(table.concat(lines, "\n"), "0::/x\n1:name=systemd:/y\n", "cpu")
      for _, home in pairs(layout and layout.controllers or {}) do
        assert(home.version == 1 or home.version == 2)
        assert(type(home.mount) == "string")
      end
    end)
  end)
end)
