-- Who enters a container that is the attacker's: what runs there looks at the newcomer, and has
-- changed what it comes to.
local gallery = require("support.gallery")
local ctr = require("luactr")
local document = require("support.gallery.document")
local support = require("support")
local sys = require("luactr.core").sys
local world = require("support.world")

local it = support.it(it, pending, "root", "program:gcc")

local ENTRIES <const> = os.getenv("LUACTR_GALLERY") == "quick" and 4 or 20

local function words(script)
  return { "/bin/busybox", "sh", "-c", script }
end

---@class attack.exec
---@field attack string its row in docs/security.md
---@field fields? table of the container
---@field image? fun(place: gallery.Place)
---@field enter fun(box: table, place: gallery.Place): string what was printed by who entered

-- The container runs the attacker's command, others enter, and the canary has to stay as it is.
local function attack_by(attack)
  it(attack.attack, function()
    local place <close> = gallery.place()
    if attack.image then attack.image(place) end
    local fields = { rootfs = place.image, name = support.name(attack.attack), stdin = "null",
      stdout = "capture", stderr = "capture", command = words "sleep 1000" }
    for name, value in pairs(attack.fields or {}) do fields[name] = value end
    local box <close> = ctr.container(fields)
    assert(box:start())
    place.canary:watch()
    local said = attack.enter(box, place)
    box:kill "KILL"
    local output = said .. assert(box:wait()).stdout
    local harm = table.concat(place.canary:harm(output), "\n")
    document.expect({ attack = attack.attack }, { result = harm ~= "" and "escaped" or "held",
      harm = harm, output = output })
  end)
end

local function enter(box, fields)
  fields.stdout, fields.stderr = "capture", "capture"
  local fine, result, err = pcall(box.exec, box, fields)
  return fine and result and result.stdout .. result.stderr or tostring(fine and err or result)
end

describe("who enters a container #attack", function()
  before_each(world.check)
  after_each(world.check)

  attack_by {
    attack = "exec-hidden",
    fields = { namespaces = { user = "new" }, capabilities = "all", seccomp = "unconfined",
      command = { "/bin/attack", "hunt" } },
    enter = function(box)
      local said = {}
      for i = 1, ENTRIES do said[i] = enter(box, { command = words "true" }) end
      return table.concat(said)
    end,
  }

  -- Users as strings that a parser may take for root.
  attack_by {
    attack = "exec-users",
    enter = function(box)
      assert.equal("1\n", enter(box, { user = "1", command = words "id -u" }))
      local said = {}
      for _, user in ipairs { "1:", ":1", "0x1", "-1", "4294967296", "4294967295", " 1", "1 ",
        "1:1:1", "01", "1\n", "99999999999999999999", "1e1", "+1", "" } do
        local text = enter(box, { user = user,
          command = words '[ "$(id -u)" != 0 ] || echo "escaped: root by accident"' })
        assert.matches("user", text)
        said[#said + 1] = text
      end
      return table.concat(said, "\n")
    end,
  }

  attack_by {
    attack = "exec-cwd",
    image = function(place) assert(sys.symlink(place.host, place.image .. "/run/out")) end,
    enter = function(box, place)
      local said, paths = {}, { "/run/out", "/proc/1/cwd", "/proc/self/root/..",
        "/proc/1/root/../.." }
      for fd = 3, 12 do paths[#paths + 1] = "/proc/self/fd/" .. fd end
      local script = ("cat secret ../../../../../..%s/secret 2>/dev/null; ls"):format(place.host)
      for _, path in ipairs(paths) do
        said[#said + 1] = enter(box, { cwd = path, command = words(script) })
      end
      return table.concat(said)
    end,
  }

  attack_by {
    attack = "exec-descriptors",
    enter = function(box, place)
      return enter(box, { command = words("/bin/attack fds; for i in /proc/[0-9]*/fd/*; do cat $i"
        .. place.host .. "/secret; done 2>/dev/null") })
    end,
  }

  -- What confines it is not written into files that the container has put over /proc.
  attack_by {
    attack = "exec-fake-proc",
    fields = { mounts = { ctr.mount("proc", "proc", "/p") }, oom_score_adj = 321,
      apparmor = require("luactr.lsm").apparmor "unconfined" and "unconfined" or nil },
    enter = function(box)
      assert(box:mount(ctr.tmpfs "/proc"))
      for _, name in ipairs { "self", "thread-self", "1" } do
        assert(box:mount(ctr.file("/proc/" .. name .. "/oom_score_adj", "0\n")))
        assert(box:mount(ctr.file("/proc/" .. name .. "/attr/exec", "")))
      end
      return enter(box, { command = words [[
[ "$(cat /p/self/oom_score_adj)" = 321 ] || echo "escaped: the score went into a fake"
grep -q '^Seccomp:.2' /p/self/status || echo "escaped: no filter"
grep -q '^NoNewPrivs:.1' /p/self/status || echo "escaped: new privileges"
[ "$(grep CapBnd /p/2/status)" = "$(grep CapBnd /p/self/status)" ] || echo "escaped: capabilities"
[ -n "$(cat /proc/*/attr/exec)" ] && echo "escaped: the label went into a fake"]] })
    end,
  }
end)
