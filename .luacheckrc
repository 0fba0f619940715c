std = "lua54"
max_line_length = 100
codes = true
self = false

files["spec"] = { std = "lua54+busted" }
files["lua/recipes"] = { globals = {} }
