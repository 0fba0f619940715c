local support = require "support"

-- What the generator writes is committed; a change of the schema must bring the files along.
describe("scripts/docs.lua #unit", function()
  local files = dofile("scripts/docs.lua")

  for _, path in ipairs { "docs/recipes.md", "docs/errors.md", "docs/oci.md",
    "lua/luactr/types.lua" } do
    it("finds " .. path .. " up to date", function()
      assert.are.equal(files[path], support.read(path))
    end)
  end

  it("documents every field", function()
    for _, row in ipairs(require("luactr.spec").fields) do
      assert.matches("| `" .. row.name .. "` |", files["docs/recipes.md"], 1, true)
    end
  end)
end)
