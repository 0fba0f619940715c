--- Copies into and out of containers, and their files as an archive. Whatever the container does
--- meanwhile, a path in it means a file in it.
local ids = require "luactr.files.ids"
local inside = require "luactr.files.inside"
local roots = require "luactr.container.root"

local sys <const> = require("luactr.core").sys

local M = {}

---@class luactr.copy_options
---@field archive? boolean owners as the other side numbers them, not those of who copies; set-id
---  bits and file capabilities into a container; directories that exist become as the copied ones
---@field limits? luactr.files.limits of an archive
---@field follow? boolean of a symbolic link as the source, what it leads to
---@field notice? fun(path: string, why: string) told of what is left out

local MOST_LINKS <const> = 40 -- as path_resolution(7)

-- ---- paths

--- The parts of a path that matter: without what ends it, its last name, and what its end means.
local function parse(path)
  local contents = path == "." or path:find("/%.$") ~= nil
  local directory = contents or path:sub(-1) == "/"
  local bare = path:gsub("/%.$", "/"):gsub("(.)/+$", "%1")
  local name = bare:match("[^/]+$") or "."
  if name == "." or name == ".." then
    contents, name = true, "."
  end
  local parent = bare:match("^(.*/)[^/]+$") or "."
  return { path = bare, parent = parent, name = name, contents = contents,
    directory = directory }
end

-- One side of a copy: how a path there is opened.
local function container_side(root)
  return function(path, flags)
    return inside.open(root.fd, path, flags)
  end
end

local function host_side(path, flags)
  return sys.open(path, flags)
end

local function wrong(path, code, cause)
  return nil, { code = code, errno = sys.errno[code], path = path, cause = cause }
end

-- ---- where a copy goes

--- The directory and the name that a path means; a link there is followed by hand, since what is
--- written replaces a name.
local function follow(open, wanted)
  for _ = 1, MOST_LINKS do
    local parent, _, errno = open(wanted.parent, sys.O_PATH | sys.O_DIRECTORY)
    if not parent then
      return wrong(wanted.path, sys.errname(errno), "there is no directory " .. wanted.parent)
    end
    local stat = sys.stat(wanted.name, sys.AT_SYMLINK_NOFOLLOW, parent)
    local link = stat and stat.type == "symlink" and sys.readlink(wanted.name, parent)
    if not link then
      return { parent = parent, name = wanted.name, stat = stat }
    end
    parent:close()
    wanted = parse(link:sub(1, 1) == "/" and link or wanted.parent .. "/" .. link)
    if wanted.name == "." then
      return wrong(wanted.path, "EISDIR", "it is a directory by now")
    end
  end
  return wrong(wanted.path, "ELOOP", "there are too many symbolic links")
end

--- The directory to write below, and the name of the top there. The rules are those of cp(1) and
--- of docker: into a directory that exists, or to a name that does not.
local function destination(open, path, source)
  local wanted = parse(path)
  local fd = open(wanted.path, sys.O_PATH)
  local type = fd and sys.stat(fd).type
  if type == "directory" then
    return fd, source.contents and "." or source.name
  elseif fd then
    fd:close()
  end
  if source.stream then
    return wrong(path, fd and "ENOTDIR" or "ENOENT", "an archive goes into a directory that exists")
  elseif fd and type ~= "file" then
    return wrong(path, "EEXIST", "it is no file and no directory: " .. type)
  elseif fd and (source.directory or wanted.directory) then
    return wrong(path, "ENOTDIR", source.directory
      and "it is a file, and what is copied is a directory" or "it is a file")
  elseif not fd and wanted.directory and not source.directory then
    return wrong(path, "ENOENT", "there is no such directory")
  elseif wanted.name == "." then
    return wrong(path, "ENOENT", "there is no such directory")
  end
  local at, fields = follow(open, wanted)
  if not at then
    return nil, fields
  end
  return at.parent, at.name
end

-- ---- what is copied

--- A place, and how it is to be called elsewhere.
local function source_at(open, path, options)
  local wanted = parse(path)
  local flags = sys.O_PATH | (wanted.directory and sys.O_DIRECTORY or 0)
  if not wanted.directory and not options.follow then
    flags = flags | sys.O_NOFOLLOW
  end
  local fd, _, errno = open(wanted.path, flags)
  if not fd then
    return wrong(path, sys.errname(errno), errno == sys.errno.ENOENT and "there is no such file"
      or nil)
  end
  local stat, system = sys.stat(fd), inside.kernels_own(fd)
  if system then
    fd:close()
    return wrong(path, "EPERM",
      string.format("it is on %s, which answers the host's root and not the container", system))
  end
  return { fd = fd, name = wanted.name, contents = wanted.contents,
    directory = stat.type == "directory" }
end

local function told(subject, what, fields)
  return roots.failure(subject, what, fields)
end

--- Write a source below a directory.
local function write_below(place, source, options)
  local directory <close>, _, errno = inside.reopen(place, sys.O_RDONLY | sys.O_DIRECTORY)
  if not directory then
    return nil, require("luactr.error").new { op = "open", errno = errno,
      message = "cannot open the directory to copy to" }
  end
  local target <close> = require("luactr.files.target").open(directory, options)
  return target:put_all(source)
