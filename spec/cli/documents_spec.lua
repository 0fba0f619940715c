-- README.md and docs/: each command and each recipe in them is run, so that they cannot rot.

local support = require("support")

local it = support.it(it, pending, "root")

local DOCUMENTS <const> = { "README.md", "docs/architecture.md", "docs/hacking.md",
  "docs/images.md" }

-- Commands that .ci/run carries out itself, and which of its words shows that.
local RUN_BY_CI <const> = {
  ["^scripts/setup"] = "cmake_build", ["^scripts/test"] = "scripts/test",
  ["^scripts/lint"] = "scripts/lint", ["^scripts/vm"] = "scripts/vm", ["^%.ci/run"] = "",
}

-- The fenced blocks of a language.
local function blocks(text, language)
  return text:gmatch("\n```" .. language .. "\n(.-\n)```")
end

local function commands(path)
  local list = {}
  for block in blocks(support.read(path), "sh") do
    for line in block:gmatch("[^\n]+") do
      list[#list + 1] = line
    end
  end
  return list
end

local function proof_in_ci(command)
  for pattern, proof in pairs(RUN_BY_CI) do
    if command:find(pattern) then
      return proof
    end
  end
end

-- Commands whose status tells about the host.
local STATUS <const> = { ["build/luactr doctor"] = { [0] = true, true } }

-- Commands that have nothing to say.
local QUIET <const> = {
  ["build/luactr rm demo"] = true, ["tar -cf build/box.tar -C / bin/busybox"] = true,
  ["build/luactr image export box -o build/box.oci.tar"] = true,
}

-- The words of a command, as a shell without quoting takes them.
local function words(command)
  local list = {}
  for word in command:gmatch("%S+") do
    list[#list + 1] = word:gsub("^build/", support.build .. "/")
  end
  return list
end

-- The file that a link in a document names, seen from the root of the checkout.
local function linked_file(document, target)
  local directory = document:match("^(.*/)") or ""
  return (directory .. target):gsub("#.*$", ""):gsub("[^/]+/%.%./", "")
end

describe("documents", function()
  local store -- images of the documents

  setup(function() store = support.tmpdir() end)
  teardown(function() store:close() end)

  for _, path in ipairs(DOCUMENTS) do
    for _, command in ipairs(commands(path)) do
      local proof = proof_in_ci(command)
      if proof then
        it(path .. ": CI runs " .. command, function()
          assert.are.equal("file", require("lfs").attributes(command:match("^%S+"), "mode"))
          assert.matches(proof, support.read(".ci/run"), 1, true)
        end)
      else
        it(path .. ": " .. command, function()
          local argv = words(command)
          argv.env = { LUACTR_IMAGES = store.path .. "/images" }
          local result = support.run(argv)
          local fine = STATUS[command] or { [0] = true }
          assert.is_true(fine[result.code], result.stderr)
          assert.are.equal(QUIET[command] or false, result.stdout == "")
        end)
      end
    end

    local number = 0
    for recipe in blocks(support.read(path), "lua") do
      number = number + 1
      it(path .. ": recipe " .. number, function()
        local dir <close> = support.tmpdir()
        local result = support.luactr { dir:write("recipe.lua", recipe),
          env = { LUACTR_IMAGES = store.path .. "/images" } }
        assert.are.equal(0, result.code, result.stderr)
        assert.are_not.equal("", result.stdout)
      end)
    end

    it(path .. ": names files that exist", function()
      for target in support.read(path):gmatch("%]%(([^)]+)%)") do
        local file = linked_file(path, target)
        assert.is_not_nil(require("lfs").attributes(file, "mode"), file)
      end
    end)
  end
end)
