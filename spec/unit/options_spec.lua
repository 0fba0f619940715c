-- docs/options.md: what stands in code on the right is accepted as it stands.
local ctr = require("luactr")
local spec = require("luactr.spec")
local support = require("support")

local PAGE <const> = "docs/options.md"

-- The right cells, by line number.
local function cells()
  local list, number = {}, 0
  for line in io.lines(PAGE) do
    number = number + 1
    local right = line:match("^| .- | (.*) |$")
    if right and right ~= "in luactr" then list[#list + 1] = { number, right } end
  end
  return list
end

local function check(fields)
  fields.rootfs = fields.rootfs or "/srv"
  fields.command = fields.command or { "/bin/true" }
  return spec.check(fields)
end

-- A value of the library: a root file system, a mount, a pod, which was checked when it was made.
local function check_value(value)
  if require("luactr.pod").is(value) then return true end
  if type(value) == "table" and value.target then return check { mounts = { value } } end
  return check { rootfs = value }
end

local function check_code(code)
  local method = code:match("^box:([%w_]+)$")
  if method then
    local box = ctr.container { rootfs = "/srv", command = { "/x" } }
    return type(box[method]) == "function", "no method " .. method
  elseif code:match("^ctr%.") then
    local function box(name)
      return ctr.container { name = name, rootfs = "/srv", command = { "/x" } }
    end
    local names = { ctr = ctr, a = box "a", b = box "b" }
    local value = assert(load("return " .. code, code, "t", names))()
    return check_value(value)
  elseif code:match("^on%.%l+$") then
    return check { on = { [code:match("%l+$")] = print }, health = { check = print } }
  elseif code:match("^[%w_.]+$") then
    local row = spec.field(code)
    return row ~= nil and not row.unsupported, "no field " .. code
  end
  return check(assert(load("return { " .. code .. " }", code, "t", { ctr = ctr }))())
end

describe("docs/options.md #unit", function()
  for _, cell in ipairs(cells()) do
    for code in cell[2]:gmatch("`([^`]+)`") do
      if not code:find("^luactr ") and code ~= "/" and code ~= "cp -a --reflink" then
        it("is right in line " .. cell[1] .. ": " .. code, function()
          local fine, err = check_code(code)
          assert.is_truthy(fine, tostring(err))
        end)
      end
    end
  end

  it("has an answer in each row", function()
    local count = 0
    for _, cell in ipairs(cells()) do
      count = count + 1
      assert.is_true(#cell[2] > 8, PAGE .. ":" .. cell[1])
    end
    assert.is_true(count > 80)
  end)

  it("names every field of a recipe that is about isolation", function()
    local text = support.read(PAGE)
    -- what a container is called and how it is run has no counterpart to look for
    local others <const> = { name = true, rootfs = true, labels = true, stop_signal = true,
      stop_timeout = true, log = true, limits = true, mounts = true }
    for _, row in ipairs(spec.fields) do
      if not row.unsupported and not others[row.name] then
        assert.is_truthy(text:find("%f[%w_]" .. row.name .. "%f[^%w_]"), row.name)
      end
    end
  end)
end)
