--- What a container has changed of its root file system.
local changes = require "luactr.files.changes"
local roots = require "luactr.container.root"

local sys <const> = require("luactr.core").sys

local M = {}

local WHAT <const> = "compare the files of"

local function open_tree(fd)
  return require("luactr.files.source").open(fd, { one_filesystem = true })
end

local function ignored_of(kept)
  local ignored = {}
  for _, path in ipairs(kept.targets or {}) do
    ignored[path] = true
  end
  return { ignored = ignored }
end

-- ---- comparing the root with what it was

--- The root as it is now, which a caller compares.
local function with_root(subject, compare)
  local root <close>, err = roots.open(subject, WHAT)
  if not root then
    return nil, err
  end
  local place = sys.open(".", sys.O_PATH | sys.O_DIRECTORY, nil, { dir = root.fd })
  local source <close> = open_tree(place)
  return compare(source)
end

local function since(subject, kept, before)
  return with_root(subject, function(source)
    return changes.since(before, source, ignored_of(kept))
  end)
end

--- The layers below an overlay, which not everybody may mount as one.
local function open_lower(subject, kept)
  local sources = {}
  for i, path in ipairs(kept.lower) do
    local place, _, errno = sys.open(path, sys.O_PATH | sys.O_DIRECTORY)
    if not place then
      return roots.failure(subject, WHAT, { errno = errno, path = path, checked = false })
    end
    sources[i] = require("luactr.files.source").open(place, { one_filesystem = true, layer = true })
  end
  return sources
end

local function since_lower(subject, kept)
  local sources, err = open_lower(subject, kept)
  local before
  if sources then
    before, err = changes.snapshot_of_layers(sources)
  end
  for _, source in ipairs(sources or {}) do
    source:close()
  end
  if not before then
    return nil, err
  end
  return since(subject, kept, before)
end

-- ---- by what the root is

local BY_KIND = {}

--- What an upper directory says; where that does not say all, by comparison.
local function of_upper(subject, kept, upper)
  local base <close>, _, errno = require("luactr.files.layers").open(kept.lower)
  if not base then
    return roots.failure(subject, WHAT, { errno = errno, path = kept.lower[1], checked = false })
  end
  local list, err = changes.of_upper(upper, base, ignored_of(kept))
  if list or err then
    return list, err
  end
  return since_lower(subject, kept)
end

function BY_KIND.overlay(subject, kept)
  local upper <close>, err = require("luactr.container.upper").open(subject, WHAT)
  if not upper then
    return nil, err
  end
  return of_upper(subject, kept, upper)
end

function BY_KIND.memory(subject, kept)
  local upper <close> = kept.memory and require("luactr.container.upper").open(subject, WHAT)
  if upper then
    return of_upper(subject, kept, upper)
  elseif not subject.process then
    return roots.open(subject, WHAT) -- which says why there is none
  elseif kept.lower then
    return since_lower(subject, kept)
  end
  return roots.failure(subject, WHAT, { code = "ENOTSUP",
    cause = "its root is made of mounts in memory; there is nothing to compare with" })
end

function BY_KIND.directory(subject, kept)
  if kept.copied and subject.copied then
    return since(subject, kept, subject.copied)
  end
  return roots.failure(subject, WHAT, { code = "ENOTSUP",
    cause = "its root is the directory itself; there is nothing to compare with",
    remedy = "ctr.rootfs.overlay { lower = DIRECTORY, upper = ..., work = ... } keeps what is "
      .. "written apart" })
end

function BY_KIND.none(subject)
  return roots.failure(subject, WHAT, { code = "ENOTSUP",
    cause = "it has no root of its own: its files are the host's" })
end

--- Files that it has added, changed and deleted: of an overlay since there is its upper directory,
--- of copies of the host's files since its start.
---@param subject luactr.container.subject
---@return luactr.change[]?
---@return luactr.error?
function M.list(subject)
  local kept = subject.kept
  if not kept then
    return roots.failure(subject, WHAT, { code = "ENOTSUP",
      cause = "it runs in the foreground of another luactr" })
  end
  return BY_KIND[kept.kind](subject, kept)
end

return M