end

--- What went wrong on the way, with what it was the way of.
local function within(subject, what, done, err)
  return done, err and err:wrap(string.format("cannot %s %q", what, subject.id))
end

local function refuse_kernels(path, place)
  local system = inside.kernels_own(place)
  if system then
    return wrong(path, "EPERM", "it is on " .. system
      .. ": what is written there is a command to the kernel")
  end
  return true
end

local function open_source(found, name, ids_of, options)
  return require("luactr.files.source").open(found.fd, {
    name = name, ids = ids_of, notice = options.notice,
  })
end

-- ---- into it

local function root_of(root)
  return { uid = ids.outside(root.ids, "uid", 0) or root.ids.uid[1].outside,
    gid = ids.outside(root.ids, "gid", 0) or root.ids.gid[1].outside }
end

--- What comes from the host: a file there, or an archive.
local function host_source(source, options)
  if type(source) ~= "string" then
    return { stream = true, contents = true, directory = true, name = "." }
  end
  return source_at(host_side, source, options)
end

local function start_reading(found, source, name, options)
  if found.stream then
    return require("luactr.files.archive").reader(source)
  end
  return open_source(found, name, nil, options)
end

local COPY_IN <const> = "copy to"

--- Copy a file or directory of the host, or an archive's files, into a container.
---@param subject luactr.container.subject
---@param source string|luactr.anyfd a path of the host; or a descriptor to read a tar archive from
---@param path string in the container
---@param options? luactr.copy_options
---@return boolean? done
---@return luactr.error?
function M.copy_in(subject, source, path, options)
  options = options or {}
  local root <close>, err = roots.open(subject, COPY_IN)
  if not root then
    return nil, err
  end
  local found, fields = host_source(source, options)
  if not found then
    return told(subject, COPY_IN, fields)
  end
  local place <close>, name = destination(container_side(root), path, found)
  local fine = place
  fields = name
  if place then
    fine, fields = refuse_kernels(path, place)
  end
  if not fine then
    if found.fd then
      found.fd:close()
    end
    return told(subject, COPY_IN, fields)
  end
  local reader <close>, problem = start_reading(found, source, name, options)
  if not reader then
    return within(subject, COPY_IN, nil, problem)
  end
  return within(subject, COPY_IN, roots.as_its_root(root, function()
    return write_below(place, reader, {
      owner = not options.archive and root_of(root) or nil, ids = root.ids,
      keep = options.archive, privileges = options.archive, limits = options.limits,
      notice = options.notice,
    })
  end))
end

-- ---- out of it

local COPY_OUT <const> = "copy from"

local function to_archive(reader, fd, options)
  local writer <close>, err = require("luactr.files.archive").writer(fd, options)
  if not writer then
    return nil, err
  end
  return writer:put_all(reader)
end

local function to_host(subject, found, root, target, options)
  local place <close>, name = destination(host_side, target, found)
  if not place then
    found.fd:close()
    return told(subject, COPY_OUT, name)
  end
  local reader <close> = open_source(found, name, root.ids, options)
  return within(subject, COPY_OUT, write_below(place, reader, {
    owner = not options.archive and { uid = sys.geteuid(), gid = sys.getegid() } or nil,
    keep = options.archive, notice = options.notice,
  }))
end

--- Copy a file or directory of a container to the host. What a container has made never gets
--- set-id bits or capabilities there.
---@param subject luactr.container.subject
---@param path string in the container
---@param target string|luactr.anyfd a path of the host; or a descriptor to write a tar archive to
---@param options? luactr.copy_options
---@return boolean? done
---@return luactr.error?
function M.copy_out(subject, path, target, options)
  options = options or {}
  local root <close>, err = roots.open(subject, COPY_OUT)
  if not root then
    return nil, err
  end
  local found, fields = source_at(container_side(root), path, options)
  if not found then
    return told(subject, COPY_OUT, fields)
  elseif type(target) == "string" then
    return to_host(subject, found, root, target, options)
  end
  local name = not found.contents and found.name or "."
  local reader <close> = open_source(found, name, root.ids, options)
  return within(subject, COPY_OUT, to_archive(reader, target, options))
end

-- ---- all of it

--- Write its root file system to a descriptor as a tar archive, without what is mounted in it. The
--- same files give the same bytes.
---@param subject luactr.container.subject
---@param fd luactr.anyfd
---@param options? { filter?: "gzip"|"zstd", notice?: fun(path: string, why: string) }
---@return boolean? done
---@return luactr.error?
function M.export(subject, fd, options)
  options = options or {}
  local root <close>, err = roots.open(subject, "export")
  if not root then
    return nil, err
  end
  local place = sys.open(".", sys.O_PATH | sys.O_DIRECTORY, nil, { dir = root.fd })
  local reader <close> = require("luactr.files.source").open(place, {
    ids = root.ids, one_filesystem = true, notice = options.notice,
  })
  return within(subject, "export", to_archive(reader, fd, options))
end

return M
