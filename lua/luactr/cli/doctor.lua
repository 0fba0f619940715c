--- `luactr doctor`: what this host can do for containers, and why not.
local output = require "luactr.cli.output"

local M = {
  name = "doctor",
  summary = "tell what this host can do, and why not",
  usage = "",
  help = [[
Look at the kernel, the user's privileges, cgroups, security and limits. Exit status 1 if something
is missing that no container can do without.]],
  options = { { "--json", help = "print the findings as JSON" } },
}

local SOMETHING_MISSING <const> = 1

local WORDS <const> = { ok = "ok", lacking = "no", failed = "NO" }
local STYLES <const> = { ok = "good", lacking = "warning", failed = "failure" }

local function line(finding)
  local word = string.format("%-3s", WORDS[finding.status])
  return string.format("  %s %-18s %s\n", output.paint(1, STYLES[finding.status], word),
    finding.name, finding.text)
end

local function text(report)
  local parts, section = { report.title, "\n" }, nil
  for _, finding in ipairs(report.findings) do
    if finding.section ~= section then
      section = finding.section
      parts[#parts + 1] = "\n" .. section .. "\n"
    end
    parts[#parts + 1] = line(finding)
    if finding.remedy then
      parts[#parts + 1] = string.rep(" ", 25) .. "try: " .. finding.remedy .. "\n"
    end
  end
  parts[#parts + 1] = "\n" .. (report.ok and "Containers can run here.\n"
    or "Containers cannot run here: see the lines with NO.\n")
  return table.concat(parts)
end

---@param request luactr.cli.request
---@return integer status
function M.run(request)
  if #request.arguments > 0 then
    return output.usage("doctor takes no arguments", M)
  end
  local report = require("luactr.cli.findings").look()
  local answer = request.options.json and output.json(report) or text(report)
  return output.print(answer, report.ok and 0 or SOMETHING_MISSING)
end

return M
