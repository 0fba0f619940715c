--- The device rules of config.json and those of a recipe's limits. Pure.
local check = require "luactr.check"

local M = {}

--- A number, or the word for all.
local function number(value)
  return value and value >= 0 and tostring(value) or "*"
end

local function rule(one, b, at)
  local kind, access = one.type or "", one.access or ""
  if kind == "" or kind == "a" then
    return one.allow and "allow a" or "deny a"
  elseif kind ~= "b" and kind ~= "c" then
    return b:problem("%sa, b or c expected, got %s", at, check.show(kind))
  elseif not access:find("^[rwm]*$") then
    return b:problem("%saccess is of r, w and m, not %s", at, check.show(access))
  end
  return string.format("%s %s %s:%s %s", one.allow and "allow" or "deny", kind,
    number(one.major), number(one.minor), access == "" and "rwm" or access)
end

--- The list, and behind it the devices that every container has. Who runs without the rights to
--- refuse devices has none to refuse.
---@param list table[] { allow, type?, major?, minor?, access? }
---@param b table problem(), context
---@return string[]?
function M.limits(list, b)
  if #list == 0 or b.context.rootless then
    return nil
  end
  local rules, open = {}, true
  for i, one in ipairs(list) do
    local text = rule(one, b, string.format("[%d]: ", i - 1))
    rules[#rules + 1] = text
    if text == "allow a" or text == "deny a" then
      open = text == "allow a"
    end
  end
  if not open then
    local always = require("luactr.cgroup.limits").DEFAULT_DEVICES
    table.move(always, 2, #always, #rules + 1, rules) -- the first is the refusal of all
  end
  return rules
end

local function parsed(text)
  local kind, major, minor, access = text:match("(%l) ([%d*]+):([%d*]+) (%l+)$")
  return {
    allow = not text:find("^deny "), type = kind, access = access or "rwm",
    major = math.tointeger(major), minor = math.tointeger(minor),
  }
end

--- Rules as a recipe has them, below which luactr always puts those for the usual devices.
---@param rules string[]
---@return table[]
function M.document(rules)
  local list = { { allow = false, access = "rwm" } }
  for i, text in ipairs(rules) do
    list[i + 1] = parsed(text)
  end
  return list
end

return M
