--- Roots that are read-only, whatever the engine asks for, with room to write in memory.
--
--   install -m 0644 -o root readonly.lua /etc/luactr/oci.d/50-readonly.lua
--
-- A container whose annotation org.example.writable is "true" keeps its root as it is; who may set
-- annotations is the engine's to say.
local ctr = require "luactr"

local WRITABLE <const> = { "/tmp", "/run" }

return {
  applies = function(config)
    return (config.annotations or {})["org.example.writable"] ~= "true"
  end,

  create = function(spec)
    spec.readonly = true
    local taken = {}
    for _, mount in ipairs(spec.mounts or {}) do
      taken[mount.target] = true
    end
    for _, path in ipairs(WRITABLE) do
      if not taken[path] then -- the engine has something of its own there
        table.insert(spec.mounts, ctr.tmpfs(path, "16M", { nosuid = true, nodev = true }))
      end
    end
  end,
}
