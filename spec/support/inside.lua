-- Run a part of a spec in a child with namespaces of its own; its failure is the spec's.
--
--   inside({ "newns", "newuts" }, function() assert.is_true(sys.sethostname("x")) end)

local sys = require("luactr.sys")

local function read_all(reader)
  local text = ""
  repeat
    local part = assert(reader:read())
    text = text .. part
  until part == ""
  return text
end

local function guarded(main)
  local done, problem = xpcall(main, function(problem)
    return debug.traceback(tostring(problem), 2)
  end)
  return not done and problem
end

---@param flags luactr.flags
---@param main fun()
return function(flags, main)
  local reader, writer <close> = assert(sys.pipe())
  local _ <close> = reader
  local child <close> = assert(sys.clone(flags, function()
    local problem = guarded(main)
    if problem then writer:write(problem) end
    return problem and 1 or 0
  end))
  writer:close()
  local problem = read_all(reader)
  if problem ~= "" then error(problem, 2) end
  local how = assert(child:wait())
  if how.signal then error("the child was killed by SIG" .. sys.signame(how.signal), 2) end
  if how.code ~= 0 then error("the child ended with status " .. how.code, 2) end
end
