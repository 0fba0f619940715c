--- Whether this host's security modules know a label: asked before anything starts, since a
--- container that was meant to be confined must not run otherwise.
local M = {}

local SECURITYFS <const> = "/sys/kernel/security"

local function read(path)
  local file <close> = io.open(path)
  return file and file:read("a")
end

--- securityfs need not be mounted, so each module's own sign counts too.
local function is_on(name, sign, value)
  local list = read(SECURITYFS .. "/lsm")
  if list then
    return ("," .. list:gsub("%s", "") .. ","):find("," .. name .. ",", 1, true) ~= nil
  end
  local text = read(sign)
  return text ~= nil and text:find(value, 1, true) ~= nil
end

---@param profile string
---@return boolean? known
---@return string? why not
function M.apparmor(profile)
  if not is_on("apparmor", "/sys/module/apparmor/parameters/enabled", "Y") then
    return nil, "this kernel runs without AppArmor"
  elseif profile == "unconfined" then
    return true
  end
  local profiles = read(SECURITYFS .. "/apparmor/profiles")
  if not profiles then
    return true -- nobody but the kernel can tell; it does, before the command runs
  end
  for line in profiles:gmatch("[^\n]+") do
    if line:match("^(.*) %(%a+%)$") == profile then
      return true
    end
  end
  return nil, "no such profile is loaded: apparmor_parser loads them"
end

--- The policy decides about the label itself when it is written.
---@return boolean? known
---@return string? why not
function M.selinux()
  if not is_on("selinux", "/proc/filesystems", "selinuxfs") then
    return nil, "this kernel runs without SELinux"
  end
  return true
end

return M
