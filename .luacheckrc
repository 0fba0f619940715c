std = "lua54"
max_line_length = 100
codes = true
self = false

files["spec"] = { std = "lua54+busted" }
files["lua/luactr/sys"] = { max_comment_line_length = 150 } -- one function type, one line
files["lua/luactr/types.lua"] = { max_line_length = false } -- annotations are one line each
