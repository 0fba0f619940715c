--- Why a security module refuses what a command is to be known by.
local M = {}

local function of(lsm)
  return function(case)
    return case.step.lsm == lsm and { label = case.step.label } or nil
  end
end

local function any(case) return { label = case.step.label } end

M.exec_label = {
  { code = "ENOENT", find = of "apparmor", cause = "no profile {label} is loaded",
    remedy = "load it with apparmor_parser, or correct the name" },
  { code = "EINVAL", find = of "selinux", cause = "the policy knows no label {label}",
    remedy = "correct the label: seinfo lists users, roles and types" },
  { code = { "EACCES", "EPERM" }, find = any, guess = true,
    cause = "luactr's own label may not change to {label}" },
}

return M
