--- Constructors of the files by which programs know their host: names, addresses, time, identity.
--- Each returns a table that `mounts` takes.
local M = {}

local READABLE <const> = "0644"
local ZONES <const> = "/usr/share/zoneinfo/"

local function file(target, content, mode)
  return { type = "file", target = target, content = content, mode = mode or READABLE }
end

local function mistake(call, message)
  error(call .. ": " .. message, 3)
end

-- One word of a file of lines and words.
local function is_word(text)
  return type(text) == "string" and text:find("^[^%s%c#]+$") ~= nil
end

local function check_words(call, name, list)
  if type(list) ~= "table" then
    error(string.format("%s: %s: list expected", call, name), 3)
  end
  for _, word in ipairs(list) do
    if not is_word(word) then
      error(string.format("%s: %s: not a word: %s", call, name,
        require("luactr.check").show(word)), 3)
    end
  end
  return list
end

---@class luactr.resolv_conf
---@field nameservers? string[] addresses
---@field search? string[] domains
---@field options? string[] of resolv.conf(5)

local RESOLVER_FIELDS <const> = { nameservers = true, search = true, options = true }

--- /etc/resolv.conf: which name servers are asked.
---@param fields luactr.resolv_conf
function M.resolv_conf(fields)
  if type(fields) ~= "table" then
    mistake("resolv_conf", "table with nameservers, search, options expected")
  end
  for name in pairs(fields) do
    if not RESOLVER_FIELDS[name] then
      mistake("resolv_conf", "unknown field " .. tostring(name))
    end
  end
  local lines = {}
  for _, address in ipairs(check_words("resolv_conf", "nameservers", fields.nameservers or {})) do
    lines[#lines + 1] = "nameserver " .. address .. "\n"
  end
  for _, name in ipairs { "search", "options" } do
    local words = check_words("resolv_conf", name, fields[name] or {})
    lines[#lines + 1] = #words > 0 and name .. " " .. table.concat(words, " ") .. "\n" or nil
  end
  return file("/etc/resolv.conf", table.concat(lines))
end

--- /etc/hosts: localhost, and names with their addresses.
---@param addresses table<string, string> name = address
function M.hosts(addresses)
  if type(addresses) ~= "table" then
    mistake("hosts", "table of name = address expected")
  end
  local lines = {}
  for name, address in pairs(addresses) do
    if not is_word(name) or not is_word(address) then
      mistake("hosts", "name = address expected, got " .. require("luactr.check").show(name))
    end
    lines[#lines + 1] = address .. "\t" .. name .. "\n"
  end
  table.sort(lines)
  return file("/etc/hosts", "127.0.0.1\tlocalhost\n::1\tlocalhost\n" .. table.concat(lines))
end

--- /etc/localtime: the zone of this name, from the host.
---@param zone string "Europe/Berlin"
function M.timezone(zone)
  if type(zone) ~= "string" or not zone:find("^%w[%w_+/-]*$") then
    mistake("timezone", "name as \"Europe/Berlin\" expected")
  end
  return { type = "bind", source = ZONES .. zone, target = "/etc/localtime",
    options = { "ro", "dest-nofollow" } }
end

local function random_id()
  local source <close> = assert(io.open("/dev/urandom", "rb"))
  local hexadecimal = source:read(16):gsub(".", function(byte)
    return string.format("%02x", byte:byte())
  end)
  return hexadecimal
end

--- /etc/machine-id: 32 hexadecimal digits, others each time if none are given.
---@param id? string
function M.machine_id(id)
  if id ~= nil and not (type(id) == "string" and #id == 32 and id:find("^[%da-f]+$")) then
    mistake("machine_id", "32 hexadecimal digits expected")
  end
  return file("/etc/machine-id", (id or random_id()) .. "\n", "0444")
end

return M
