--- The process of a detached container's callbacks: hears from the monitor what happens, calls the
--- recipe's functions, makes the checks of its health. It owns nothing: killed, it is only missed.
--- See luactr.container.companion.
local apart = require "luactr.container.apart"
local companion = require "luactr.container.companion"
local core = require "luactr.core"
local found_module = require "luactr.container.found"
local list = require "luactr.state.list"
local poll = require "luactr.poll"

local sys <const> = core.sys

local M = {}

local CHUNK <const> = 65536
local LOG <const> = companion.LOG
local LONGEST_LOG <const> = 1 << 20
local PRIVATE <const> = 384 -- 0600
local MOST_ERRORS <const> = 100 -- that are kept

-- ---- what the recipe knows as its containers

local NOT_HERE <const> = "it was left to its monitor, which starts it again if `restart` says so"

local function refuse(box)
  return found_module.failure(box, "ENOTSUP", "start", NOT_HERE)
end

--- What is different from any container that was found.
local Served = setmetatable({ __name = "luactr.found", __tostring = found_module.methods.__tostring,
  start = refuse, run = refuse }, { __index = found_module.methods })
Served.__index = Served

--- A box of the recipe becomes, where it is, the container that was started.
local function become(box, record, host)
  for key in pairs(box) do
    box[key] = (key == "spec" or key == "pod") and box[key] or nil
  end
  box.id, box.host, box.record = record.id, host, record
  return setmetatable(box, Served)
end

local function become_pod(pod, host)
  for _, member in ipairs(pod.members) do
    local record = list.read(host, member.id, "state.json")
    if record and not member.record then
      record.id = member.id
      become(member, record, host)
    end
  end
  local found = require("luactr.pod.found").find(pod.id, host)
  if found then
    pod.host = setmetatable(pod, getmetatable(found)) and host
  end
end

-- ---- one life of the container

--- What luactr.run is to a container in the foreground, as far as callbacks and checks go.
local Life = {}
Life.__index = Life

function Life:own(resource)
  self.resources[#self.resources + 1] = resource
  return resource
end

function Life:close()
  for i = #self.resources, 1, -1 do
    self.resources[i]:close()
  end
  poll.tell(self.job.changed)
end

local function announce(box, from, health)
  require("luactr.container.events").add(box.host, box.id, "health",
    { from = from, state = health.state })
end

local function call(serving, name, event)
  local on = serving.box.spec.on
  if on and serving.callbacks then
    serving.callbacks:call(name, on[name], event)
  end
end

local function begin_life(serving)
  local box = serving.box
  local life = setmetatable({ resources = {}, job = { changed = poll.event() },
    callbacks = serving.callbacks, started = sys.clock_gettime(), announce = announce }, Life)
  serving.life, box.life = life, life
  if box.spec.health then
    require("luactr.container.health").begin(box, life, serving.host)
  end
  call(serving, "start")
end

local function end_life(serving)
  if serving.life then
    serving.life:close()
    serving.life, serving.box.life = nil, nil
  end
end

-- ---- what has gone wrong in callbacks

--- What they have printed begins anew when it has become too much.
local function bound_log(serving)
  local stat = sys.stat(LOG, 0, serving.directory)
  if stat and stat.size > LONGEST_LOG then
    local _ <close> = sys.open(LOG, sys.O_WRONLY | sys.O_TRUNC, 0, { dir = serving.directory })
  end
end

local function note_failure(serving, name, message)
  local errors = serving.callbacks.errors
  require("luactr.container.events").add(serving.host, serving.box.id, "callback",
    { call = name, error = message })
  if #errors <= MOST_ERRORS then
    list.write(serving.host, serving.box.id, companion.FILE, { errors = errors })
  else
    errors[#errors] = nil
  end
  bound_log(serving)
end

-- ---- news

--- The container is there, and is the monitor's.
local function take_over(serving)
  local box, host = serving.box, serving.host
  local record = list.read(host, box.id, "state.json")
  if not record then
    return -- it was removed in this moment
  end
  record.id = box.id
  become(box, record, host)
  if box.pod then
    become_pod(box.pod, host)
  end
  serving.directory = sys.open(host.state_dir .. "/containers/" .. box.id, "directory")
  local log <close> = sys.open(LOG, sys.O_WRONLY | sys.O_CREAT | sys.O_APPEND, PRIVATE,
    { dir = serving.directory })
  for number = 1, log and 2 or 0 do
    sys.dup2(log, number)
  end
  local on = box.spec.on
  if on then
    serving.callbacks = require("luactr.container.callbacks").serve(box,
      on.pressure and found_module.cgroup(box, "watch"),
      function(name, message) note_failure(serving, name, message) end)
  end
end

--- Somebody may have renamed it.
local function learn_name(serving)
  local path = serving.directory
    and sys.readlink("/proc/self/fd/" .. serving.directory:fileno())
  local name = path and path:match("([^/]+)$")
  if name and serving.box.record then
    serving.box.id, serving.box.record.id = name, name
  end
end

local NEWS <const> = {} -- by event; a record of an end is none

function NEWS.start(serving)
  take_over(serving)
  if serving.box.record then
    begin_life(serving)
  end
end

NEWS.restart = begin_life

function NEWS.oom(serving, event)
  call(serving, "oom", { name = "oom", kills = event.kills })
end

local function take_end(serving, facts)
  end_life(serving)
  call(serving, "exit", found_module.result_of(serving.box, facts))
end

local function take_line(serving, line)
  local news = list.decode(line)
  learn_name(serving)
  local act = news and NEWS[news.event]
  if act then
    act(serving, news)
  elseif news and news.ending and serving.box.record then
    take_end(serving, news)
  end
end

--- False when there is no monitor any more.
local function take_news(serving)
  local data = serving.news:read(CHUNK)
  if not data or data == "" then
    return false
  end
  local text = serving.rest .. data
  for line in text:gmatch("([^\n]*)\n") do
    take_line(serving, line)
  end
  serving.rest = text:match("[^\n]*$")
  return true
end

--- The monitor was killed: whoever is told first writes how the container ended.
local function take_loss(serving)
  local box = serving.box
  local result = box:wait()
  end_life(serving)
  call(serving, "exit", result
    or require("luactr.result").lost(sys.clock_gettime("realtime"), box.id))
end

local function watch(serving)
  repeat
    local sources = { { fd = serving.news, events = "r" } }
    if serving.life and serving.callbacks then
      serving.callbacks:add_sources(sources)
    end
    poll.wait(sources)
    for i = 2, #sources do
      if sources[i].ready then
        learn_name(serving)
        sources[i].act(nil, sources[i])
      end
    end
  until sources[1].ready and not take_news(serving)
  if serving.life then
    take_loss(serving)
  end
end

--- In the fork: until the container has ended and its callbacks have returned.
---@param box luactr.container
---@param host luactr.host
---@param news luactr.fd what the monitor tells
---@param ready luactr.fd to the process that forked: that this one is ready
function M.main(box, host, news, ready)
  local serving = { box = box, host = host, news = news, rest = "" }
  apart.let_go(news, ready)
  apart.settle_in()
  ready:write(tostring(sys.getpid()))
  ready:close()
  watch(serving)
  if serving.callbacks then
    serving.callbacks:await()
    serving.callbacks:close()
  end
  poll.loop.close()
end

return M
