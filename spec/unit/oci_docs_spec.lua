-- docs/oci.md names each field of the specification's schema (spec/support/oci_schema has them,
-- version 1.3), what becomes of it, and the spec that sees that.

local support = require "support"

local PAGE <const> = "docs/oci.md"

local function rows()
  local list = {}
  local row <const> = "\n| `([^`]+)` | ([^\n]-) | ([^\n]-) |%f[\n]"
  for path, what, seen in support.read(PAGE):gmatch(row) do
    list[#list + 1] = { path = path, what = what, seen = seen }
    list[path] = list[#list]
  end
  return list
end

-- Objects that only hold others.
local HOLDERS <const> = { blockIO = true, cpu = true, memory = true, network = true, pids = true }

local function is_holder(path)
  return HOLDERS[path:match("^linux%.resources%.(%w+)$")]
end

describe("docs/oci.md #unit", function()
  it("has a row for each field of the schema, and no others", function()
    local known, table_of = {}, rows()
    for path in support.read("spec/support/oci_schema"):gmatch("[^\n]+") do
      known[path] = true
      assert.is_truthy(table_of[path] or is_holder(path), path)
    end
    for _, row in ipairs(table_of) do
      assert.is_truthy(known[row.path] or is_holder(row.path), row.path)
    end
    assert.is_true(#table_of > 200)
  end)

  it("says of each what it becomes, and where that is seen", function()
    for _, row in ipairs(rows()) do
      assert.is_true(#row.what > 3, row.path)
      assert.is_true(#row.seen > 3 or not row.what:find("^`"), row.path)
    end
  end)

  it("names specs that there are", function()
    for path, seen in pairs(dofile("scripts/docs.d/oci_seen.lua")) do
      local text = support.read(seen[1])
      assert.is_truthy(text:find('it("' .. seen[2], 1, true), path .. ": " .. seen[1])
    end
  end)
end)
