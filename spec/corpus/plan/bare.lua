-- No root of its own, and no init.
return { rootfs = require("luactr").rootfs.none(), init = false, seccomp = "unconfined" }
