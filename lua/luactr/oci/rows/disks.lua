--- config.json: linux.resources.blockIO. Pure.
local T = require "luactr.oci.types"
local check = require "luactr.check"

local IO <const> = "io."

-- The weights of BFQ are 1 to 1000, those of recipes 1 to 10000 as of cgroup v2; 100 is normal in
-- both, and a weight of BFQ is the same when it has been there and back.
local function weight(value, b)
  if value > 1000 then
    return b:problem("%d is out of range: 1 to 1000", value)
  end
  return value > 100 and 100 + (value - 100) * 11 or value > 0 and value or nil
end

local function weight_back(limit)
  return limit > 100 and 100 + (limit - 100) * 900 // 9900 or limit
end

local function number_of(one)
  return string.format("%d:%d", one.major, one.minor)
end

--- A list of { major, minor, NAME } as a table of device = value.
local function of_devices(name, convert)
  return function(list, b)
    local result = {}
    for _, one in ipairs(list) do
      result[number_of(one)] = one[name] and convert(one[name], b)
    end
    return next(result) and result or nil
  end
end

--- By what `names` are in config.json; a device that is given by its path has no number here.
local function to_devices(name, convert)
  return function(limit)
    local list = {}
    for _, device in ipairs(check.sorted_keys(limit)) do
      local major, minor = device:match("^(%d+):(%d+)$")
      list[#list + 1] = major and { major = math.tointeger(major), minor = math.tointeger(minor),
        [name] = convert(limit[device]) }
    end
    return list
  end
end

--- An update takes a limit back by 0.
local function rate(value, b)
  return value > 0 and value or b.context.update and "unlimited" or nil
end

local function rate_back(limit)
  return math.max(limit, 0)
end

local device <const> = {
  { name = "major", type = T.int64, required = true },
  { name = "minor", type = T.int64, required = true },
}

local function devices_with(...)
  local fields = table.move(device, 1, #device, 1, {})
  for _, field in ipairs { ... } do
    fields[#fields + 1] = field
  end
  return T.list(T.object(fields))
end

local weighted <const> = devices_with(
  { name = "weight", type = T.uint16 }, { name = "leafWeight", type = T.uint16 })
local rated <const> = devices_with({ name = "rate", type = T.uint64, required = true })

return {
  { path = "blockIO.weight", field = IO .. "weight", type = T.uint16, to = weight,
    from = weight_back },
  { path = "blockIO.leafWeight", field = IO .. "leaf_weight", type = T.uint16, to = weight,
    from = weight_back },
  { path = "blockIO.weightDevice", field = IO .. "weight_device", type = weighted,
    to = of_devices("weight", weight), from = to_devices("weight", weight_back) },
  { path = "blockIO.weightDevice", field = IO .. "leaf_weight_device",
    to = of_devices("leafWeight", weight), from = to_devices("leafWeight", weight_back) },
  { path = "blockIO.throttleReadBpsDevice", field = IO .. "read_bps", type = rated,
    to = of_devices("rate", rate), from = to_devices("rate", rate_back) },
  { path = "blockIO.throttleWriteBpsDevice", field = IO .. "write_bps", type = rated,
    to = of_devices("rate", rate), from = to_devices("rate", rate_back) },
  { path = "blockIO.throttleReadIOPSDevice", field = IO .. "read_iops", type = rated,
    to = of_devices("rate", rate), from = to_devices("rate", rate_back) },
  { path = "blockIO.throttleWriteIOPSDevice", field = IO .. "write_iops", type = rated,
    to = of_devices("rate", rate), from = to_devices("rate", rate_back) },
}
