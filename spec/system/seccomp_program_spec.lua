-- Where a filter of one's own comes from: the compiler, the cache on disk, a file; and what the
-- kernel must have for it.
local bpf = require("support.bpf")
local core = require("luactr.core")
local program = require("luactr.security.program")
local seccomp = require("luactr.security.seccomp")
local spec = require("luactr.spec")
local support = require("support")

local sys <const> = core.sys
local RETURN <const> = string.pack("<I2I1I1I4", 6, 0, 0, 0x7fff0000)

describe("luactr.security.program #system", function()
  local dir, cache, host

  before_each(function()
    dir = support.tmpdir()
    cache, host = dir.path .. "/seccomp", { state_dir = dir.path }
  end)

  after_each(function() dir:close() end)

  local root = setmetatable({}, { __name = "luactr.rootfs" })

  local serial = 0

  -- A profile that no other spec has: the memory of this process must not know it.
  local function profile_of(fields)
    serial = serial + 1
    fields = fields or { default = "allow", rules = { { names = { "read" }, action = "errno",
      errno = 1000 + serial } } }
    return assert(spec.check { rootfs = root, command = { "/x" }, seccomp = fields })
  end

  local function entries()
    local names = {}
    for _, entry in ipairs(sys.readdir(cache) or {}) do names[#names + 1] = entry.name end
    return names
  end

  -- What the cache makes of a profile that this process has not compiled.
  local function reloaded(checked)
    seccomp.remember(seccomp.fingerprint(checked.seccomp), nil)
    assert(program.prepare(checked, host))
    return seccomp.compile(checked.seccomp)
  end

  it("keeps a compiled profile, for its owner alone", function()
    local checked = profile_of()
    assert(program.prepare(checked, host))
    assert.equal(1, #entries())
    assert.equal(448, sys.stat(cache).mode & 4095)
    assert.equal(384, sys.stat(cache .. "/" .. entries()[1]).mode & 4095)
    local compiled = seccomp.compile(checked.seccomp)
    assert.is_truthy(support.read(cache .. "/" .. entries()[1]):find(compiled, 1, true))
  end)

  -- The program in the file, exchanged for one that allows all.
  local function forge(change)
    local checked = profile_of()
    assert(program.prepare(checked, host))
    local path = cache .. "/" .. entries()[1]
    local compiled = seccomp.compile(checked.seccomp)
    local content = support.read(path)
    local forged = change(content:sub(1, #content - #compiled), compiled, content)
    support.write(path, forged or content)
    return checked, compiled, path
  end

  it("takes it from there", function()
    local checked = forge(function(head) return head .. RETURN end)
    assert.equal(RETURN, reloaded(checked))
  end)

  it("does not believe another profile's entry, a broken one or another version's", function()
    for _, change in ipairs {
      function(head) return head:gsub("%[\"default\"%]", "[\"defalut\"]") .. RETURN end,
      function(head) return head .. "short" end,
      function(head) return head .. RETURN:rep(2):sub(1, 12) end,
      function() return "" end,
      function(_, _, content) return "x" .. content end,
      function(head) return head .. string.pack("<I2I1I1I4", 0x28, 0, 0, 0) .. RETURN end,
    } do
      local checked, compiled = forge(change)
      assert.equal(compiled, reloaded(checked))
    end
  end)

  it("does not believe what others may write", function()
    local checked, compiled, path = forge(function(head) return head .. RETURN end)
    assert(sys.chmod(path, 438))
    assert.equal(compiled, reloaded(checked))
    checked, compiled = forge(function(head) return head .. RETURN end)
    assert(sys.chmod(cache, 511))
    assert.equal(compiled, reloaded(checked))
  end)

  it("follows no link", function()
    local checked, compiled, path = forge(function(head) return head .. RETURN end)
    assert(sys.rename(path, dir.path .. "/elsewhere"))
    assert(sys.symlink(dir.path .. "/elsewhere", path))
    assert.equal(compiled, reloaded(checked))
    assert(sys.rename(cache, dir.path .. "/moved"))
    assert(sys.symlink(dir.path .. "/moved", cache))
    assert.equal(compiled, reloaded(checked))
  end)

  it("leaves no more than a number of entries, and no temporary file", function()
    for _ = 1, 70 do assert(program.prepare(profile_of(), host)) end
    assert.is_true(#entries() <= 64, #entries())
    for _, name in ipairs(entries()) do assert.equal(16, #name) end
  end)

  it("works without a place to write", function()
    host.state_dir = dir.path .. "/missing/below"
    assert(program.prepare(profile_of(), host))
  end)

  it("does not keep a profile with names that may be known one day", function()
    assert(program.prepare(profile_of { default = "allow", skip_unknown = true, rules = {
      { names = { "brand_new_call" }, action = "EPERM" } } }, host))
    assert.same({}, entries())
  end)

  it("takes a program from a file", function()
    local checked = profile_of { bpf_file = dir:write("filter", RETURN) }
    assert(program.prepare(checked, host))
    assert.equal("allow", (bpf.verdict(seccomp.compile(checked.seccomp), { nr = 1, arch = 1 })))
  end)

  describe("refuses before anything starts", function()
    local function problem(fields)
      local fine, err = program.prepare(profile_of(fields), host)
      assert.is_nil(fine)
      assert.equal("ESPEC", err.code)
      return tostring(err)
    end

    it("a file that is missing or no program", function()
      assert.matches("seccomp.bpf_file: .*No such file",
        problem { bpf_file = dir.path .. "/missing" })
      assert.matches("seccomp.bpf_file: is no BPF program: 5 bytes",
        problem { bpf_file = dir:write("filter", "nopes") })
    end)

    it("what this kernel's filters lack", function()
      local action, flag = core.seccomp.has_action, core.seccomp.has_flags
      finally(function() core.seccomp.has_action, core.seccomp.has_flags = action, flag end)
      core.seccomp.has_action = function(kind) return kind ~= 0x7ffc0000 and action(kind) end
      core.seccomp.has_flags = function(bits) return bits ~= 4 and flag(bits) end
      assert.matches("this kernel's filters have no action log", problem { default = "log" })
      assert.matches("seccomp.flags%[2%]: this kernel's filters have no flag spec_allow",
        problem { flags = { "log", "spec_allow" } })
    end)
  end)

  it("asks the kernel in earnest", function()
    assert.is_true(core.seccomp.has_action(0x7fff0000))
    assert.is_nil((core.seccomp.has_action(0x7ffe0000)))
    assert.is_true(core.seccomp.has_flags(1))
    assert.is_nil((core.seccomp.has_flags(1 << 30)))
  end)
end)
