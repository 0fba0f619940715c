--- Give an image to a registry, which tells what of it is there.
local targets = require "luactr.image.registry.target"

local sys <const> = require("luactr.core").sys

local M = {}

--- The image as a directory of the stage, its blobs as links to those of the store.
local function lay_out(work, image)
  local what, err = require("luactr.image.export").describe(image)
  if not what then
    return nil, err
  end
  local disk <const> = require "luactr.image.store.disk"
  local blob <const> = require "luactr.image.blob"
  local path, total = work.stage.path .. "/push", 0
  local done, message, errno = sys.mkdir(path, disk.PRIVATE_DIRECTORY)
  if not done then
    return disk.failed(message, errno, "mkdir", path)
  end
  for _, file in ipairs(require("luactr.image.export.contents").of(what, "dir")) do
    local to = path .. "/" .. file.path
    if file.text then
      done, err = disk.put(to, file.text, to .. ".new")
    else
      done, message, errno = sys.link(blob.path(work.store.path, file.blob.digest), to)
      err = not done and select(2, disk.failed(message, errno, "link", file.path)) or nil
      total = total + file.blob.size
    end
    if not done then
      return nil, err
    end
  end
  return path, total
end

--- What a process has written so far: to the registry, as near as one can tell from outside.
local function written(pid)
  local file <close> = io.open(string.format("/proc/%d/io", pid))
  return file and math.tointeger(tonumber(file:read("a"):match("wchar: (%d+)")))
end

--- Push from a store.
---@param work luactr.image.work
---@param image luactr.image
---@param target luactr.image.target
---@param options luactr.image.push_options
---@return { name: string, digest: string }?
---@return luactr.error?
function M.run(work, image, target, options)
  local skopeo, err = require("luactr.image.registry.skopeo").open(work.stage, target.registry,
    options)
  local path, total
  if skopeo then
    path, total = lay_out(work, image)
    err = total
  end
  if not path then
    return nil, err
  end
  work.progress:start("push " .. target.name, total)
  local done
  done, err = skopeo:run({ "copy", "--quiet", "--preserve-digests", "dir:" .. path,
    targets.address(target) }, "dest-",
    { tick = targets.follower(work.progress, total, written) })
  if not done then
    return nil, err
  end
  work.progress:done()
  return { name = target.name .. ":" .. target.tag, digest = image.digest }
end

return M
