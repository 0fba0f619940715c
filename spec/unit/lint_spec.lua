-- scripts/lint.d: the checks find what they are for.
local support = require("support")

describe("scripts/lint.d #unit", function()
  local dir

  before_each(function() dir = support.tmpdir() end)
  after_each(function() dir:close() end)

  local function shells(...)
    return support.run { "lua5.4", "scripts/lint.d/shells.lua", ... }
  end

  describe("shells", function()
    local wrong = {
      ["a.lua"] = { 'os.execute("ls")', 'local f = io.popen("ls")', "local run = os.execute",
        'x = { os.execute "ls" }', 'pcall(io.popen, "ls")' },
      ["a.c"] = { 'system("ls");', "    return system (command);", 'FILE *f = popen("ls", "r");' },
      ["a.h"] = { 'static int run(void) { return system("ls"); }' },
    }
    for name, lines in pairs(wrong) do
      for _, line in ipairs(lines) do
        it("finds " .. line, function()
          local path = dir:write(name, "\n" .. line .. "\n")
          local result = shells(path)
          assert.equal(1, result.code)
          assert.equal(path .. ":2: starts a shell: programs are started by argv\n", result.stdout)
        end)
      end
    end

    local right = {
      ["a.lua"] = { "-- os.execute would start a shell", "my_os.execute(1)", "io.popenx()",
        'print("system(3)")' },
      ["a.c"] = { " * system(3) is not for us", "file_system(1);", "// popen(3)",
        "/* system(3) */" },
      ["a.txt"] = { 'os.execute("ls")' },
    }
    for name, lines in pairs(right) do
      for _, line in ipairs(lines) do
        it("leaves alone " .. line, function()
          assert.same({ 0, "" }, { shells(dir:write(name, line)).code,
            shells(dir:write(name, line)).stdout })
        end)
      end
    end

    it("finds nothing in this tree", function()
      local list = support.run { "git", "ls-files", "--cached", "--others", "--exclude-standard",
        "*.lua", "*.c", "*.h" }
      if list.code ~= 0 then return pending("not a checkout of git") end
      local files = {}
      for file in list.stdout:gmatch("[^\n]+") do
        local exists <close> = io.open(file)
        files[#files + 1] = exists and file
      end
      assert.is_true(#files > 100)
      assert.equal("", shells(table.unpack(files)).stdout)
    end)
  end)
end)
