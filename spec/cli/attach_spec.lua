-- `luactr attach` in a real terminal: tmux, with what its screen shows.

local core = require("luactr.core")
local ctr = require("luactr")
local detached = require("support.detached")
local process = require("support.process")
local Screen = require("support.screen")
local support = require("support")
local world = require("support.world")

local sys = core.sys

local it = support.it(it, pending, "root", "program:tmux")

local luactr_program = support.luactr_program

describe("luactr attach #cli", function()
  local here, luactr, screen

  setup(world.adopt_orphans)

  before_each(function()
    world.check()
    here = detached.open("host { \"bash\", \"sleep\", \"stty\", \"cat\", \"sh\" }",
      "env = { PS1 = \"inside$ \" },")
    luactr = here.luactr
    screen = nil
  end)

  after_each(function()
    if screen then screen:close() end
    here:close()
    world.check()
  end)

  local function directory_of(name) return "/run/luactr/containers/" .. name end

  local function start(text, ...)
    local name = here:name(text)
    local result = luactr("run", "-d", "--name", name, ...)
    if result.code ~= 0 then error(result.stderr) end
    return name
  end

  -- A shell in a container with a terminal.
  local function start_shell(text)
    return start(text, "-t", here.recipe, "exec bash --norc")
  end

  -- A terminal on which luactr attaches; then it tells of the status and its settings.
  local COMMAND <const> = "stty -g; %s attach %s %s; echo status $?; stty -g; exec cat"

  local function command(name, options)
    return COMMAND:format(luactr_program, options or "", name)
  end

  local function open(name, options)
    screen = Screen.open(here.dir, { columns = 130, rows = 20 }, command(name, options))
    return screen
  end

  local function type_line(where, text)
    where:press("-l", text)
    where:press("Enter")
  end

  local function assert_restored(where, status)
    local text = where:await("status %d+\n%x+:[%x:]+\n")
    local before, after = text:match("(%x+:[%x:]+)\n.*\n(%x+:[%x:]+)\n")
    assert.equal(before, after)
    assert.equal(tostring(status), text:match("status (%d+)"))
  end

  it("shows a shell's terminal, of this one's size, until the keys to detach", function()
    local name = start_shell("shell")
    open(name)
    screen:await("inside%$")
    type_line(screen, "stty size; echo one-$((1 + 1))")
    screen:await("\n20 130\none%-2\n")
    screen:resize(120, 18)
    screen:await("inside%$")
    type_line(screen, "until [ \"$(stty size)\" = '18 120' ]; do :; done; echo as large")
    screen:await("\nas large\n")
    screen:press("C-p", "C-q")
    screen:await("%[detached from " .. name:gsub("%-", "%%-") .. "%]")
    assert_restored(screen, 0)
    assert.is_true(ctr.find(name):is_running())
  end)

  it("has the shell draw its prompt for who comes back, and ends with its status", function()
    local name = start_shell("again")
    open(name, "--detach-keys 'ctrl-a,d'")
    screen:await("inside%$")
    type_line(screen, "kept=me")
    screen:press("C-a", "d")
    assert_restored(screen, 0)
    local other <close> = screen:beside(command(name))
    other:await("inside%$")
    type_line(other, "echo $kept; exit 7")
    assert_restored(other, 7)
    assert.matches("\nme\n", other:text())
  end)

  it("passes Ctrl-C and Ctrl-Z on to the jobs inside", function()
    local name = start_shell("jobs")
    open(name)
    screen:await("inside%$")
    type_line(screen, "trap 'echo not me' INT; echo go; sleep 1000; echo code $?")
    screen:await("\ngo\n")
    screen:press("C-c")
    screen:await("\ncode 130\n")
    type_line(screen, "cat")
    type_line(screen, "ready")
    screen:await("\nready\nready\n")
    screen:press("C-z")
    screen:await("Stopped +cat")
    type_line(screen, "fg")
    type_line(screen, "back")
    screen:await("\nback\nback\n")
    screen:press("C-d")
    type_line(screen, "exit 0")
    assert_restored(screen, 0)
  end)

  -- Tells when the terminal is as it was: a killed luactr leaves that to another process.
  local UNTIL_RESTORED <const> = "before=$(stty -g); %s %s; echo status $?; "
    .. "until [ \"$(stty -g)\" = \"$before\" ]; do sleep 0.05; done; echo as before; exec cat"

  it("shows the same to several, and lets one be killed", function()
    local name = start_shell("two")
    open(name)
    screen:await("inside%$")
    local other <close> = screen:beside(UNTIL_RESTORED:format(luactr_program, "attach " .. name))
    other:await("inside%$")
    type_line(other, "echo for-$((1 + 1))")
    screen:await("\nfor%-2\n")
    other:await("\nfor%-2\n")
    assert(sys.kill(other:pid_of("luactr"), sys.signals.KILL))
    other:await("status 137")
    other:await("as before")
    type_line(screen, "echo still-$((1 + 1))")
    screen:await("\nstill%-2\n")
    screen:press("C-p", "C-q")
    assert_restored(screen, 0)
    assert.is_true(ctr.find(name):is_running())
  end)

  it("leaves the terminal as it was after a signal, and the container running", function()
    local name = start_shell("signal")
    open(name)
    screen:await("inside%$")
    assert(sys.kill(screen:pid_of("luactr"), sys.signals.TERM))
    assert_restored(screen, 143)
    assert.is_true(ctr.find(name):is_running())
  end)

  it("gives the terminal back when luactr is killed with the container in front", function()
    local name = here:name("front")
    screen = Screen.open(here.dir, { columns = 130, rows = 20 }, UNTIL_RESTORED:format(
      luactr_program, ("run -t --name %s %s 'exec bash --norc'"):format(name, here.recipe)))
    screen:await("inside%$")
    assert(sys.kill(screen:pid_of("luactr"), sys.signals.KILL))
    screen:await("status 137")
    screen:await("as before")
    repeat luactr("gc") until not sys.stat(directory_of(name))
  end)

  it("leaves the other screen and shows the cursor when it detaches", function()
    local name = start_shell("modes")
    open(name)
    screen:await("inside%$")
    type_line(screen, "printf '\\033[?1049h\\033[?25l'; echo other; exec cat")
    screen:await("^%s*other\n")
    assert.equal("1", screen:ask("#{alternate_on}"))
    screen:press("C-p", "C-q")
    assert_restored(screen, 0)
    assert.equal("0 1", screen:ask("#{alternate_on} #{cursor_flag}"))
  end)

  -- ---- without a terminal

  -- Who has attached holds signals back.
  local function await_attached(client)
    local term <const> = 1 << sys.signals.TERM - 1
    repeat
      local status = support.read("/proc/" .. client:pid() .. "/status")
    until tonumber(status:match("SigBlk:%s*(%x+)"), 16) & term ~= 0
  end

  --- What it writes from now on is what it does next.
  local function await_up(name)
    repeat until luactr("logs", name).stdout == "up\n"
  end

  it("feeds a container without a terminal, and keeps its streams apart", function()
    local name = start("pipe", "-i", here.recipe,
      "while read -r line; do echo \"got $line\"; echo \"no $line\" >&2; done; exit 3")
    local result = support.luactr { "attach", name, stdin = "one\ntwo\n" }
    assert.same({ 3, "got one\ngot two\n", "no one\nno two\n" },
      { result.code, result.stdout, result.stderr })
  end)

  it("leaves the input open for the next one with --no-stdin", function()
    local name = start("leave", "-i", here.recipe, "echo up; cat; echo end; exit 4")
    await_up(name)
    local first <close> = process.start { luactr_program, "attach", "--no-stdin",
      "--sig-proxy=false", name }
    await_attached(first)
    first:write("for nobody\n")
    first:end_input()
    local result = support.luactr { "attach", name, stdin = "for it\n" }
    assert.same({ 4, "for it\nend\n" }, { result.code, result.stdout })
    assert.equal(4, first:wait().code)
    assert.equal("up\nfor it\nend\n", luactr("logs", name).stdout)
  end)

  it("passes signals on, or takes them itself", function()
    local name = start("proxy", here.recipe,
      "trap 'echo got it; exit 9' TERM; echo up; while :; do sleep 0.05; done")
    await_up(name)
    local own <close> = process.start { luactr_program, "attach", "--sig-proxy=false", name }
    local proxy <close> = process.start { luactr_program, "attach", name }
    await_attached(own)
    await_attached(proxy)
    own:signal("TERM")
    assert.equal(143, own:wait().code)
    assert.is_true(ctr.find(name):is_running())
    proxy:signal("TERM")
    assert.equal(9, proxy:wait().code)
    assert.equal("got it\n", proxy.stdout)
  end)

  it("holds up neither the container nor its log while it is stopped", function()
    local name = start("flood", "-i", here.recipe,
      "read -r line; i=0; while [ $i -lt 40 ]; do i=$((i + 1)); echo $i; cat /bin/sh; done")
    local client <close> = process.start { luactr_program, "attach", name }
    client:write("go\n")
    client:expect("1\n")
    client:signal("STOP")
    local found = ctr.find(name)
    assert.equal(0, assert(found:wait(60)).exit_code)
    local size = #luactr("logs", name).stdout
    client:signal("CONT")
    assert.equal(0, client:wait().code)
    local lost = math.tointeger(client.stderr:match("%[(%d+) bytes are not shown"))
    assert.is_true(lost > 0)
    assert.equal(size, lost + #client.stdout)
  end)

  -- ---- what cannot be

  it("says why it cannot attach", function()
    local name = start("why", here.recipe, "exit 5")
    assert(ctr.find(name)):wait()
    here.fails(luactr("attach", "spec-nobody"), 125, "no container \"spec-nobody\"")
    here.fails(luactr("attach", name), 125,
      "it is not running\n  try: see what it wrote: luactr logs")
    here.fails(luactr("attach"), 2, "which container?")
    here.fails(luactr("attach", name, name), 2, "one container at a time")
    here.fails(luactr("attach", "--detach-keys", "ctrl-P", name), 2,
      "--detach-keys: \"ctrl-P\" is no key")
    here.fails(luactr("attach", "--sig-proxy=maybe", name), 2, "--sig-proxy: true or false")
    assert.has_error(function() ctr.find(name):attach { detach_keys = "x,,y" } end)
  end)

  it("is for detached containers that are not paused", function()
    local name = here:name("front")
    local front <close> = process.start { luactr_program, "run", "--name", name, here.recipe,
      "echo up; exec sleep 1000" }
    front:expect("up")
    here.fails(luactr("attach", name), 125, "it runs in the foreground of another luactr")
    front:signal("TERM")
    front:wait()
    if support.controller("freezer") or support.layout() == "v2" then
      local paused = here:start("exec sleep 1000", "paused")
      assert(ctr.find(paused):pause())
      here.fails(luactr("attach", paused), 125, "it is paused\n  try: luactr resume")
      assert(ctr.find(paused):resume())
    end
  end)

  it("refuses more than can attach, until one leaves", function()
    local name = here:start("exec sleep 1000", "full")
    local clients <close> = setmetatable({}, { __close = function(list)
      for _, client in ipairs(list) do client:close() end
    end })
    for i = 1, 8 do
      clients[i] = process.start { luactr_program, "attach", "--sig-proxy=false", name }
      await_attached(clients[i])
    end
    here.fails(luactr("attach", name), 125, "as many are attached to it as can be")
    clients[1]:signal("TERM")
    assert.equal(143, clients[1]:wait().code)
    local again <close> = process.start { luactr_program, "attach", name }
    await_attached(again)
    luactr("kill", name)
    assert.equal(137, again:wait().code)
  end)

  it("is nothing that other users or the container can reach", function()
    local name = here:start("ls -R /run 2>&1; cat /proc/net/unix; exec sleep 1000", "closed")
    local directory <close> = assert(sys.open(directory_of(name), sys.O_RDONLY))
    -- What another user gets of the socket, even with the directory at hand.
    local function as_stranger()
      local child <close> = assert(sys.clone({}, function()
        assert(sys.setgid(support.stranger))
        assert(sys.setuid(support.stranger))
        local socket, _, errno = core.monitor.attach(directory)
        if not socket then return errno == sys.errno.EACCES and 10 or 11 end
        core.supervise.poll({ { fd = socket, events = "r" } }, 20)
        return socket:read(100) == "h\0" and 12 or 13
      end))
      return assert(child:wait()).code
    end
    assert.equal(10, as_stranger())
    support.must { "chmod", "777", directory_of(name), directory_of(name) .. "/attach" }
    assert.equal(13, as_stranger())
    support.must { "chmod", "700", directory_of(name) }
    assert.not_matches("attach", luactr("logs", name).stdout)
    local client <close> = process.start { luactr_program, "attach", name }
    await_attached(client)
    luactr("kill", name)
    assert.equal(137, client:wait().code)
  end)

  it("refuses a terminal where there can be none", function()
    local recipe = here.dir:write("bare.lua", [[
      local ctr = require "luactr"
      return ctr.container { rootfs = ctr.rootfs.none(), command = { "true" } }]])
    here.fails(luactr("run", "-t", recipe), 2, "--tty: tty: needs a root of the container's own")
  end)
end)
