--- The field `idmap`: which users and groups exist in a user namespace. Pure.
local check = require "luactr.check"

local M = {}

local MAX_ID <const> = 0xfffffffe -- the last one, (uid_t)-1, means "leave it"
local MAX_ROWS <const> = 340 -- user_namespaces(7), Linux 4.15
local MAX_TEXT <const> = 4095 -- the kernel takes less than a page in one write

M.words = { "auto", "single", "range" }

-- What OCI calls the three numbers.
local OCI <const> = { containerID = "inside", hostID = "outside", size = "count" }
local ORDER <const> = { "inside", "outside", "count" }

local function number_problem(name, value)
  local whole = type(value) == "number" and math.tointeger(value)
  local least = name == "count" and 1 or 0
  local most = MAX_ID + least
  if not whole or whole < least or whole > most then
    return string.format("%s: number from %d to %d expected, got %s", name, least, most,
      check.show(value))
  end
end

-- The three numbers by name, however they were written.
local function named(row)
  local result = {}
  for key, value in next, row do
    local name = ORDER[key] or OCI[key] or key
    local known = name == "inside" or name == "outside" or name == "count"
    if not known or result[name] ~= nil then
      return nil, string.format("%s %s: a range is { inside, outside, count }",
        known and "twice" or "unknown field", check.show(key))
    end
    result[name] = value
  end
  return result
end

local function range(row)
  local numbers, problem = named(row)
  if not numbers then
    return nil, problem
  end
  for _, name in ipairs(ORDER) do
    problem = problem or number_problem(name, numbers[name])
  end
  if problem then
    return nil, problem
  end
  for _, side in ipairs { "inside", "outside" } do
    if numbers[side] + numbers.count - 1 > MAX_ID then
      return nil, string.format("%s ids end at %d, the last that there is is %d", side,
        numbers[side] + numbers.count - 1, MAX_ID)
    end
  end
  return { inside = math.tointeger(numbers.inside), outside = math.tointeger(numbers.outside),
    count = math.tointeger(numbers.count) }
end

-- The first two ranges that share an id on one side.
local function overlap(rows, side)
  local sorted = {}
  for i, row in ipairs(rows) do
    sorted[i] = { first = row[side], last = row[side] + row.count - 1, index = i }
  end
  table.sort(sorted, function(a, b) return a.first < b.first end)
  for i = 2, #sorted do
    if sorted[i].first <= sorted[i - 1].last then
      return math.max(sorted[i].index, sorted[i - 1].index),
        math.min(sorted[i].index, sorted[i - 1].index), sorted[i].first
    end
  end
end

local function check_rows(rows, path, problems)
  for _, side in ipairs { "inside", "outside" } do
    local later, earlier, shared = overlap(rows, side)
    if later then
      problems:add(path .. "[" .. later .. "]", "overlaps %s[%d]: %s %d is in both", path, earlier,
        side, shared)
    end
  end
  if #M.text(rows) > MAX_TEXT then
    problems:add(path, "%d bytes as text, and the kernel takes %d", #M.text(rows), MAX_TEXT)
  end
end

local function rows_of(value, path, problems)
  if not check.is_plain(value) then
    return problems:add(path, "list of { inside, outside, count } expected, got %s",
      check.show(value))
  end
  local result = {}
  for _, key in ipairs(check.sorted_keys(value, path, problems) or {}) do
    local row = rawget(value, key)
    if key ~= #result + 1 then
      return problems:add(path, "list expected, but it has the key %s", check.show(key))
    elseif key > MAX_ROWS then
      return problems:add(path, "more than %d ranges, which is what the kernel takes", MAX_ROWS)
    end
    if not check.is_plain(row) then
      return problems:add(path .. "[" .. key .. "]",
        "{ inside, outside, count } expected, got %s", check.show(row))
    end
    local numbers, problem = range(row)
    if not numbers then
      return problems:add(path .. "[" .. key .. "]", "%s", problem)
    end
    result[key] = numbers
  end
  if #result == 0 then
    return problems:add(path, "is empty: no user would exist inside")
  end
  check_rows(result, path, problems)
  return result
end

-- ---- what others ask

--- A map as the kernel and newuidmap want it.
---@param rows luactr.idmap.range[]
---@return string
function M.text(rows)
  local lines = {}
  for i, row in ipairs(rows) do
    lines[i] = string.format("%d %d %d\n", row.inside, row.outside, row.count)
  end
  return table.concat(lines)
end

---@class luactr.idmap.range
---@field inside integer first id in the container
---@field outside integer first id in luactr's own user namespace
---@field count integer

--- -> { mode = "auto" } and so on, or { uid = ranges, gid = ranges }
function M.idmap(value, path, problems)
  if type(value) == "string" then
    for _, word in ipairs(M.words) do
      if value == word then
        return { mode = word }
      end
    end
  end
  if not check.is_plain(value) then
    return problems:add(path,
      "\"auto\", \"single\", \"range\" or { uid =, gid = } expected, got %s", check.show(value))
  end
  for _, key in ipairs(check.sorted_keys(value, path, problems) or {}) do
    if key ~= "uid" and key ~= "gid" then
      problems:add(check.join(path, key), "unknown field: a map is { uid = ranges, gid = ranges }")
    end
  end
  if rawget(value, "uid") == nil then
    return problems:add(path .. ".uid", "is missing: list of { inside, outside, count } expected")
  end
  local uid = rows_of(rawget(value, "uid"), path .. ".uid", problems)
  local gid = uid
  if rawget(value, "gid") ~= nil then
    gid = rows_of(rawget(value, "gid"), path .. ".gid", problems)
  end
  return uid and gid and { uid = uid, gid = gid } or nil
end

--- `idmap` of a mount -> true for that of the container, or { uid = ranges, gid = ranges } from ids
--- in the file system to ids of the host
function M.of_mount(value, path, problems)
  if value == true or value == false then
    return value
  elseif type(value) == "string" then
    return problems:add(path, "true or { uid =, gid = } expected, got %s", check.show(value))
  end
  return M.idmap(value, path, problems)
end

return M
