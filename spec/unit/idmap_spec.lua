local facts = require "luactr.idmap.facts"
local idmap = require "luactr.idmap"
local spec = require "luactr.spec"
local support = require "support"

local root <const> = setmetatable({}, { __name = "luactr.rootfs", __index = {} })

local function check(fields)
  local raw = { rootfs = root, command = { "/bin/true" } }
  for name, value in pairs(fields) do raw[name] = value end
  return spec.check(raw)
end

local function problems_of(err)
  local list = {}
  for i, problem in ipairs(err.problems or err) do
    list[i] = problem.path .. ": " .. problem.message
  end
  return table.concat(list, "\n")
end

local ALL <const> = { { first = 0, count = 0xffffffff } }
local RANGE <const> = { { first = 100000, count = 65536 } }

local function host(changes)
  local ids = { may = { uid = true, gid = true }, own = { uid = ALL, gid = ALL }, name = "ann",
    granted = { uid = RANGE, gid = RANGE }, pool = { { uid = 1 << 20, gid = 1 << 20 } },
    helpers = { uid = "/usr/bin/newuidmap", gid = "/usr/bin/newgidmap" } }
  local result = { uid = 0, gid = 0, privileged = true, ids = ids }
  for name, value in pairs(changes or {}) do
    (result[name] ~= nil and result or ids)[name] = value
  end
  return result
end

local function stranger(changes)
  local all = { uid = 1000, gid = 100, privileged = false, may = { uid = false, gid = false },
    pool = false }
  for name, value in pairs(changes or {}) do all[name] = value end
  return host(all)
end

-- The maps as text, or the problems.
local function compile(fields, facts_of_host)
  local checked = assert(check(fields))
  local settled = setmetatable({ namespaces = { user = "new" } }, { __index = checked })
  local maps, problems = idmap.compile(settled, facts_of_host)
  if not maps then return problems_of(problems) end
  local text = require("luactr.spec.idmap").text
  return text(maps.uid):gsub("\n", ";") .. " " .. text(maps.gid):gsub("\n", ";"), maps
end

