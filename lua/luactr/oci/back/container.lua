--- From a checked recipe back to what is outside of process and linux in config.json. Pure.
local M = {}

function M.root(spec, b)
  local path = spec.rootfs.path
  if not path or spec.rootfs.bare then
    b:lose("rootfs", "a root is a directory there: put its files into rootfs")
    path = "rootfs"
  elseif not spec.rootfs.devices then
    b:lose("rootfs", "device nodes in it work there")
  end
  if spec.readonly == "recursive" then
    b:lose("readonly", "what is mounted below the root stays writable there")
  end
  return { path = path, readonly = spec.readonly and true or nil }
end

function M.hostname(_, b)
  return b.hostname
end

function M.domainname(spec)
  return spec.domainname
end

function M.mounts(spec, b)
  return require("luactr.oci.back.mounts").of(spec, b)
end

local HOOKS <const> = { prestart = "prestart", createRuntime = "create_runtime",
  createContainer = "create_container", startContainer = "start_container",
  poststart = "poststart", poststop = "poststop" }

function M.hooks(spec, b)
  local result = {}
  for name, field in pairs(HOOKS) do
    for i, hook in ipairs(spec.hooks and spec.hooks[field] or {}) do
      if type(hook) == "function" then
        b:lose(string.format("hooks.%s[%d]", field, i), "a function, where programs are known")
      else
        result[name] = result[name] or {}
        table.insert(result[name], hook)
      end
    end
  end
  return next(result) and result
end

local STOP_SIGNAL <const> = "org.opencontainers.image.stopSignal"

function M.annotations(spec)
  local result = {}
  for name, text in pairs(spec.labels) do
    result[name] = text
  end
  if spec.given.stop_signal then
    result[STOP_SIGNAL] = tostring(spec.stop_signal)
  end
  return next(result) and result
end

return M
