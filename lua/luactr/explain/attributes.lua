--- The calls behind attributes of the process that few recipes set; see calls.lua. Pure.
local M = {}

local function name_of(names, number, prefix)
  return names[number] and prefix .. names[number] or tostring(number)
end

--- Set bits of a mask, as numbers: "0-3,5".
local function list(mask)
  local parts, first, last = {}, nil, nil
  local function close()
    if first then
      parts[#parts + 1] = first == last and tostring(first) or first .. "-" .. last
    end
  end
  for byte = 1, #mask do
    for bit = 0, 7 do
      local number = 8 * (byte - 1) + bit
      if mask:byte(byte) >> bit & 1 == 1 then
        if last ~= number - 1 then
          close()
          first = number
        end
        last = number
      end
    end
  end
  close()
  return table.concat(parts, ",")
end

function M.sched_setaffinity(s)
  return "sched_setaffinity({" .. (s.exact == 1 and list(s.cpus) or "all") .. "})"
end

local MODES <const> = {
  [0] = "DEFAULT", "PREFERRED", "BIND", "INTERLEAVE", "LOCAL", "PREFERRED_MANY",
  "WEIGHTED_INTERLEAVE",
}

local MODE_FLAGS <const> = {
  { 1 << 15, "|MPOL_F_STATIC_NODES" }, { 1 << 14, "|MPOL_F_RELATIVE_NODES" },
  { 1 << 13, "|MPOL_F_NUMA_BALANCING" },
}

function M.set_mempolicy(s)
  local text = name_of(MODES, s.mode & 0xff, "MPOL_")
  for _, row in ipairs(MODE_FLAGS) do
    text = s.mode & row[1] ~= 0 and text .. row[2] or text
  end
  return string.format("set_mempolicy(%s, {%s})", text, list(s.nodes))
end

function M.setpriority(s) return string.format("setpriority(PRIO_PROCESS, 0, %d)", s.nice) end

local POLICIES <const> = { [0] = "OTHER", "FIFO", "RR", "BATCH", [5] = "IDLE", [6] = "DEADLINE" }

function M.sched_setattr(s)
  local parts = { name_of(POLICIES, s.policy, "SCHED_") }
  for _, name in ipairs { "flags", "nice", "priority", "runtime", "deadline", "period" } do
    if s[name] ~= 0 then
      parts[#parts + 1] = name .. " = " .. s[name]
    end
  end
  return "sched_setattr({" .. table.concat(parts, ", ") .. "})"
end

function M.ioprio_set(s)
  return string.format("ioprio_set(IOPRIO_WHO_PROCESS, 0, %s, %d)",
    name_of({ "RT", "BE", "IDLE" }, s.class, "IOPRIO_CLASS_"), s.level)
end

function M.core_scheduling() return "prctl(PR_SCHED_CORE, PR_SCHED_CORE_CREATE)" end

function M.tsc() return "prctl(PR_SET_TSC, PR_TSC_SIGSEGV)" end

function M.session_keyring() return "keyctl(KEYCTL_JOIN_SESSION_KEYRING, NULL)" end

function M.exec_label(s)
  return string.format("write(own procfs, thread-self/attr/%sexec, %q), read it back",
    s.lsm == "apparmor" and "apparmor/" or "", s.label)
end

function M.time_namespace(s)
  local offsets = s.offsets and "write(\"/proc/self/timens_offsets\", \""
    .. s.offsets:gsub("\n", "\\n") .. "\"), " or ""
  return "unshare(CLONE_NEWTIME), " .. offsets .. "setns(/proc/self/ns/time_for_children)"
end

return M
