-- docs/security.md has a row for each attack that is tried, and no other.
local document = require("support.gallery.document")
local lfs = require("lfs")
local support = require("support")

describe("docs/security.md #attack", function()
  it("has a row for each spec, and a spec for each row", function()
    local tried, told = {}, {}
    for name in lfs.dir("spec/attack") do
      local text = name:find("_spec%.lua$") and support.read("spec/attack/" .. name) or ""
      for attack in text:gmatch("attack = \"([%w-]+)\"") do tried[attack] = true end
    end
    for name in pairs(document.rows()) do told[name] = true end
    assert.same(told, tried)
  end)

  it("has counts of each race, which was seen to happen", function()
    local counted, raced = {}, {}
    for line in io.lines("docs/security.md") do
      local race, attempts, met = line:match("^| (race%-[%w-]+) | (%d+) | %d+ | (.*) |$")
      if race then
        counted[race] = tonumber(attempts) >= 300 and met:find(", ", 1, true) ~= nil
      end
    end
    for name in pairs(document.rows()) do raced[name] = name:find("^race%-") and true or nil end
    assert.same(raced, counted)
  end)
end)
