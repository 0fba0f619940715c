-- Every kind of mount, file and step of a recipe's own.
return {
  readonly = true, devices = { "/dev/fuse" }, hostname = "x", domainname = "y",
  mounts = {
    { type = "bind", source = "/srv", target = "/a", options = { "ro", "nosuid" } },
    { type = "bind", source = "/none", target = "/b", optional = true },
    { type = "tmpfs", source = "tmpfs", target = "/c", options = { "size=1M", "mode=700" } },
    { type = "file", target = "/c/file", content = "text\n", mode = "0644" },
    { type = "symlink", source = "../x", target = "/c/link" },
    { type = "dir", target = "/c/dir/below", mode = "0750" },
    { type = "bind", source = "/", target = "/d", options = { "rbind", "rslave" } },
  },
  masked_paths = { "/proc/kcore", "/sys/firmware", "/c/dir" }, readonly_paths = { "/proc/sys" },
  sysctl = { ["net.ipv4.ip_forward"] = 1, ["kernel/shmmax"] = 4096 },
  steps = function(p)
    p:mkdir("/x/y/../z", "0755")
    p:write("/c/file", "other\n")
    p:mknod("/x/fifo", 4480, 0)
    p:symlink("/a", "/x/a")
  end,
}
