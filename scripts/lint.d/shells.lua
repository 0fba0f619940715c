-- No program is started by a shell string: `lua5.4 shells.lua FILE...` prints each line that would,
-- and fails if there is one. Comments and the patterns below do not count.

local LUA <const> = { "%f[%w_]os%.execute%f[^%w_]", "%f[%w_]io%.popen%f[^%w_]" }
local C <const> = { "%f[%w_]system%s*%(", "%f[%w_]popen%s*%(" }

-- By the end of a file's name: patterns, and what begins a comment that ends with the line.
local KINDS <const> = {
  lua = { never = LUA, comment = "%-%-.*$" },
  c = { never = C, comment = "//.*$" },
  h = { never = C, comment = "//.*$" },
}

-- A line of a block comment in C, as clang-format leaves them.
local function is_comment(kind, line)
  return kind.never == C and line:find("^%s*/?%*%f[^%*]") ~= nil
end

-- This file and its spec have to name what they look for.
local function is_ours(file)
  return file:find("lint%.d/shells%.lua$") or file:find("unit/lint_spec%.lua$")
end

local found = false

local function check(file)
  local kind = KINDS[file:match("%.(%w+)$")]
  local number = 0
  for line in kind and not is_ours(file) and io.lines(file) or function() end do
    number = number + 1
    local code = is_comment(kind, line) and "" or line:gsub(kind.comment, "")
    for _, pattern in ipairs(kind.never) do
      if code:find(pattern) then
        found = true
        print(("%s:%d: starts a shell: programs are started by argv"):format(file, number))
      end
    end
  end
end

for _, file in ipairs(arg) do check(file) end
os.exit(not found)
