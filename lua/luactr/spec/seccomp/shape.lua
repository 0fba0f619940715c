--- The shape of a seccomp profile as a recipe writes it: which fields, of which types. Pure.
local actions = require "luactr.spec.seccomp.actions"
local check = require "luactr.check"

local M = {}

local BASES <const> = { "default", "strict", "none" }
local FLAGS <const> = { "log", "tsync", "wait_kill", "spec_allow" }
local KILL_PROCESS <const> = "kill_process"

---@alias luactr.handler fun(call: luactr.call): any, any

---@class luactr.profile what a recipe writes; or OCI's linux.seccomp
---@field base? "default"|"strict"|"none"
---@field default? string action
---@field unknown? string action
---@field foreign? string action
---@field architectures? string[]
---@field skip_unknown? boolean
---@field flags? ("log"|"tsync"|"wait_kill"|"spec_allow")[]
---@field rules? luactr.rule[]
---@field notify? table<string, luactr.handler|luactr.handling>
---@field bpf? string
---@field bpf_file? string

---@class luactr.rule
---@field names string[]
---@field action string
---@field errno? string|integer
---@field data? integer
---@field args? luactr.condition[]

---@class luactr.handling
---@field handler luactr.handler
---@field args? luactr.condition[]

---@class luactr.condition
---@field index integer
---@field op "=="|"~="|"<"|"<="|">"|">="|"in"|"not in"
---@field value? integer
---@field values? integer[]
---@field mask? integer

local action = check.string { what = actions.WHAT, max = 32, convert = actions.parse }

local errno = check.custom("errno's name or number", function(value, path, problems)
  local number, problem = actions.errno(value)
  return number or problems:add(path, "%s", problem)
end)

local number = check.integer {}

local condition = check.record {
  { name = "index", type = check.integer { min = 0, max = 5 }, required = true },
  { name = "op", type = check.enum { "==", "~=", "<", "<=", ">", ">=", "in", "not in" },
    required = true },
  { name = "value", type = number },
  { name = "values", type = check.list(number, { min = 1, max = 256 }) },
  { name = "mask", type = number },
}

local conditions = check.list(condition, { max = 32 })

M.rule = check.record {
  { name = "names", type = check.list(check.string { max = 64 }, { min = 1 }), required = true },
  { name = "action", type = check.string { what = actions.WHAT, max = 32 }, required = true },
  { name = "errno", type = errno },
  { name = "data", type = check.integer { min = 0, max = 0xffff } },
  { name = "args", type = conditions, default = {} },
}

local handler = check["function"] { what = "function(call)" }

M.notify = check.map(check.string { max = 64 }, check.union({
  check["function"] { convert = function(value) return { handler = value, args = {} } end },
  check.record {
    { name = "handler", type = handler, required = true },
    { name = "args", type = conditions, default = {} },
  },
}, { what = "function(call) or { handler =, args = }" }))

local flags = check.list(check.enum(FLAGS), { max = 4 })

local host_path = check.string { what = "absolute path", pattern = "^/", max = 4095 }

M.profile = check.record {
  { name = "base", type = check.enum(BASES) },
  { name = "default", type = action },
  { name = "unknown", type = action },
  { name = "foreign", type = action, default = actions.parse(KILL_PROCESS) },
  { name = "architectures", type = check.list(check.string { max = 32 }), default = {} },
  { name = "skip_unknown", type = check.boolean(), default = false },
  { name = "flags", type = flags, default = {} },
  { name = "rules", type = check.list(M.rule), default = {} },
  { name = "notify", type = M.notify, default = {} },
  { name = "bpf", type = check.string { what = "BPF program", binary = true } },
  { name = "bpf_file", type = host_path },
}

return M
