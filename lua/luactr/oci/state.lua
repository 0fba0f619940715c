--- What the OCI's `state` says of a container, from the record that luactr keeps of it. Pure.
local M = {}

M.VERSION = 1 -- of what luactr keeps of such a container; the next luactr reads the last one's

M.OCI_VERSION = "1.3.0" -- of the specification, for containers that have no bundle

---@class luactr.oci.state
---@field ociVersion string
---@field id string
---@field status "creating"|"created"|"running"|"paused"|"stopped"
---@field pid? integer the host's; of one that has stopped there is none
---@field bundle string
---@field annotations? table<string, string>
---@field recipes? string[] files of those that are told of its life: luactr.oci.recipes

---@class luactr.oci.record in state.json, once a container is created: before that there is none
---@field version integer
---@field ociVersion string
---@field bundle string absolute
---@field annotations? table<string, string>
---@field hooks? table<string, boolean> the kinds that there are

---@param id string
---@param oci luactr.oci.record
---@param status string
---@param pid? integer
---@return luactr.oci.state
function M.of(id, oci, status, pid)
  local annotations = oci.annotations
  return {
    ociVersion = oci.ociVersion, id = id, status = status,
    pid = status ~= "stopped" and pid or nil, bundle = oci.bundle,
    annotations = annotations and next(annotations) and annotations or nil,
  }
end

return M
