--- What is done inside a container that runs, and with its files: methods that the boxes
--- of this process and what ctr.find returns have in common, and to which command_base() and
--- subject() say what they are.
---@class luactr.container.inside
---@field command_base fun(self): luactr.base
---@field subject fun(self): luactr.container.subject?, luactr.error?
local M = {}

-- ---- commands

--- A command to run in it, beside its own: start, wait, run, kill, stop and close are as a
--- container's. What is not said is as the container's own command has it.
---@param spec luactr.command_spec
---@return luactr.command
function M:command(spec)
  return require("luactr.container.command").new(self, self:command_base(), spec)
end

--- Run a command in it to the command's end.
---@param spec luactr.command_spec
---@return luactr.result?
---@return luactr.error? why it did not start
function M:exec(spec)
  local command <close> = self:command(spec)
  return command:run()
end

-- ---- files: see luactr.container.files

local function files_call(container, what, ...)
  local subject, err = container:subject()
  if not subject then
    return nil, err
  end
  return require("luactr.container.files")[what](subject, ...)
end

--- Copy a file or directory of the host, or the files of a tar archive, into it; running or, as far
--- as its root outlives it, ended.
---@param source string|luactr.anyfd a path of the host; or a descriptor to read an archive from
---@param path string inside; where it goes follows the rules of cp(1)
---@param options? luactr.copy_options
---@return boolean? done
---@return luactr.error?
function M:copy_in(source, path, options)
  return files_call(self, "copy_in", source, path, options)
end

--- Copy a file or directory of it to the host.
---@param path string inside
---@param target string|luactr.anyfd a path of the host; or a descriptor to write an archive to
---@param options? luactr.copy_options
---@return boolean? done
---@return luactr.error?
function M:copy_out(path, target, options)
  return files_call(self, "copy_out", path, target, options)
end

--- Write its root file system, without what is mounted in it, as a tar archive.
---@param fd luactr.anyfd
---@param options? { filter?: "gzip"|"zstd", notice?: fun(path: string, why: string) }
---@return boolean? done
---@return luactr.error?
function M:export(fd, options)
  return files_call(self, "export", fd, options)
end

--- Which of its files it has added, changed and deleted.
---@return luactr.change[]?
---@return luactr.error? code "ENOTSUP" when there is nothing to compare with
function M:diff()
  local subject, err = self:subject()
  if not subject then
    return nil, err
  end
  return require("luactr.container.changes").list(subject)
end

--- Call with its processes stopped, if that is wanted and they are not.
local function paused(self, wanted, act)
  local is_ours = wanted and self:pause()
  local _ <close> = setmetatable({}, { __close = function()
    if is_ours then
      self:resume()
    end
  end })
  return act()
end

--- Make an image of what it has written: the layers of the image that it was made of, and one more.
--- Whether it runs or has ended, as long as what it wrote is there.
---@param name string "NAME:TAG"
---@param options? luactr.commit_options
---@return luactr.image?
---@return luactr.error? code "ENOTSUP" when it was not made of an image
function M:commit(name, options)
  local commit = require "luactr.container.commit"
  options = options or {}
  local mistake = type(name) ~= "string" and "an image's name expected" or commit.mistake(options)
  if mistake then
    error("commit: " .. mistake, 2)
  end
  local subject, err = self:subject()
  if not subject then
    return nil, err
  end
  return paused(self, options.pause and subject.process, function()
    return commit.run(subject, name, options)
  end)
end

--- Do to a directory of the host what it has done to its root: what was added and changed is
--- written, what was deleted is removed. Into the layer that it was made on, once it has ended; or
--- into an empty directory, which then has the changed files alone.
---@param directory string
---@return boolean? done
---@return luactr.error?
function M:promote(directory)
  if type(directory) ~= "string" or directory == "" then
    error("promote: a directory's path expected", 2)
  end
  local subject, err = self:subject()
  if not subject then
    return nil, err
  end
  return require("luactr.container.promote").run(subject, directory)
end

return M
