-- `luactr oci`: what engines call, as they call it.

local cjson = require("cjson")
local lfs = require("lfs")
local support = require("support")
local world = require("support.world")

local VERBS <const> = require("luactr.cli.oci").verbs

describe("luactr oci #cli", function()
  local dir

  setup(world.adopt_orphans)

  before_each(function()
    world.check()
    dir = support.tmpdir()
  end)

  after_each(function()
    dir:close()
    world.check()
  end)

  local function oci(...)
    return support.luactr { "oci", "--root", dir .. "/state", ... }
  end

  local function fails(message, ...)
    local result = oci(...)
    assert.same({ 1, "" }, { result.code, result.stdout })
    assert.matches(message, result.stderr, 1, true)
    return result
  end

  it("has the version in the shape that engines look for", function()
    for _, option in ipairs { "--version", "-v", "-V" } do
      local result = support.luactr { "oci", option }
      assert.matches("^luactr version %d+%.%d+%.%d+\nspec: 1%.%d+%.%d+\n$", result.stdout)
      assert.equal(0, result.code)
    end
  end)

  it("is there under a name of its own", function()
    local result = support.run { support.build .. "/luactr-oci", "--version" }
    assert.same({ support.luactr({ "oci", "--version" }).stdout, 0 },
      { result.stdout, result.code })
    result = support.run { support.build .. "/luactr-oci", "state" }
    assert.same({ "", 1 }, { result.stdout, result.code })
  end)

  it("explains itself and each verb", function()
    local text = support.luactr({ "oci", "--help" }).stdout
    for _, verb in ipairs(VERBS) do
      assert.matches("\n  " .. verb .. " ", text, 1, true)
      local result = oci(verb, "--help")
      assert.same({ 0, "" }, { result.code, result.stderr })
      assert.matches("^Usage: luactr oci " .. verb .. " ", result.stdout)
      assert.equal(result.stdout, support.luactr({ "help", "oci", verb }).stdout)
    end
  end)

  it("refuses what it does not know, naming what is near", function()
    fails('no verb "strat", did you mean start?', "strat")
    fails("which verb?")
    fails('oci kill: unknown option "--al", did you mean --all?', "kill", "--al", "x")
    fails("oci state: CONTAINER expected", "state")
    fails('oci state takes no argument "b"', "state", "a", "b")
    fails('--log-format: text or json expected, got "xml"', "--log-format", "xml", "state", "x")
    fails("--log-level: error, warning, info or debug expected", "--log-level", "loud", "state",
      "x")
    fails("--log: ", "--log", dir .. "/no/where", "state", "x")
    fails("--log journald: is not supported", "--log", "journald:x", "state", "x")
  end)

  it("writes errors to the log as JSON, and to stderr for people", function()
    local log = dir .. "/log.json"
    local result = fails('no verb "x"', "--log=" .. log, "--log-format=json", "x")
    assert.matches("^luactr: ", result.stderr)
    local line = cjson.decode(support.read(log))
    assert.equal("error", line.level)
    assert.equal('no verb "x"; try: luactr oci --help', line.msg)
    assert.matches("^%d%d%d%d%-%d%d%-%d%dT%d%d:%d%d:%d%dZ$", line.time)
    oci("--log", log, "--log-format", "json", "state")
    local _, count = support.read(log):gsub("\n", "")
    assert.equal(2, count)
  end)

  it("writes errors to stderr as JSON without a log", function()
    local result = oci("--log-format", "json", "x")
    assert.equal("error", cjson.decode(result.stderr).level)
  end)

  it("tells its features", function()
    local result = oci("features")
    assert.same({ 0, "" }, { result.code, result.stderr })
    local features = cjson.decode(result.stdout)
    local function has(list, name)
      for _, known in ipairs(list) do
        if known == name then return true end
      end
      return false
    end
    assert.equal("1.0.0", features.ociVersionMin)
    assert.is_true(has(features.hooks, "startContainer"))
    assert.is_true(has(features.mountOptions, "rro") and has(features.mountOptions, "tmpcopyup"))
    assert.is_false(has(features.mountOptions, "size"))
    assert.is_true(has(features.linux.namespaces, "time"))
    assert.is_true(has(features.linux.capabilities, "CAP_SYS_ADMIN"))
    assert.is_true(has(features.linux.seccomp.actions, "SCMP_ACT_NOTIFY"))
    assert.is_true(has(features.linux.seccomp.archs, "SCMP_ARCH_X86_64"))
    assert.is_true(has(features.linux.memoryPolicy.modes, "MPOL_WEIGHTED_INTERLEAVE"))
    assert.is_true(has(features.linux.memoryPolicy.flags, "MPOL_F_STATIC_NODES"))
  end)

  it("writes a configuration to begin with, and none over another", function()
    local path = dir .. "/config.json"
    local result = oci("spec", "--bundle", dir.path)
    assert.same({ 0, "", "" }, { result.code, result.stderr, result.stdout })
    local config = cjson.decode(support.read(path))
    assert.same({ "sh" }, config.process.args)
    assert.equal("rootfs", config.root.path)
    fails("File exists", "spec", "-b", dir.path)
    assert.same(config, cjson.decode(support.read(path)))
    support.luactr { "oci", "spec", "--rootless", "-f", "other.json", cwd = dir.path }
    config = cjson.decode(support.read(dir .. "/other.json"))
    assert.equal("user", config.linux.namespaces[2].type)
    assert.equal(1, config.linux.uidMappings[1].size)
  end)

  it("makes nothing for who only asks", function()
    fails("no verb", "x")
    oci("features")
    assert.is_nil(lfs.attributes(dir .. "/state"))
  end)
end)
