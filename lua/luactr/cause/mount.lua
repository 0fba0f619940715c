--- Why the root or a mount cannot be made: rows for the steps that touch the file system.

local OVERLAYFS_MAGIC <const> = 0x794c7630

-- ---- the host's side

--- Where a path on the host ends: the first component that is missing or no directory.
local function host_walk(case, path)
  local at = ""
  for name in path:gmatch("[^/]+") do
    local next_path = at .. "/" .. name
    local stat = case.eyes.stat(next_path)
    if not stat then
      return { missing = next_path, above = at == "" and "/" or at }
    end
    at = next_path
  end
  return { path = at, stat = case.eyes.stat(path) }
end

local function missing_source(case)
  local walk = host_walk(case, case.step.source)
  return walk.missing and { path = walk.missing, above = walk.above }
end

-- ---- overlay: its options are paths on the host

local function option(case, name)
  local data = "," .. (case.step.data or "")
  return case.step.type == "overlay" and data:match("," .. name .. "=([^,]+)") or nil
end

local function overlay_directories(case)
  local list = {}
  for layer in (option(case, "lowerdir") or ""):gmatch("[^:]+") do
    list[#list + 1] = { what = "lowerdir", path = layer }
  end
  for _, what in ipairs { "upperdir", "workdir" } do
    local path = option(case, what)
    list[#list + 1] = path and { what = what, path = path }
  end
  return list
end

local function missing_layer(case)
  for _, directory in ipairs(overlay_directories(case)) do
    if not case.eyes.stat(directory.path) then
      return directory
    end
  end
end

local function upper_on_overlay(case)
  local upper = option(case, "upperdir")
  local fs = upper and case.eyes.statfs(upper)
  return fs and fs.type == OVERLAYFS_MAGIC and { path = upper } or nil
end

local function upper_without_work(case)
  return option(case, "upperdir") and not option(case, "workdir") and {} or nil
end

local function work_elsewhere(case)
  local upper, work = option(case, "upperdir"), option(case, "workdir")
  local a, b = upper and case.eyes.stat(upper), work and case.eyes.stat(work)
  return a and b and a.dev ~= b.dev and { upper = upper, work = work } or nil
end

-- ---- the container's side

local function target(case)
  return case.step.target or case.step.path
end

local function walk_to_target(case)
  return case.view:walk(target(case))
end

local function root_is_no_directory(case)
  local node = case.view:node("/")
  return node and node.kind ~= "directory" and { path = node.host, kind = node.kind } or nil
end

local function source_is_no_directory(case)
  local source = case.eyes.stat(case.step.source)
  return source and source.type ~= "directory"
    and { path = case.step.source, kind = source.type } or nil
end

local function link_loop(case)
  return walk_to_target(case).loop and { path = target(case) } or nil
end

local function missing_target(case)
  local missing = walk_to_target(case).missing
  return missing and { path = missing } or nil
end

--- Where the root is a file system in a file, nothing can be made in it.
local function missing_in_file(case)
  local root = case.view:node("/")
  local opened = root and root.step and root.step.opened
  return opened and { path = target(case), source = opened.source } or nil
end

local function file_on_the_way(case)
  local path = walk_to_target(case).not_directory
  return path and { path = path } or nil
end

--- A link on the way that leads to nothing: where it leads nothing is made.
local function link_to_nothing(case)
  local path = ""
  for name in target(case):gmatch("[^/]+") do
    path = path .. "/" .. name
    local node, walk = case.view:node(path), case.view:walk(path)
    if not walk.path then
      return node and node.kind == "symlink" and walk.missing
        and { path = path, link = node.link, missing = walk.missing } or nil
    end
    path = walk.path == "/" and "" or walk.path
  end
end

local function target_is_no_directory(case)
  local walk = walk_to_target(case)
  local kind = walk.node and walk.node.kind
  return kind and kind ~= "directory" and kind ~= "unknown" and { path = walk.path, kind = kind }
    or nil
end

local function target_is_directory(case)
  local walk = walk_to_target(case)
  return walk.node and walk.node.kind == "directory" and { path = walk.path } or nil
end

local function unknown_type(case)
  local kind = case.step.type
  local known = case.eyes.read("/proc/filesystems") or ""
  if (known .. "\n"):find("\t" .. kind .. "\n", 1, true) then
    return nil
  end
  return { type = kind }
end

local function in_user_namespace(case)
  return case.plan.id_maps and { type = case.step.type, path = target(case) } or nil
end

local OTHER_DRIVER <const> = "driver = \"fuse-overlayfs\" beside the layers"

--- Of a root that fuse-overlayfs can make as well.
local function overlay_without_rights(case)
  local is_root = case.step.type == "overlay" and target(case) == "/"
  return is_root and case.plan.id_maps and not case.host.privileged and {} or nil
end

local function older_than_layers(case)
  local major, minor = case.host.kernel[1], case.host.kernel[2]
  local old = major < 6 or (major == 6 and minor < 7)
  return old and { kernel = major .. "." .. minor } or nil
end

local function missing_single_layer(case)
  for _, text in ipairs(case.step.options) do
    local what, path = text:match("^(%l+dir)%+?=(.*)")
    if what and not case.eyes.stat(path) then
      return { what = what, path = path }
    end
  end
end

local function label_without_selinux(case)
  local name = ("," .. (case.step.data or "")):match(",(%l*context)=")
  return name and not case.eyes.stat("/sys/fs/selinux/enforce") and { name = name } or nil
end

local function named(case)
  return { path = target(case) }
end

local SHOWN_AT <const> = { proc = "/proc", sysfs = "/sys" }

-- The first mount that hides a part of the proc or sysfs that luactr itself sees.
local function covered_here(case)
  local top = case.plan.id_maps and SHOWN_AT[case.step.type]
  for line in (top and case.eyes.read("/proc/self/mountinfo") or ""):gmatch("[^\n]+") do
    local path = line:match("^%d+ %d+ %S+ %S+ (%S+)")
    if path and path:sub(1, #top + 1) == top .. "/" then
      return { path = path, type = case.step.type }
    end
  end
end

local function always()
  return {}
end

local CREATES <const> = { create_dir = "dir", create_file = "file", create_never = "never" }

-- What the bind was to make at its target, in the recipe's word.
local function created(case)
  local bits = case.step.policy or 0
  for name, bit in pairs(require("luactr.core").plan.bind_policy) do
    if CREATES[name] and bits & bit ~= 0 then
      return CREATES[name]
    end
  end
end

local function must_not_create(case)
  return created(case) == "never" and { path = target(case) } or nil
end

local function created_otherwise(case)
  local source = case.eyes.stat(case.step.source)
  local made = created(case)
  return source and made and { made = made, kind = source.type } or nil
end

-- ---- the rows

local function no_root(find)
  return { code = "ENOTDIR", find = find, cause = "the root {path} is a {kind}, not a directory",
    remedy = "unpack it, or name a directory in `rootfs`" }
end

local NO_ROOT <const> = no_root(root_is_no_directory)

local TARGET <const> = {
  NO_ROOT,
  { code = "ELOOP", find = link_loop,
    cause = "symbolic links on the way to {path} lead in a circle",
    remedy = "mount elsewhere, or repair the links in the root" },
  { code = "EROFS", find = missing_in_file,
    cause = "{path} does not exist in {source}, which is only read",
    remedy = "make it there before; or ctr.rootfs.overlay { lower = ... } around the root, in "
      .. "which it can be made" },
  { code = "EROFS", find = missing_target,
    cause = "{path} does not exist, and cannot be made because the root is read-only there",
    remedy = "make it there before; `readonly = true` makes a writable root read-only later" },
  { code = "ENOTDIR", find = file_on_the_way, cause = "{path} is not a directory" },
  { code = { "ENOTDIR", "ENOENT" }, aux = "target", find = link_to_nothing,
    cause = "{path} is a link to {link}, and there is no {missing} in the root",
    remedy = "make it there before, or mount at what the link names" },
  { code = "EACCES", find = missing_target, guess = true,
    cause = "{path} does not exist, and luactr may not make it" },
}

--- What is wrong with the way to the target comes before what is wrong with the mount.
local function with_target(rows)
  local all = table.move(TARGET, 1, #TARGET, 1, {})
  return table.move(rows, 1, #rows, #all + 1, all)
end

local M = {}

M.root_bind = {
  no_root(source_is_no_directory),
  { code = "ENOENT", find = missing_source,
    cause = "there is no {path} on this host ({above} exists)",
    remedy = "correct the path in `rootfs`" },
  { code = { "EACCES", "EPERM" }, guess = true,
    cause = "luactr may not read the directory, or not bind mounts that the host has locked" },
}

M.root_tmpfs = {
  { code = "ENOENT", guess = true, cause = "luactr's stage directory is gone" },
}

M.mount = with_target {
  { code = "ENODEV", find = unknown_type,
    cause = "this kernel has no file system {type}",
    remedy = "correct the mount's type, or load its module (modprobe {type})" },
  { code = "EINVAL", find = upper_on_overlay,
    cause = "the upper directory {path} is itself on overlayfs, which cannot be an upper layer",
    remedy = "a directory on ext4, xfs or tmpfs" },
  { code = "EINVAL", find = upper_without_work,
    cause = "an overlay with upperdir needs workdir too",
    remedy = "add workdir=, an empty directory on the file system of upperdir" },
  { code = { "EINVAL", "EXDEV" }, find = work_elsewhere,
    cause = "{upper} and {work} are on different file systems",
    remedy = "put workdir beside upperdir" },
  { code = "ENOENT", find = missing_layer, cause = "the overlay's {what} does not exist: {path}" },
  { code = "ENOTDIR", aux = "target", find = target_is_no_directory,
    cause = "{path} is a {kind}, and a file system needs a directory" },
  { code = "EPERM", find = covered_here,
    cause = "{path} is covered here, and a user namespace may mount {type} only where another "
      .. "shows all of it",
    remedy = "in the recipe of the container around this one: masked_paths = {}, "
      .. "readonly_paths = {}" },
  { code = { "EPERM", "EACCES" }, find = overlay_without_rights, guess = true,
    cause = "this kernel does not let a user namespace mount an overlay of these layers",
    remedy = OTHER_DRIVER },
  { code = { "EPERM", "EACCES" }, find = in_user_namespace, guess = true,
    cause = "a user namespace may not mount {type} here, or only what the host shows of it whole" },
  { code = "EINVAL", find = label_without_selinux,
    cause = "{name}= is a label of SELinux, which is not on here", remedy = "leave it out" },
  { code = "EINVAL", find = overlay_without_rights, guess = true,
    cause = "this kernel does not let a user namespace mount an overlay of these layers, or does "
      .. "not know an option",
    remedy = OTHER_DRIVER },
  { code = "EINVAL", guess = true, cause = "the file system does not know one of its options" },
  { code = "EBUSY", guess = true, cause = "the source is in use by another mount" },
}

M.bind = with_target {
  { code = "ENOENT", aux = "target", find = must_not_create,
    cause = "there is no {path} inside, and create = \"never\" says that none is made" },
  { code = { "EINVAL", "ENOTDIR" }, aux = "attach", find = created_otherwise,
    cause = "create = \"{made}\" does not fit the source, which is a {kind}" },
  { code = "ENOENT", aux = "source", find = missing_source,
    cause = "there is no {path} on this host ({above} exists)",
    remedy = "correct the mount's source, or say optional = true" },
  { code = "ENOTDIR", aux = "target", find = target_is_no_directory,
    cause = "the source is a directory, but {path} inside is a {kind}" },
  { code = { "EINVAL", "ENOTDIR" }, aux = "attach", find = target_is_directory,
    cause = "the source is a file, but {path} inside is a directory" },
  { code = "EINVAL", aux = "source", guess = true,
    cause = "the source is a mount that may not be copied (unbindable, or of another namespace)" },
  { code = "EPERM", aux = "attribute", guess = true,
    cause = "the host has locked a flag of this mount, which a user namespace may not change" },
}

M.fsmount = with_target {
  { code = { "EPERM", "EACCES" }, find = overlay_without_rights, guess = true,
    cause = "this kernel does not let a user namespace mount an overlay of these layers",
    remedy = OTHER_DRIVER },
  { code = "EINVAL", aux = "configure", find = older_than_layers,
    cause = "layers one by one came with Linux 6.7, and this is {kernel}",
    remedy = "shorter paths: 4000 bytes together go in one option" },
  { code = "ENOENT", aux = "configure", find = missing_single_layer,
    cause = "the overlay's {what} does not exist: {path}" },
  { code = "EINVAL", aux = "configure", guess = true,
    cause = "a path is longer than 255 bytes, or an option is not known" },
}

M.fuse = {
  { code = "ENOENT", aux = "source", find = always,
    cause = "this host has no /dev/fuse", remedy = "modprobe fuse" },
  { code = { "EACCES", "EPERM" }, aux = "source", guess = true,
    cause = "luactr may not open /dev/fuse", remedy = "its mode is 0666 on most hosts" },
  { code = "ENODEV", find = always,
    cause = "this kernel has no file system fuse", remedy = "modprobe fuse" },
}

M.tmpcopyup = with_target {
  { code = "ENOSPC", aux = "copy", find = always,
    cause = "what it is to cover does not fit into its size=, or has more files than nr_inodes=" },
  { code = "ENAMETOOLONG", aux = "copy", find = always,
    cause = "what it is to cover has more than 127 directories in each other" },
  { code = "ESTALE", aux = "copy", find = always,
    cause = "somebody changes what is copied at the same time" },
  { code = { "EACCES", "EPERM" }, aux = "copy", guess = true,
    cause = "it is to cover a file that luactr may not read here" },
  { code = "EINVAL", aux = "configure", guess = true, cause = "tmpfs does not know an option" },
}

M.unmount = {
  { code = "ENOENT", find = named, cause = "there is no {path} in the container" },
  { code = "EINVAL", find = named, cause = "{path} is no mount point, or a mount that came with "
    .. "another and cannot go alone",
    remedy = "name the target of a mount; where a symbolic link leads to it, what that says" },
  { code = "EBUSY", find = named, cause = "something in the container uses {path}",
    remedy = "box:unmount(target, { detach = true }) takes it away now and ends it when unused" },
}

M.open_tree = {
  { code = "ENOSYS", find = always,
    cause = "this kernel has no open_tree(2), which came with Linux 5.2: without it no bind can "
      .. "stay connected with the host's mounts",
    remedy = "a newer kernel, or the bind without slave and shared" },
  { code = "ESTALE", aux = "verify", find = always,
    cause = "the descriptor's path leads to another file by now, or to none",
    remedy = "open it again before the start; what has no name cannot be bound" },
  { code = "ENOENT", aux = "source", find = missing_source,
    cause = "there is no {path} on this host ({above} exists)",
    remedy = "correct the mount's source, or say optional = true" },
}

local function placed(rows)
  return with_target(rows or {})
end

local function has_strange_owner(case)
  return case.step.owner == 1 and in_user_namespace(case) or nil
end

local OWNED <const> = { { code = "EINVAL", find = has_strange_owner,
  cause = "the user or group that is to own {path} does not exist in the user namespace",
  remedy = "map it with `idmap`, or leave uid and gid out" } }

M.mkdir, M.file, M.symlink, M.write = placed(OWNED), placed(OWNED), placed(), placed()

M.symlink = placed { { code = "EEXIST", find = function(case)
  return { path = target(case) }
end, cause = "there is something else at {path} already" } }

M.mknod = placed { {
  code = "EPERM", find = in_user_namespace,
  cause = "a user namespace may not make device nodes",
  remedy = "bind the host's: ctr.bind \"/dev/...\"",
} }

local function source_of_node(case)
  local stat = case.eyes.stat(case.step.source)
  return stat and { path = case.step.source, kind = stat.type } or nil
end

-- What is wrong with the host's node comes first: it is opened before the target.
M.bind_node = table.move(TARGET, 1, #TARGET, 4, {
  { code = "ENOENT", aux = "source", find = missing_source,
    cause = "there is no {path} on this host ({above} exists)",
    remedy = "correct the path in `devices`" },
  { code = "ENODEV", aux = "verify", find = source_of_node,
    cause = "{path} of this host is not that device ({kind})",
    remedy = "name a device node of the host" },
  { code = "EACCES", aux = "verify", find = source_of_node,
    cause = "{path} of this host lies on a file system that is mounted without devices",
    remedy = "mount a /dev without `nodev` on the host" },
})

M.mount_setattr = {
  { code = "ENOENT", find = missing_target, cause = "there is no {path} in the root" },
  { code = "EINVAL", guess = true, cause = "it is no mount point, or the flags contradict" },
}

M.console = {
  { code = "ENOENT", aux = "target", guess = true,
    cause = "/dev/console of the root is a link that leads nowhere in it",
    remedy = "take the link out of the root, or mount a tmpfs on /dev" },
  { code = { "ENOENT", "ENODEV" }, guess = true,
    cause = "the container has no devpts of its own on /dev/pts",
    remedy = "leave /dev/pts to luactr, or say tty = false" },
}

M.pivot_root = {
  NO_ROOT,
  { code = "EINVAL", guess = true,
    cause = "the host's root is a ramfs, or one of the two is no mount point" },
}

M.readonly, M.mask = {}, {}

return M
