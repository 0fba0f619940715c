-- Commands that enter a container whose people wait for them, through both front doors.
local gallery = require("support.gallery")
local lfs = require("lfs")
local support = require("support")
local world = require("support.world")

local FILES <const> = {
  support.luactr_program, support.build .. "/luactr-init", support.build .. "/lib/luactr/core.so",
}
for _, path in ipairs { "/usr/bin/lua5.4", "/usr/lib/x86_64-linux-gnu/liblua5.4.so.0" } do
  if lfs.attributes(path) then FILES[#FILES + 1] = path end
end

-- Once the container runs its owner enters it with each command, `times` over. What is refused is
-- told; "entered" says that the last command has run.
-- Fields in brackets: the gallery looks for a recipe's own by their names.
local ENTER <const> = [[
on = { start = function(box)
  for _ = 1, %d do
    for _, command in ipairs { %s } do
      command.stdin = command.stdin or "null"
      local fine, result, err = pcall(box.exec, box, command)
      if not fine or not result then io.stderr:write(tostring(err or result), "\n") end
    end
  end
  box:kill("KILL")
end },]]

local function enter(times, commands)
  return ENTER:format(times, commands)
end

local ENTERED <const> = '{ ["command"] = { "/bin/busybox", "echo", "entered" } },'
local WAIT <const> = "while :; do sleep 1; done"

local function shell(script, more)
  return ('{ ["command"] = { "/bin/busybox", "sh", "-c", %q }, %s },'):format(script, more or "")
end

describe("a command that enters a container #attack", function()
  before_each(world.check)
  after_each(world.check)

  gallery.specs {
    attack = "exec-self-exe", watch = FILES, older = false, expect = "entered",
    script = "/bin/attack exe 60 & /bin/attack exe 60",
    image = function(_, place)
      support.write(place.image .. "/bin/evil", "#!/proc/self/exe\n")
      support.must { "chmod", "755", place.image .. "/bin/evil" }
    end,
    fields = enter(4,
      '{ ["command"] = { "/bin/evil" } }, { ["command"] = { "/proc/self/exe", "x" } },'
      .. ENTERED),
    twin = { fields = enter(1, ENTERED) },
  }

  gallery.specs {
    attack = "exec-accounts", script = WAIT, expect = "entered",
    fields = enter(1, shell('echo "escaped: a user of the host"', 'user = "victim"') .. ENTERED),
    image = function(_, place)
      support.write(place.host .. "/passwd", "victim:x:0:0::/:/bin/sh\n")
      os.remove(place.image .. "/etc/passwd")
      support.symlink(place.host .. "/passwd", place.image .. "/etc/passwd")
    end,
    twin = { fields = enter(1, ENTERED) },
  }

  gallery.specs {
    attack = "exec-terminal", terminal = true, needs = { "program:bash" }, older = false,
    script = WAIT, expect = "entered",
    variants = {
      { label = "luactr's", fields = enter(1,
        '{ ["command"] = { "/bin/attack", "inject" }, ["stdin"] = "inherit" },' .. ENTERED) },
      { label = "luactr's, all capabilities, no filter", fields = 'capabilities = "all", '
        .. 'seccomp = "unconfined",' .. enter(1,
          '{ ["command"] = { "/bin/attack", "inject" }, ["stdin"] = "inherit" },' .. ENTERED) },
      { label = "a new one", fields = enter(1, '{ ["command"] = { "/bin/attack", "inject" }, '
        .. '["stdin"] = "inherit", ["tty"] = true },' .. ENTERED) },
    },
    twin = { fields = enter(1, ENTERED) },
  }
end)
