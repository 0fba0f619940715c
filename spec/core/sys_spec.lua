local core = require("luactr.core")
local lfs = require("lfs")
local support = require("support")
local sys = require("luactr.sys")

-- Each public function with the lines of documentation above it.
local function documented()
  local found = {}
  for file in lfs.dir("lua/luactr/sys") do
    if file:match("%.lua$") then
      local doc = {}
      for line in io.lines("lua/luactr/sys/" .. file) do
        local name = line:match("^M%.([%w_]+) = ") or line:match("^function M%.([%w_]+)")
        if name then found[name] = table.concat(doc, "\n") end
        if not line:match("^%-%-%-") then doc = {} else doc[#doc + 1] = line end
      end
    end
  end
  return found
end

local function functions_of(module)
  local names = {}
  for name, value in pairs(module) do
    if type(value) == "function" then names[#names + 1] = name end
  end
  table.sort(names)
  return names
end

describe("luactr.sys #core", function()
  describe("documentation", function()
    it("declares every primitive of the C module", function()
      for _, name in ipairs(functions_of(core.sys)) do
        assert.equal(core.sys[name], rawget(sys, name), name)
      end
    end)

    it("has a description, a type and a manual page for every function", function()
      local docs = documented()
      for _, name in ipairs(functions_of(sys)) do
        local doc = docs[name] or error("not documented: " .. name)
        assert(doc:match("^%-%-%- %u"), name .. ": no description")
        assert(doc:match("[%w_]%([1-8]%)"), name .. ": no manual page")
        local type = doc:match("\n%-%-%-@type fun%(") or doc:match("\n%-%-%-@return ")
        assert(type, name .. ": no type")
      end
    end)

    it("names nothing that does not exist", function()
      for name in pairs(documented()) do
        assert.equal("function", type(rawget(sys, name)), name)
      end
    end)
  end)

  describe("arguments", function()
    -- Functions for which no argument at all is right.
    local bare <const> = {
      getpid = true, getppid = true, gettid = true, getpgrp = true, setsid = true, getuid = true,
      geteuid = true, getgid = true, getegid = true, getresuid = true, getresgid = true,
      getgroups = true, getcwd = true, gethostname = true, getdomainname = true, ncpu = true,
      uname = true, last_cap = true, get_capbset = true, get_cap_ambient = true, pipe = true,
      no_new_privs = true, landlock_abi = true, openpty = true, get_parent_death_signal = true,
      get_child_subreaper = true, get_process_name = true, get_no_new_privs = true,
      get_dumpable = true, get_keep_capabilities = true, get_securebits = true,
    }

    it("of a wrong type raise, in every function", function()
      local wrong = coroutine.create(print)
      for _, name in ipairs(functions_of(core.sys)) do
        if not bare[name] then
          local accepted = pcall(core.sys[name], wrong, wrong, wrong, wrong, wrong)
          assert.is_false(accepted, name)
        end
      end
    end)

    it("that are paths have no zero byte", function()
      assert.error_matches(function() sys.mkdir("a\0b") end, "zero byte")
    end)

    it("that are closed handles raise", function()
      local reader, writer = assert(sys.pipe())
      reader:close()
      writer:close()
      assert.error_matches(function() sys.read(reader) end, "closed file descriptor")
    end)

    it("that are unknown keys raise", function()
      local function open() sys.open("/", 0, 0, { resolv = 1 }) end
      assert.error_matches(open, "unknown key 'resolv'")
    end)
  end)

  describe("flags", function()
    it("are an integer, a name or a list, and nothing is 0", function()
      for _, flags in ipairs {
        sys.O_PATH | sys.O_DIRECTORY, { "path", "directory" }, { "O_PATH", "O_DIRECTORY" },
        { "PATH", sys.O_DIRECTORY },
      } do
        local fd <close> = assert(sys.open("/", flags))
        assert.equal("directory", sys.stat(fd).type)
        assert.equal("EBADF", sys.errname(select(3, fd:read()))) -- O_PATH does not read
      end
      assert(sys.open("/dev/null")):close()
      assert(sys.open("/dev/null", "wronly")):close()
    end)

    it("with unknown names raise", function()
      assert.error_matches(function() sys.open("/", { "rdonly", "directry" }) end,
        "unknown name 'directry'")
      assert.error_matches(function() sys.open("/", { true }) end, "integer or name expected")
      assert.error_matches(function() sys.open("/", -1) end, "out of range")
    end)
  end)

  describe("modes", function()
    it("are integers or octal digits", function()
      local dir <close> = support.tmpdir()
      assert(sys.mkdir(dir.path .. "/a", "0750"))
      assert(sys.mkdir(dir.path .. "/b", 448))
      assert.equal(488, sys.stat(dir.path .. "/a").mode)
      assert.equal(448, sys.stat(dir.path .. "/b").mode)
    end)

    it("raise on anything else", function()
      for _, mode in ipairs { "0789", "", "rwx", -1, 1 << 20, "77777777777777777777777" } do
        assert.is_false(pcall(sys.mkdir, "/nowhere/at/all", mode), tostring(mode))
      end
    end)
  end)

  describe("constants", function()
    it("have the kernel's values", function()
      assert.equal(0x20000000, sys.CLONE_NEWPID)
      assert.equal(4096, sys.MS_BIND)
      assert.equal(-1, sys.RLIM_INFINITY)
      assert.is_nil(sys.CLONE_NOTHING)
      assert.is_nil(sys[1])
    end)

    it("are listed for signals, errors and rlimits", function()
      assert.equal(15, sys.signals.TERM)
      assert.equal(2, sys.errno.ENOENT)
      assert.equal(7, sys.rlimits.NOFILE)
    end)

    it("go back to names", function()
      assert.equal("ENOENT", sys.errname(2))
      assert.is_nil(sys.errname(4096))
      assert.equal("TERM", sys.signame(15))
      assert.is_nil(sys.signame(4096))
      assert.equal("No such file or directory", sys.strerror(2))
    end)
  end)
end)
