--- Where `luactr oci` tells what went wrong: on stderr for who looks on, and in the file that an
--- engine reads, as lines of text or JSON.
local core = require "luactr.core"

local sys <const> = core.sys

local M = {}

M.FORMATS = { "text", "json" }

-- From the one that is always told.
local LEVELS <const> = { error = 1, warning = 2, info = 3, debug = 4 }

-- Names of others for them.
local ALSO <const> = { panic = "error", fatal = "error", warn = "warning", notice = "info",
  trace = "debug" }

local MODE <const> = "0600"
local LONGEST <const> = 1 << 16 -- a line of the log

---@class luactr.oci.log
---@field format "text"|"json"
---@field fd? luactr.fd the file
---@field least integer what is told, as in LEVELS
---@field stderr fun(level: string, message: any) tells people
local Log = {}
Log.__index = Log

-- ---- lines

--- A text without what JSON cannot carry, cut to what a reader wants.
local function printable(text)
  text = text:sub(1, LONGEST)
  return utf8.len(text) and text or (text:gsub("[\x80-\xff]", "?"))
end

--- A paragraph as one line. Docker's client knows "no such file or directory" in lower case only.
local function flat(text)
  return (text:gsub("\n%s*", "; "):gsub("(E%u[%u%d]+ %()(%u)(%l)", function(code, first, second)
    return code .. first:lower() .. second
  end))
end

local function quoted(text)
  return '"' .. text:gsub('[\\"]', "\\%0") .. '"'
end

local ENCODE <const> = {
  json = function(level, text, time)
    local encode = require("luactr.json").encode
    return string.format('{"level":"%s","msg":%s,"time":"%s"}\n', level,
      (encode(printable(text)):gsub("\\/", "/")), time)
  end,
  text = function(level, text, time)
    return string.format("time=%s level=%s msg=%s\n", quoted(time), level,
      quoted(printable(text)))
  end,
}

--- What a line of the log is made of.
---@param format "text"|"json"
---@param level string
---@param text string
---@param seconds? integer since the epoch
---@return string
function M.line(format, level, text, seconds)
  return ENCODE[format](level, flat(text), os.date("!%Y-%m-%dT%H:%M:%SZ", seconds))
end

-- ---- writing

local function write_all(fd, text)
  while text ~= "" do
    local count = fd:write(text)
    if not count then
      return
    end
    text = text:sub(count + 1)
  end
end

--- Tell of something. Errors go to stderr whatever the file gets: who has no file at hand wants to
--- read them, too.
---@param level "error"|"warning"|"info"|"debug"
---@param message any
function Log:write(level, message)
  if LEVELS[level] > self.least then
    return
  end
  local text = (tostring(message):gsub("^luactr: ", ""))
  if self.fd then
    write_all(self.fd, M.line(self.format, level, text))
  end
  if not self.fd and self.format == "json" then
    io.stderr:write(M.line("json", level, text))
  elseif not self.fd or level == "error" then
    self.stderr(level, message)
  end
end

--- Idempotent.
function Log:close()
  if self.fd then
    self.fd:close()
    self.fd = nil
  end
end

Log.__close = Log.close

-- ---- opening

local function level_of(options, has_file)
  local word = options.log_level and options.log_level:lower()
  word = ALSO[word] or word
  if options.debug then
    return LEVELS.debug
  elseif word then
    return LEVELS[word]
  end
  -- podman takes the whole file for one error
  return has_file and LEVELS.error or LEVELS.warning
end

local function failure(message)
  return nil, require("luactr.error").new { code = "EUSAGE", op = "log", message = message }
end

--- The log that the global options ask for.
---@param options { log?: string, log_format?: string, log_level?: string, debug?: boolean }
---@param stderr fun(level: string, message: any)
---@return luactr.oci.log?
---@return luactr.error?
function M.open(options, stderr)
  local kind, path = (options.log or ""):match("^(%l+):(.*)$")
  if kind == "journald" or kind == "syslog" then
    return failure("--log " .. kind .. ": is not supported: name a file")
  elseif kind ~= "file" then
    path = options.log
  end
  local least = level_of(options, path ~= nil)
  if not least then
    return failure("--log-level: error, warning, info or debug expected, got "
      .. require("luactr.oci.options").show(options.log_level))
  end
  local fd, message, errno
  if path then
    fd, message, errno = sys.open(path, sys.O_WRONLY | sys.O_CREAT | sys.O_APPEND, MODE)
    if not fd then
      return nil, require("luactr.error").from_sys("--log: " .. message, errno, "open", path)
    end
  end
  return setmetatable({ fd = fd, format = options.log_format or "text", least = least,
    stderr = stderr }, Log)
end

return M
