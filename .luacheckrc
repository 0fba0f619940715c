std = "lua54"
max_line_length = 100
codes = true
self = false

files["spec"] = { std = "lua54+busted" }
files["lua/luactr/spec.lua"] = { max_line_length = 160 } -- a table: one row, one line
