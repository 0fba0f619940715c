-- A terminal, a user, groups, and what belongs to the process.
return {
  tty = true, user = "1000:100", groups = { 5, 29 }, umask = "077", cwd = "/srv",
  rlimits = { nofile = 64, core = 0 }, oom_score_adj = 500, personality = "no_aslr",
  capabilities = { ambient = { "NET_RAW" }, permitted = { "NET_RAW" }, inheritable = { "NET_RAW" },
    bounding = { "NET_RAW" }, effective = { "NET_RAW" } },
}