describe("luactr.spec.idmap #unit", function()
  it("takes ranges by position, by name and by OCI's names", function()
    local wanted = { { inside = 0, outside = 1000, count = 10 } }
    for _, row in ipairs { { 0, 1000, 10 }, { inside = 0, outside = 1000, count = 10 },
      { containerID = 0, hostID = 1000, size = 10 }, { 0.0, 1000, count = 10 } } do
      assert.same({ uid = wanted, gid = wanted }, assert(check { idmap = { uid = { row } } }).idmap)
    end
  end)

  local function rows(count, step)
    local list = {}
    for i = 1, count do list[i] = { (i - 1) * step, (i - 1) * step, 1 } end
    return list
  end

  local wrong <const> = {
    { "host", 'idmap: "auto", "single", "range" or { uid =, gid = } expected, got "host"' },
    { {}, "idmap.uid: is missing: list of { inside, outside, count } expected" },
    { { uid = {} }, "idmap.uid: is empty: no user would exist inside" },
    { { uid = { 0, 1, 2 } }, "idmap.uid[1]: { inside, outside, count } expected, got 0" },
    { { uid = { { 0, 1 } } },
      "idmap.uid[1]: count: number from 1 to 4294967295 expected, got nil" },
    { { uid = { { 0, 0, 0 } } },
      "idmap.uid[1]: count: number from 1 to 4294967295 expected, got 0" },
    { { uid = { { -1, 0, 1 } } },
      "idmap.uid[1]: inside: number from 0 to 4294967294 expected, got -1" },
    { { uid = { { 0, 4294967295, 1 } } },
      "idmap.uid[1]: outside: number from 0 to 4294967294 expected, got 4294967295" },
    { { uid = { { 0, 4294967294, 2 } } },
      "idmap.uid[1]: outside ids end at 4294967295, the last that there is is 4294967294" },
    { { uid = { { 1, 0, 4294967295 } } },
      "idmap.uid[1]: inside ids end at 4294967295, the last that there is is 4294967294" },
    { { uid = { { 0, 0, 1, 1 } } },
      "idmap.uid[1]: unknown field 4: a range is { inside, outside, count }" },
    { { uid = { { 0, 0, 1, inside = 0 } } },
      "idmap.uid[1]: twice \"inside\": a range is { inside, outside, count }" },
    { { uid = { { 0, 100, 10 }, { 9, 200, 1 } } },
      "idmap.uid[2]: overlaps idmap.uid[1]: inside 9 is in both" },
    { { uid = { { 0, 100, 10 } }, gid = { { 0, 100, 10 }, { 20, 109, 1 } } },
      "idmap.gid[2]: overlaps idmap.gid[1]: outside 109 is in both" },
    { { uid = rows(341, 2) }, "idmap.uid: more than 340 ranges, which is what the kernel takes" },
    { { uid = rows(340, 1000000) }, "idmap.uid: 7248 bytes as text, and the kernel takes 4095" },
    { { uid = rows(5000, 2) }, "idmap.uid: more than 340 ranges, which is what the kernel takes" },
    { { uid = { { 0, 0, 1 } }, mode = "auto" },
      "idmap.mode: unknown field: a map is { uid = ranges, gid = ranges }" },
  }
  for i, case in ipairs(wrong) do
    it("refuses what is wrong (" .. i .. ")", function()
      local checked, err = check { idmap = case[1] }
      assert.is_nil(checked)
      assert.equal(case[2], problems_of(err))
    end)
  end

  it("takes the whole space and as many ranges as the kernel does", function()
    assert(check { idmap = { uid = { { 0, 0, 4294967295 } } } })
    assert(check { idmap = { uid = rows(340, 2) } })
  end)

  it("contradicts the host's user namespace", function()
    local _, err = check { idmap = "auto", namespaces = { user = "host" } }
    assert.equal("idmap: needs a user namespace of its own: leave namespaces.user out",
      problems_of(err))
  end)

  it("accepts only maps that are maps #fuzz", function()
    local numbers <const> = { 0, 1, 2, 5, 100, 65536, 4294967294, 4294967295, 4294967296, -1, 0.5,
      1e300, "1", 0 / 0, math.maxinteger, math.mininteger, true }
    local names <const> = { 1, 2, 3, "inside", "outside", "count", "containerID", "hostID", "size" }
    local function number() return numbers[math.random(#numbers)] end
    support.fuzz(function()
      local list = {}
      for i = 1, math.random(0, 4) do
        list[i] = { number(), number(), number() }
        if math.random(8) == 1 then list[i][names[math.random(#names)]] = number() end
      end
      local checked = check { idmap = { uid = list } }
      if not checked then return end
      local seen = {}
      for _, row in ipairs(checked.idmap.uid) do
        for _, side in ipairs { "inside", "outside" } do
          local first, last = row[side], row[side] + row.count - 1
          assert(first >= 0 and last >= first and last <= 4294967294)
          for _, other in ipairs(seen[side] or {}) do
            assert(last < other[1] or first > other[2])
          end
          seen[side] = seen[side] or {}
          table.insert(seen[side], { first, last })
        end
      end
    end)
  end)
end)

describe("luactr.idmap #unit", function()
  it("maps one id without a word", function()
    local text, maps = compile({ user = "5:6" }, stranger())
    assert.equal("5 1000 1; 6 100 1;", text)
    assert.equal("deny", maps.setgroups)
  end)

  it("takes a free range for root", function()
    local text, maps = compile({ idmap = "auto" }, host())
    assert.same({ "0 0 65536; 0 0 65536;", 65536, true }, { text, maps.range, maps.foreign })
    assert.equal("0 7 65536\n", require("luactr.spec.idmap").text(
      idmap.placed(maps, { uid = 7, gid = 8 }).uid))
  end)

  it("is content with one id for others that need no more", function()
    local text, maps = compile({ idmap = "auto", user = 7 }, stranger())
    assert.same({ "7 1000 1; 7 100 1;", nil }, { text, maps.helpers })
  end)

  it("takes what was granted when groups are wanted, or by word", function()
    local wanted <const> = "0 1000 1;1 100000 65536; 0 100 1;1 100000 65536;"
    local text, maps = compile({ idmap = "auto", groups = { 29 } }, stranger())
    assert.same({ wanted, "/usr/bin/newuidmap" }, { text, maps.helpers.uid })
    assert.equal(wanted, (compile({ idmap = "range" }, stranger())))
  end)

  local refused <const> = {
    { { idmap = "range" }, { granted = { uid = RANGE, gid = {} } },
      "idmap: /etc/subgid grants no groups to ann: as root add the line ann:100000:65536, "
      .. 'or say idmap = "single"' },
    { { idmap = "range" }, { helpers = { uid = "/usr/bin/newuidmap" } },
      "idmap: newgidmap is not installed, and without root only it may write such a map: "
      .. 'install it (Debian: apt install uidmap), or say idmap = "single"' },
    { { idmap = { uid = { { 0, 1000, 1 }, { 1, 100000, 70000 } }, gid = { { 0, 100, 1 } } } }, {},
      "idmap.uid[2]: user 100000-169999: only 1000, 100000-165535 belong to ann (/etc/subuid)" },
    { { idmap = { uid = { { 0, 1000, 1 } }, gid = { { 0, 0, 1 } } } }, {},
      "idmap.gid[1]: group 0: only 100, 100000-165535 belong to ann (/etc/subgid)" },
    { { idmap = { uid = { { 5, 100000, 1 } }, gid = { { 0, 100, 1 } } } }, {},
      "idmap.uid: has no 0: root of the container sets it up" },
    { { idmap = "range", user = 70000 }, {},
      "user: user 70000 does not exist in the user namespace: idmap.uid does not map it\n"
      .. "user: group 70000 does not exist in the user namespace: idmap.gid does not map it" },
    { { idmap = "range", groups = { 1, 70000 } }, {},
      "groups[2]: group 70000 does not exist in the user namespace: idmap.gid does not map it" },
  }
  for i, case in ipairs(refused) do
    it("refuses what cannot be had (" .. i .. ")", function()
      assert.equal(case[3], (compile(case[1], stranger(case[2]))))
    end)
  end

  it("maps its own id without a program, and more with one", function()
    local _, maps = compile({ idmap = { uid = { { 0, 1000, 1 } }, gid = { { 0, 100, 1 } } } },
      stranger())
    assert.same({ nil, "deny", nil }, { maps.helpers, maps.setgroups, maps.foreign })
    _, maps = compile({ idmap = { uid = { { 0, 100000, 9 } } } }, stranger())
    assert.same({ "/usr/bin/newuidmap", nil, true },
      { maps.helpers.uid, maps.setgroups, maps.foreign })
  end)

  it("maps, as root, what exists in luactr's own namespace", function()
    local nested <const> = { own = { uid = { { first = 0, count = 1000 } },
      gid = { { first = 0, count = 1000 } } }, pool = false }
    assert.equal("0 10 20; 0 10 20;", (compile({ idmap = { uid = { { 0, 10, 20 } } } },
      host(nested))))
    assert.equal("idmap.uid[1]: user 990-1009: only 0-999 exist in luactr's own user namespace",
      (compile({ idmap = { uid = { { 0, 990, 20 } }, gid = { { 0, 0, 1 } } } }, host(nested))))
    assert.equal("idmap: luactr's own user namespace has no 65536 ids to spare: give the map, as "
      .. '{ uid = { { 0, 0, 1000 } } }, or say idmap = "single"',
      (compile({ idmap = "range" }, host(nested))))
    assert.equal("0 0 1; 0 0 1;", (compile({ idmap = "auto" }, host(nested))))
  end)

  it("reads subuid(5) by name and by number, and nothing that is malformed", function()
    local text <const> = "ann:100:10\nbob:200:10\n1000:300:5\nann:-1:5\nann:1:0\nann:x:5\n"
      .. "ann:4294967290:100\nann:99999999999999999999:1\n:1:1\nann:400:6 \n#ann:1:1"
    assert.same({ { first = 100, count = 10 }, { first = 300, count = 5 },
      { first = 400, count = 6 } }, facts.parse(text, "ann", 1000))
    assert.equal(5, #facts.parse(text))
  end)

  it("reads no range outside of 32 bits #fuzz", function()
    local pieces <const> = { "ann", ":", ":", "0", "1", "65536", "4294967295", "\n", "\n", " ",
      "-", "\0", "ann:1:2\n", "99999999999999999999" }
    support.fuzz(function()
      local parts = {}
      for i = 1, math.random(0, 40) do parts[i] = pieces[math.random(#pieces)] end
      for _, range in ipairs(idmap.merged(facts.parse(table.concat(parts), "ann", 0))) do
        assert(range.first >= 0 and range.count > 0)
        assert(range.first + range.count <= 4294967295)
      end
    end)
  end)
end)
