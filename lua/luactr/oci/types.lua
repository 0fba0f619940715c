--- The types of the specification's schema, for the rows of config.json. Pure.
--
-- A string that is empty is as good as none where the rows say so: programs in Go write both.
local check = require "luactr.check"
local json = require "luactr.oci.json"

local M = {}

M.boolean = check.boolean()
M.text = check.string { empty = true }

--- A record that takes fields it does not know, as the specification wants it, and leaves them out.
---@param fields table[]
---@param options? table
function M.object(fields, options)
  options = options or {}
  options.open = true
  return check.record(fields, options)
end

function M.list(of, options)
  return check.list(of, options)
end

M.texts = check.list(M.text)
M.map = check.map(check.string { max = 4096 }, M.text)

local function integer(what, min, max)
  return check.integer { what = what, min = min, max = max }
end

M.int32 = integer("integer of 32 bits", -0x80000000, 0x7fffffff)
M.int64 = integer("integer of 64 bits", math.mininteger, math.maxinteger)
M.uint16 = integer("integer from 0 to 65535", 0, 0xffff)
M.uint32 = integer("integer of 32 bits without sign", 0, 0xffffffff)

--- From 2^63 on it is the negative integer of the same bits: what the kernel takes it for.
M.uint64 = check.custom("integer of 64 bits without sign", function(value, path, problems)
  local whole = type(value) == "number" and math.tointeger(value)
  if json.wide(value) then
    return json.wide(value)
  elseif not whole or whole < 0 then
    return problems:add(path, "integer of 64 bits without sign expected, got %s",
      check.show(value))
  end
  return whole
end)

--- As it is, for a checker that comes later; only that it is an object.
M.object_as_is = check.custom("object", function(value, path, problems)
  if not check.is_plain(value) or rawlen(value) > 0 then
    return problems:add(path, "object expected, got %s", check.show(value))
  end
  return value
end)

function M.enum(...)
  return check.enum { ... }
end

M.mappings = check.list(M.object {
  { name = "containerID", type = M.uint32, required = true },
  { name = "hostID", type = M.uint32, required = true },
  { name = "size", type = M.uint32, required = true },
})

return M
