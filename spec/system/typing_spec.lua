-- Nobody inside types into a terminal outside, however the terminal comes in.

local core = require("luactr.core")
local ctr = require("luactr")
local process = require("support.process")
local support = require("support")
local world = require("support.world")

local sys = core.sys
local it = support.it(it, pending, "root", "program:gcc")

-- A filter of the recipe's own that allows everything.
local OPEN <const> = { default = "allow", foreign = "allow" }

describe("a terminal of the caller #system", function()
  local dir

  setup(function()
    dir = support.tmpdir()
    support.copy(support.program "type", dir:mkdir("root") .. "/type")
  end)

  teardown(function() dir:close() end)

  before_each(world.check)
  after_each(world.check)

  -- What lies in the input of a terminal.
  local function typed(terminal)
    local entries = { { fd = terminal, events = "r" } }
    return core.supervise.poll(entries, 0) > 0 and terminal:read() or ""
  end

  -- A terminal of no session: worse than a shell's, since the first who asks for it gets it.
  local function with_terminal(main)
    local master <close>, peer = assert(sys.openpty())
    local terminal <close> = peer
    local _ <close> = core.supervise.raw_mode(terminal)
    main(terminal, master)
  end

  local function run(terminal, streams, fields)
    fields.rootfs, fields.name = dir.path .. "/root", support.name("typing")
    local own = fields.seccomp and fields.seccomp ~= "strict" -- the others kill for old calls
    fields.command = { "/type", own and "compatible" or nil }
    for _, stream in ipairs { "stdin", "stdout", "stderr" } do
      fields[stream] = streams[stream] and terminal or "null"
    end
    return assert(ctr.run(fields))
  end

  it("would be typed into by the same program outside", function()
    with_terminal(function(terminal)
      local child <close> = assert(sys.clone({}, function()
        sys.setsid()
        sys.dup2(terminal, 0)
        return sys.exec(dir.path .. "/root/type", { "type", "compatible" })
      end))
      assert.is_true(child:wait().code >= 4)
      assert.matches("@", typed(terminal))
    end)
  end)

  for name, fields in pairs {
    ["by default"] = {},
    ["with the strict profile"] = { seccomp = "strict" },
    ["without a filter"] = { seccomp = "unconfined" },
    ["with a filter of one's own"] = { seccomp = OPEN },
    ["with all capabilities"] = { capabilities = "all" },
    ["with all capabilities and no filter"] = { capabilities = "all", seccomp = "unconfined" },
    ["with all that, and without no_new_privileges"] = { capabilities = "all",
      seccomp = "unconfined", no_new_privileges = false },
    ["with all that, and a filter of one's own"] = { capabilities = "all", seccomp = OPEN,
      no_new_privileges = false },
    ["with all that, as PID 1"] = { capabilities = "all", seccomp = "unconfined", init = false },
    ["with all that, as a user"] = { capabilities = "all", seccomp = "unconfined", user = 1000 },
    ["with all that, in a user namespace"] = { capabilities = "all", seccomp = "unconfined",
      namespaces = { user = "new" } },
  } do
    it("gets no input from inside " .. name, function()
      for _, streams in ipairs { { stdin = true }, { stdout = true }, { stderr = true },
        { stdin = true, stdout = true, stderr = true } } do
        with_terminal(function(terminal)
          local copy = {}
          for key, value in pairs(fields) do copy[key] = value end
          local result = run(terminal, streams, copy)
          assert.same({ 0, "exit" }, { result.exit_code, result.reason })
          assert.equal("", typed(terminal))
        end)
      end
    end)
  end

  it("gets no input through a descriptor that is passed", function()
    with_terminal(function(terminal)
      local result = run(terminal, {}, { fds = { [5] = terminal }, capabilities = "all",
        seccomp = "unconfined" })
      assert.same({ 0, "exit" }, { result.exit_code, result.reason })
      assert.equal("", typed(terminal))
    end)
  end)

  -- As a person has it: luactr in the foreground of a shell's terminal.
  local function in_shell(recipe)
    local file = dir:write("recipe.lua", ([[
      return require("luactr").container { rootfs = %q, %s }]]):format(dir.path .. "/root", recipe))
    local shell <close> = process.start { "sh", "-c",
      ("stty -echo; %s %s; echo ended $?; stty -icanon min 0 time 1; cat; echo over"):format(
        support.luactr_program, file), tty = true }
    shell:expect("over")
    return shell.stdout:match("ended (%d+)\r\n(.*)over")
  end

  for name, recipe in pairs {
    ["a terminal of the container's own"] = "",
    ["one that is asked for"] = "tty = true, seccomp = 'unconfined', capabilities = 'all',",
    ["the caller's"] = "tty = false,",
    ["the caller's, with all capabilities and no filter"] =
      "tty = false, seccomp = 'unconfined', capabilities = 'all',",
    ["a pipe for its output"] = "stdout = 'capture', seccomp = 'unconfined', capabilities = 'all',",
  } do
    it("of a shell gets no input from a command with " .. name, function()
      local status, input = in_shell(recipe .. " command = { '/type' }")
      assert.is_string(status)
      assert.equal("", input)
    end)
  end

  it("is guarded by a filter only if a stream is one", function()
    local function filters(stdout)
      local result <const> = assert(ctr.run { rootfs = "/", readonly = true, name = "typing",
        seccomp = "unconfined", stdin = "null", stdout = stdout, stderr = "capture",
        command = { "/bin/sh", "-c", "grep Seccomp: /proc/self/status >&2" } })
      return result.stderr:match("Seccomp:%s*(%d)")
    end
    with_terminal(function(terminal)
      assert.equal("0", filters("capture"))
      assert.equal("0", filters { file = dir.path .. "/file" })
      assert.equal("2", filters(terminal))
    end)
  end)
end)
