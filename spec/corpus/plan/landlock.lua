-- Rules by path and port.
return {
  landlock = {
    read = { "/", { path = "/none", optional = true } }, write = { "/tmp" }, execute = { "/usr" },
    ioctl = { "/dev/tty" }, tcp = { bind = { 0, 80 }, connect = { 443 } }, scope = { "signal" },
  },
  no_new_privileges = false,
}
