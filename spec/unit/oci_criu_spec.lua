-- What CRIU is told of a container.

local criu = require("luactr.oci.criu")

describe("luactr.oci.criu #unit", function()
  it("names the mounts that come from outside", function()
    assert.same({ "/data", "/proc/kcore", "/with space", "/host-tmp" }, criu.external [[
20 1 8:1 /srv/root / rw - ext4 /dev/sda1 rw
21 20 0:40 / /proc rw - proc proc rw
22 21 0:40 /sys /proc/sys ro - proc proc rw
23 20 0:41 / /dev rw - tmpfs tmpfs rw
24 23 0:42 / /dev/pts rw - devpts devpts rw
25 23 0:42 /0 /dev/console rw - devpts devpts rw
26 20 8:1 /srv/data /data rw shared:1 master:2 - ext4 /dev/sda1 rw
27 21 0:5 /null /proc/kcore rw - devtmpfs udev rw
28 20 8:1 /srv/x /with\040space rw - ext4 /dev/sda1 rw
29 20 0:43 /here /host-tmp rw - tmpfs tmpfs rw
]])
  end)

  it("takes the options of engines", function()
    assert.same({ "dump", "--tree", "7", "--images-dir", "/i", "--work-dir", "/w", "--log-file",
      "dump.log", "-v3", "--ext-unix-sk", "--leave-running", "--tcp-established",
      "--manage-cgroups=soft", "--track-mem", "--prev-images-dir", "../p", "--external",
      "mnt[/a]:/a" },
      criu.dump_words(7, { image_path = "/i", work_path = "/w", ext_unix_sk = true,
        leave_running = true, tcp_established = true, manage_cgroups_mode = "soft",
        parent_path = "../p" }, { "/a" }))
    assert.equal("pre-dump", criu.dump_words(7, { pre_dump = true }, {})[1])
  end)
end)
