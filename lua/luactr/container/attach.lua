--- Attach to a detached container: find out whether that can be, and connect to its monitor.
local core = require "luactr.core"
local poll = require "luactr.poll"

local sys <const> = core.sys

local M = {}

M.DETACH_KEYS = "ctrl-p,ctrl-q"

---@class luactr.attach_options
---@field stdin? boolean false: what is typed is left alone
---@field detach_keys? string "ctrl-p,ctrl-q", on a terminal; "" for none
---@field forward_signals? boolean pass on the signals that luactr gets, but to a terminal

---@class luactr.attach_outcome
---@field result? luactr.result how the container ended
---@field detached? "keys"|"signal"|"terminal" it goes on: why the view of it ended
---@field signal? integer

-- ORDER ATTACH: csrc/core/attach.h
local HELLO <const>, FULL <const> = "h", "f"

local PATIENCE <const> = 10 -- seconds, for the monitor's first word
local LONGEST <const> = 64

local function failure(found, code, cause, remedy)
  return require("luactr.container.found").failure(found, code, "attach to", cause, remedy)
end

local CAUSES <const> = {
  exited = { "ESRCH", "it is not running", "see what it wrote: luactr logs %s" },
  stopping = { "ESRCH", "it is not running", "see what it wrote: luactr logs %s" },
  paused = { "EBUSY", "it is paused", "luactr resume %s" },
}

local function refusal(found)
  local word = found:state()
  local row = CAUSES[word or "exited"]
  if row then
    return row[1], row[2], word and row[3]:format(found.id) or nil
  elseif not found.record.detached then
    return "ENOTSUP", "it runs in the foreground of another luactr, on the terminal there"
  end
end

local function connect(found)
  local code, cause, remedy = refusal(found)
  if code then
    return failure(found, code, cause, remedy)
  end
  found:await_start()
  local directory <close>, message, errno = sys.open(
    found.host.state_dir .. "/containers/" .. found.id, { "rdonly", "directory", "nofollow" })
  local socket
  if directory then
    socket, message, errno = core.monitor.attach(directory)
  end
  if not socket then
    local is_gone = not found:is_running()
    return failure(found, is_gone and "ESRCH" or sys.errname(errno), is_gone
      and "it is not running" or message)
  end
  return socket
end

--- What the monitor says first: a number of traits.
local function greet(found, socket)
  poll.wait({ { fd = socket, events = "r" } }, PATIENCE)
  local word = socket:read(LONGEST) or ""
  if word:sub(1, 1) == FULL then
    return failure(found, "EBUSY", "as many are attached to it as can be",
      "detach one of them, or follow its log: luactr logs -f " .. found.id)
  elseif word:sub(1, 1) ~= HELLO then
    return failure(found, "EPROTO", "its monitor does not answer")
  end
  return word:byte(2)
end

--- See luactr.found.
---@param found luactr.found
---@param options luactr.attach_options
---@return luactr.attach_outcome?
---@return luactr.error?
function M.attach(found, options)
  local keys, problem = require("luactr.container.attach.keys").parse(
    options.detach_keys or M.DETACH_KEYS)
  if not keys then
    error("detach_keys: " .. problem, 3)
  end
  local socket, err = connect(found)
  if not socket then
    return nil, err
  end
  local traits
  traits, err = greet(found, socket)
  if not traits then
    socket:close()
    return nil, err
  end
  local session <close> = require("luactr.container.attach.session").open(found, socket, traits,
    keys, options)
  return session:follow()
end

return M
