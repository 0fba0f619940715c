--- What rootfs.none() means for the other fields. Pure.
local M = {}

-- Fields that change a root file system, which must not be the host's.
local OF_A_ROOT <const> = {
  "mounts", "devices", "readonly", "masked_paths", "readonly_paths", "steps",
}

--- What a recipe does not ask for is the host's, when not even the root is its own.
local function namespaces(spec, asked)
  local listed, settled = {}, {}
  for _, kind in ipairs(asked) do
    listed[kind] = true
  end
  for kind, word in pairs(spec.namespaces) do
    settled[kind] = (listed[kind] or rawget(asked, kind) ~= nil) and word or "host"
  end
  return settled
end

--- Decide the namespaces, and refuse what needs a root.
---@param spec luactr.spec normalized, with a `rootfs` that is none
---@param raw table as given
---@param problems luactr.problems
function M.settle(spec, raw, problems)
  local asked = rawget(raw, "namespaces")
  spec.namespaces = asked == "all" and spec.namespaces or namespaces(spec, asked or {})
  for _, name in ipairs(OF_A_ROOT) do
    if rawget(raw, name) ~= nil then
      problems:add(name,
        "needs a root of the container's own: with rootfs.none() it is the host's")
    end
  end
  if spec.namespaces.mount == "new" then
    problems:add("namespaces.mount", "is the host's with rootfs.none(): nothing is mounted")
  end
end

return M
