-- A user namespace, and others shared.
return {
  namespaces = { user = "new", pid = "host", network = "host", ipc = "host" },
  rootfs = require("luactr").rootfs.empty(),
}
