--- The result record: how a container ended and what it used, with the counter that proves the
--- reason. The same names in Lua, in --json and in inspect. Pure.
local M = {}

local SIGKILL <const> = 9

---@alias luactr.reason "exit"|"signal"|"killed"|"oom"|"pids"|"wall_time"|"cpu_time"|"output"|
---"start_failed"|"lost"|"container"

---@class luactr.result
---@field exit_code? integer of the command; nil when a signal ended it or it did not start
---@field signal? integer that ended the command
---@field core_dumped? boolean
---@field reason luactr.reason
---@field proof? { counter: string, value: number, limit?: number } what shows the reason
---@field error? table why it did not start, or why its end is not known
---@field wall_seconds number monotonic, from start to end
---@field cpu_seconds? number
---@field cpu_user_seconds? number
---@field cpu_system_seconds? number
---@field throttled_seconds? number CPU time refused by limits.cpu
---@field memory_peak? integer bytes
---@field oom_kills? integer
---@field pids_peak? integer
---@field pids_events? integer how often limits.pids refused a fork
---@field io_read_bytes? integer
---@field io_write_bytes? integer
---@field meters "cgroup"|"rusage" where the figures above come from
---@field stdout? string when captured
---@field stderr? string when captured
---@field handler_errors? { call: string, message: string }[] of seccomp.notify, the first 20
---@field callback_errors? { call: string, message: string }[] of `on`
---@field truncated boolean output was cut at limits.output
---@field warnings? string[] what of the recipe this host carries out in part only
---@field started_at number seconds since the epoch
---@field finished_at number

---@class luactr.result.facts
---@field ending table of process:wait()
---@field meters? table of the cgroup
---@field fired? { reason: string, value: number, limit: number } the limit that ended it
---@field sent? integer the signal that box:kill or box:stop sent last
---@field wall_seconds number
---@field started_at number
---@field finished_at number
---@field stdout? string
---@field stderr? string
---@field handler_errors? { call: string, message: string }[]
---@field truncated? boolean
---@field warnings? string[]

local function died_of_kill(ending)
  return ending.signal == SIGKILL or ending.code == 128 + SIGKILL
end

local function failed(ending)
  return ending.signal ~= nil or ending.code ~= 0
end

--- Which reason applies is decided by the first row that proves itself. A limit of the supervisor
--- comes first, since it sent the kill that the others see; then what a person asked for; then the
--- kernel's counters, which count only when the end fits them: a program that survives a refused
--- fork and exits with 0 has simply exited.
local REASONS <const> = {
  function(facts)
    local fired = facts.fired
    if fired then
      return fired.reason, { counter = fired.reason, value = fired.value, limit = fired.limit }
    end
  end,
  function(facts)
    if facts.sent and facts.ending.signal == facts.sent then
      return "killed", { counter = "signal sent", value = facts.sent }
    end
  end,
  function(facts)
    local kills = facts.meters and facts.meters.oom_kills or 0
    if kills > 0 and died_of_kill(facts.ending) then
      return "oom", { counter = "oom_kill", value = kills }
    end
  end,
  function(facts)
    local refused = facts.meters and facts.meters.pids_events or 0
    if refused > 0 and failed(facts.ending) then
      return "pids", { counter = "pids.events max", value = refused }
    end
  end,
  function(facts)
    return facts.ending.signal and "signal" or "exit"
  end,
}

local function reason_of(facts)
  for _, row in ipairs(REASONS) do
    local reason, proof = row(facts)
    if reason then
      return reason, proof
    end
  end
end

local METERS <const> = {
  "cpu_seconds", "cpu_user_seconds", "cpu_system_seconds", "throttled_seconds", "memory_peak",
  "oom_kills", "pids_peak", "pids_events", "io_read_bytes", "io_write_bytes",
}

--- What PID 1 saw of the command and the children that it waited for: less than a cgroup sees. A
--- PID 1 that was killed has seen nothing, and its own figures say nothing of the command.
local function add_rusage(record, ending)
  if ending.init_signal then
    return
  end
  record.cpu_user_seconds = record.cpu_user_seconds or ending.user_seconds
  record.cpu_system_seconds = record.cpu_system_seconds or ending.system_seconds
  if ending.user_seconds and ending.system_seconds then
    record.cpu_seconds = record.cpu_seconds or ending.user_seconds + ending.system_seconds
  end
  record.memory_peak = record.memory_peak or ending.max_rss
end

--- The record of a container that has ended.
---@param facts luactr.result.facts
---@return luactr.result
function M.of(facts)
  local ending, meters = facts.ending, facts.meters
  local record = {
    exit_code = ending.code,
    signal = ending.signal,
    core_dumped = ending.core_dumped,
    wall_seconds = facts.wall_seconds,
    started_at = facts.started_at,
    finished_at = facts.finished_at,
    stdout = facts.stdout,
    stderr = facts.stderr,
    truncated = facts.truncated or false,
    handler_errors = facts.handler_errors,
    meters = meters and meters.cpu_seconds and "cgroup" or "rusage",
    warnings = facts.warnings and #facts.warnings > 0 and facts.warnings or nil,
  }
  record.reason, record.proof = reason_of(facts)
  for _, name in ipairs(METERS) do
    record[name] = meters and meters[name]
  end
  add_rusage(record, ending)
  return record
end

M.LOST = "its monitor was killed, and it ended with that"

--- The record of a container whose monitor was killed: it ended, but nobody saw how.
---@param finished_at number when that was noticed
---@param id string
---@return luactr.result
function M.lost(finished_at, id)
  return {
    reason = "lost", truncated = false, meters = "rusage", finished_at = finished_at,
    error = require("luactr.error").new {
      code = "EOWNERDEAD", op = "wait", message = string.format("nobody saw how %q ended", id),
      cause = M.LOST, checked = true,
      remedy = string.format("luactr logs %s for what it wrote, luactr rm %s", id, id),
    },
  }
end

--- The record of a container that did not start.
---@param err table the error object
---@param started_at number
---@return luactr.result
function M.start_failed(err, started_at)
  return {
    reason = "start_failed", error = err, wall_seconds = 0, truncated = false, meters = "rusage",
    started_at = started_at, finished_at = started_at,
  }
end

return M
