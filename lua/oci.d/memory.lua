--- A limit for memory by the label org.example.tier, for containers that ask for more or for none.
--
--   install -m 0644 -o root memory.lua /etc/luactr/oci.d/20-memory.lua
local MOST <const> = { gold = 4 << 30, silver = 1 << 30 }
local OTHERS <const> = 256 << 20

return function(spec, config)
  local tier = (config.annotations or {})["org.example.tier"]
  if tier and not MOST[tier] then
    return nil, string.format("there is no tier %q", tier)
  end
  local most = MOST[tier] or OTHERS
  spec.limits = spec.limits or {}
  local wanted = spec.limits.memory
  if type(wanted) ~= "number" or wanted > most then
    spec.limits.memory, spec.limits.swap = most, nil
  end
end
