--- What doctor looks at: sections of rows, each with a check. A check asks this host, by the call
--- or the file that counts, and returns whether it is there, a text, and where not, what to do.
local M = {}

---@class luactr.finding
---@field section string
---@field name string
---@field status "ok"|"lacking"|"failed" failed: no container can do without it
---@field text string
---@field remedy? string

---@class luactr.doctor.row
---@field name string
---@field required? boolean|fun(host: luactr.host): boolean
---@field check fun(host: luactr.host, eyes: luactr.eyes, probes: luactr.probes): boolean, string,
---string?

-- Titles, and the files below luactr.cli.findings that return the rows.
local SECTIONS <const> = {
  { "Kernel", "kernel" }, { "Users", "users" }, { "Namespaces", "namespaces" },
  { "cgroups", "cgroups" }, { "Security", "security" }, { "Processes", "processes" },
  { "Files", "files" },
}

local function finding(section, row, ...)
  local fine, text, remedy = row.check(...)
  local required = row.required
  if type(required) == "function" then
    required = required(...)
  end
  local status = fine and "ok" or required and "failed" or "lacking"
  return { section = section, name = row.name, status = status, text = text, remedy = remedy }
end

---@class luactr.doctor.report
---@field ok boolean
---@field title string
---@field findings luactr.finding[]

--- Look at everything.
---@param host? luactr.host for specs
---@param eyes? luactr.eyes for specs
---@param probes? luactr.probes for specs
---@return luactr.doctor.report
function M.look(host, eyes, probes)
  host, eyes = host or require("luactr.host").facts(), eyes or require "luactr.cause.eyes"
  probes = probes or require "luactr.cli.probes"
  local title = require("luactr.cli.version").text():gsub("\n", "")
  local report = { ok = true, title = title, findings = {} }
  for _, section in ipairs(SECTIONS) do
    for _, row in ipairs(require("luactr.cli.findings." .. section[2])) do
      local found = finding(section[1], row, host, eyes, probes)
      report.findings[#report.findings + 1] = found
      report.ok = report.ok and found.status ~= "failed"
    end
  end
  return report
end

return M
