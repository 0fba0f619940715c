--- The options of checkpoint and restore that are about CRIU.
return {
  { "--image-path", argument = "DIR", help = "where the images are, ./checkpoint" },
  { "--work-path", argument = "DIR", help = "where CRIU's log is" },
  { "--tcp-established", help = "with connections of TCP" },
  { "--tcp-close", help = "without connections of TCP" },
  { "--ext-unix-sk", help = "with sockets to others" },
  { "--shell-job", help = "with the terminal of the caller" },
  { "--file-locks", help = "with locks of files" },
  { "--link-remap", help = "with files that have no name any more" },
  { "--auto-dedup", help = "without pages that the parent's images have" },
  { "--lazy-pages", help = "memory later, by a page server" },
  { "--manage-cgroups-mode", argument = "MODE",
    words = { "soft", "full", "strict", "ignore" }, help = "soft, full, strict or ignore" },
  { "--empty-ns", argument = "NAMESPACE", help = "a namespace to be made anew" },
}
