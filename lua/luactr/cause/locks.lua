--- Kernel parameters that keep users who are not root from making a user namespace: the value that
--- does, and one that does not.
---@type { name: string, off: integer, on: string }[]
return {
  { name = "user/max_user_namespaces", off = 0, on = "65536" },
  { name = "kernel/unprivileged_userns_clone", off = 0, on = "1" },
  { name = "kernel/apparmor_restrict_unprivileged_userns", off = 1, on = "0" },
}
