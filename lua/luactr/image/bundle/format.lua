--- Which format an archive has, by the names of its files. Pure.
local M = {}

local HEX <const> = ("%x"):rep(64)

-- What archives of images have at their top: OCI's layout, and what `docker save` and others write.
local TOP_NAMES <const> = {
  "^oci%-layout$", "^index%.json$", "^manifest%.json$", "^repositories$", "^blobs$",
  "^" .. HEX .. "$", "^sha256:" .. HEX .. "$",
  "^" .. HEX .. "%.json$", "^" .. HEX .. "%.tar$", "^" .. HEX .. "%.tar%.%w+$",
}

--- Whether a file may be one of an archive of images. The first that is none decides that it is the
--- root of a file system, without a look at the rest.
---@param name string
---@return boolean
function M.is_image_name(name)
  local top = name:match("^[^/]*")
  for _, pattern in ipairs(TOP_NAMES) do
    if top:find(pattern) then
      return true
    end
  end
  return name == "" or name == "."
end

--- The format of an archive with these files; nil when it is none that is known.
---@param files table<string, any> by name
---@return "oci"|"docker-archive"|"tarball"|nil
function M.kind(files)
  if files["oci-layout"] and files["index.json"] then
    return "oci"
  elseif files["manifest.json"] then
    return "docker-archive"
  end
  for name in pairs(files) do
    if name ~= "" and name ~= "." then
      return nil -- all of them are those of an image, as far as they go
    end
  end
  return "tarball"
end

-- What there is, without what belongs to it.
local HALF <const> = {
  { "oci-layout", "it has an oci-layout, but no index.json" },
  { "repositories", "it has repositories, but no manifest.json: Docker before 1.10 wrote it",
    "load and save it with a newer Docker" },
}

--- Why it is none, and what to do.
---@param files table<string, any>
---@return string cause
---@return string? remedy
function M.problem(files)
  for _, row in ipairs(HALF) do
    if files[row[1]] then
      return row[2], row[3]
    end
  end
  return "it has blobs of an image, but neither index.json nor manifest.json"
end

return M
