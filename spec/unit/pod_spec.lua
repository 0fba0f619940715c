local pod_spec = require("luactr.spec.pod")

local root <const> = setmetatable({}, { __name = "luactr.rootfs" })

--- A member with the given fields.
local function member(name, fields)
  local raw = { name = name, rootfs = root, command = { "/bin/true" } }
  for key, value in pairs(fields or {}) do
    raw[key] = value
  end
  return raw
end

local function checked(fields)
  local raw = { member("a"), member("b") }
  for key, value in pairs(fields or {}) do
    raw[key] = value
  end
  return assert(pod_spec.check(raw))
end

local function problems_of(raw)
  local result, err = pod_spec.check(raw)
  if result then
    return {}
  end
  assert.are.equal("ESPEC", err.code)
  local lines = {}
  for i, problem in ipairs(err.problems) do
    lines[i] = problem.path .. ": " .. problem.message
  end
  return lines
end

describe("luactr.spec.pod #unit", function()
  describe("check()", function()
    it("shares network, ipc and uts without a word", function()
      assert.are.same({ network = true, ipc = true, uts = true }, checked().share)
    end)

    it("knows net as network", function()
      assert.are.same({ network = true }, checked({ share = { "net" } }).share)
    end)

    it("takes nothing to share: a group with limits", function()
      assert.are.same({}, checked({ share = {} }).share)
    end)

    it("has the members in order, with limits apart from theirs", function()
      local pod = checked { limits = { memory = "64M" } }
      assert.are.equal("b", pod.members[2].spec.name)
      assert.are.equal(64 << 20, pod.limits.memory)
      assert.is_nil(pod.members[1].spec.limits.memory)
    end)
  end)

  describe("check() of what is wrong", function()
    for problem, raw in pairs {
      [": table of fields and members expected, got 5"] = 5,
      [": 1 to 65536 elements expected, got 0"] = {},
      [": list with a hole: element 1 is nil"] = { [2] = member("b") },
      ["[1]: container or the table of one expected, got \"web\""] = { "web" },
      ["hostnme: unknown field, did you mean hostname?"] = { member("a"), hostnme = "x" },
      ["memory: unknown field, did you mean limits.memory?"] = { member("a"), memory = "1G" },
      ["[1].hostnam: unknown field, did you mean hostname?"] = { member("a", { hostnam = "x" }) },
      ["[2].limits.memory: size expected, as \"64M\" or bytes, got \"lots\""] =
        { member("a"), member("b", { limits = { memory = "lots" } }) },
      ["[2].name: \"a\" is the name of [1] already"] = { member("a"), member("a") },
      ["[1].name: is missing: the members of a pod are told apart by it"] = { member() },
      ["share[1]: \"user\", \"network\", \"ipc\", \"uts\", \"time\", \"pid\" expected, got "
        .. "\"netwrk\""] =
        { member("a"), share = { "netwrk" } },
      ["share[1]: cannot be shared: each member mounts a root of its own"] =
        { member("a"), share = { "mount" } },
      ["share: list of kinds of namespaces expected, got \"network\": write "
        .. "{ \"network\", \"ipc\", \"uts\" }"] = { member("a"), share = "network" },
      ["limits.wall_time: is each member's own: say it there"] =
        { member("a"), limits = { wall_time = "1s" } },
      ["hostname: needs a shared uts namespace: add uts to share"] =
        { member("a"), share = { "network" }, hostname = "x" },
      ["[1].hostname: is the pod's, whose uts namespace is shared: say hostname there"] =
        { member("a", { hostname = "x" }) },
      ["[1].network: contradicts the pod, which shares its network namespace"] =
        { member("a", { network = "host" }) },
      ["[1].namespaces.ipc: contradicts the pod, which shares its ipc namespace"] =
        { member("a", { namespaces = { ipc = "container:other" } }) },
      ["[1].idmap: cannot enter what the pod shares: say idmap of the pod"] =
        { member("a", { idmap = "range" }) },
      ["[1].namespaces.user: cannot enter what the pod shares: share user there"] =
        { member("a", { namespaces = { user = "new" } }) },
      ["[1].sysctl.net.ipv4.ip_forward: needs a namespace of its own: network is the pod's"] =
        { member("a", { sysctl = { ["net.ipv4.ip_forward"] = 1 } }) },
      ["[1].clock: is the pod's, whose time namespace is shared"] =
        { member("a", { clock = { boottime = "1h" } }), share = { "time" } },
      ["[1].restart: cannot be: the processes of all others end with this one's"] =
        { member("a", { restart = "always" }), member("b", { restart = "always" }),
          share = { "pid" } },
      ["[2].tty: one member has the terminal, and that is [1]"] =
        { member("a", { tty = true }), member("b", { tty = true }) },
      ["[1].name: is too long: \"pod." .. ("x"):rep(61) .. "\" has more than 64 bytes"] =
        { member(("x"):rep(61)), name = "pod" },
    } do
      it(problem, function()
        local found = problems_of(raw)
        assert.are.equal(1, #found, table.concat(found, "\n"))
        assert.is_truthy(found[1]:find(problem, 1, true), found[1])
      end)
    end

    it("says why a cgroup namespace is not shared", function()
      assert.matches("each member has limits of its own",
        problems_of({ member("a"), share = { "cgroup" } })[1])
    end)

    it("tells all of it at once", function()
      assert.are.equal(3, #problems_of { member("a", { x = 1 }), member("b", { y = 2 }), z = 3 })
    end)

    it("runs no metamethod of what it gets", function()
      local trap = setmetatable({}, { __index = function() error("ran") end,
        __pairs = function() error("ran") end })
      assert.are.equal(1, #problems_of(trap))
      assert.are.equal(1, #problems_of { trap })
    end)
  end)

  describe("member()", function()
    local function first(fields, more)
      local pod = checked(fields)
      pod[1] = nil
      local raw = member("a", more)
      pod.members[1] = { spec = assert(require("luactr.spec").check(raw)) }
      local like = { id = "web", hostname = "web", share = pod.share, spec = pod }
      return pod_spec.member(pod.members[1].spec, like, 2)
    end

    it("joins what is shared, and has the rest of its own", function()
      local namespaces = first({ share = { "network" } }).namespaces
      assert.are.equal("pod", namespaces.network.join)
      assert.are.equal("new", namespaces.ipc)
      assert.are.equal("new", namespaces.mount)
    end)

    it("has its cgroup in the pod's", function()
      assert.are.equal("web/a", first().group)
    end)

    it("reads nothing and has no terminal, unless it says so", function()
      assert.are.same({ "null", false }, { first().stdin.kind, first().tty })
      assert.are.equal("inherit", first({}, { stdin = "inherit" }).stdin.kind)
      assert.are.same({ "inherit", true },
        { first({}, { tty = true }).stdin.kind, first({}, { tty = true }).tty })
    end)
  end)
end)

describe("the cgroup of a pod #unit", function()
  local group = require("luactr.pod.group")

  it("has a directory wherever one of its members has, with the same controllers", function()
    local first = { mount = "/m", version = 1, controllers = { "memory" }, meters = {} }
    local pod = { places = { first } }
    group.enclose(pod, { places = {
      { mount = "/m", version = 1, controllers = { "memory" }, meters = { "memory" } },
      { mount = "/u", parent = "", version = 2, controllers = { "io" }, meters = { "cpuacct" } },
    } })
    assert.are.equal(2, #pod.places)
    assert.are.same({ { "memory" }, { "memory" } },
      { pod.places[1].controllers, pod.places[1].meters })
    local second = pod.places[2]
    assert.are.same({ "/u", "", 2, { "io" }, { "cpuacct" } }, { second.mount, second.parent,
      second.version, second.controllers, second.meters })
  end)
end)
