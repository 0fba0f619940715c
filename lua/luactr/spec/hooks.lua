--- The field `hooks`: programs of the host, or functions, that are run at six moments of a
--- container's life. Pure.
local check = require "luactr.check"

local M = {}

local hook <const> = check.record {
  { name = "path", type = check.string { pattern = "^/" }, required = true,
    help = "the program, of the host; for start_container in the container" },
  { name = "args", type = check.list(check.string { empty = true }), default_text = "the path",
    help = "all that it is told, its own name first" },
  { name = "env", type = check.list(check.string { pattern = "^[^=]+=" }), default = {},
    help = "\"NAME=VALUE\"; it has no other variables" },
  { name = "timeout", type = check.time(), help = "it is killed after that, and has failed" },
}

M.hook_fields = hook.fields

local function check_one(value, path, problems)
  if type(value) == "function" then
    return value
  end
  local result = problems:check(hook, value, path)
  if result and result.timeout and result.timeout <= 0 then
    return problems:add(path .. ".timeout", "more than 0 expected")
  elseif result and result.args and #result.args == 0 then
    result.args = nil
  end
  return result
end

local list <const> = check.list(check.custom("function, or table of path, args, env, timeout",
  check_one))

local hooks <const> = check.record {
  { name = "prestart", type = list, help = "as create_runtime, before those" },
  { name = "create_runtime", type = list,
    help = "its namespaces and mounts are there, it is not in its root yet" },
  { name = "create_container", type = list, help = "then; the program is in its namespaces" },
  { name = "start_container", type = list, help = "in the container, right before its command" },
  { name = "poststart", type = list, help = "its command runs; a failure is a warning" },
  { name = "poststop", type = list,
    help = "it is gone, or could not be started; a failure is a warning" },
}

M.fields = hooks.fields

local INSIDE <const> = { "create_container", "start_container" }

--- -> { create_runtime = { { path =, args =, env =, timeout = } | function, ... }, ... }
function M.hooks(value, path, problems)
  local result = problems:check(hooks, value, path)
  for _, kind in ipairs(result and INSIDE or {}) do
    for i, one in ipairs(result[kind] or {}) do
      if type(one) == "function" then
        return problems:add(string.format("%s.%s[%d]", path, kind, i),
          "no function runs inside a container: a program's path expected")
      end
    end
  end
  for kind, entries in pairs(result or {}) do
    result[kind] = #entries > 0 and entries or nil
  end
  return result
end

return M
