-- Lists what is larger than a reader likes: `lua5.4 sizes.lua FILE...`. A report, not a verdict.

local FILE_LINES <const> = { c = 500, h = 500, lua = 300 }
local FUNCTION_LINES <const> = 60

-- Where a function starts and ends, told by the layout that clang-format and the style keep.
local FUNCTION <const> = {
  c = {
    start = function(line) return line:match("^[%a_].*%f[%w_]([%w_]+)%(.*%)?.*{$") end,
    ends = function(line) return line == "}" end,
  },
  lua = {
    start = function(line)
      local indent, name = line:match("^(%s*)local%s+function%s+([%w_]+)")
      if not indent then indent, name = line:match("^(%s*)function%s+([%w_.:]+)") end
      return name, indent
    end,
    ends = function(line, indent) return line == indent .. "end" end,
  },
}

local function report_functions(path, lines, layout)
  local name, indent, from
  for number, line in ipairs(lines) do
    if not name then
      name, indent = layout.start(line)
      from = number
    elseif layout.ends(line, indent) then
      if number - from + 1 > FUNCTION_LINES then
        print(("  %s:%d: %s has %d lines"):format(path, from, name, number - from + 1))
      end
      name = nil
    end
  end
end

local total = {}
for _, path in ipairs(arg) do
  local kind = path:match("%.(%w+)$")
  if FILE_LINES[kind] then
    local lines = {}
    for line in io.lines(path) do lines[#lines + 1] = line end
    if #lines > FILE_LINES[kind] then print(("  %s has %d lines"):format(path, #lines)) end
    report_functions(path, lines, FUNCTION[kind == "lua" and "lua" or "c"])
    local top = path:match("^[^/]+")
    total[top] = (total[top] or 0) + #lines
  end
end

local sums = {}
for top, lines in pairs(total) do sums[#sums + 1] = ("%s %d"):format(top, lines) end
table.sort(sums)
print("  lines in all: " .. table.concat(sums, ", "))
