--- The keys of `luactr top`: bytes become names, names become acts on the model.
local model_of <const> = require "luactr.cli.top.model"

local M = {}

local SEQUENCES <const> = {
  ["[A"] = "up", ["[B"] = "down", ["[5~"] = "page_up", ["[6~"] = "page_down", ["OA"] = "up",
  ["OB"] = "down",
}
local NAMES <const> = {
  ["\3"] = "ctrl_c", ["\26"] = "ctrl_z", ["\12"] = "redraw", ["\r"] = "enter", ["\n"] = "enter",
  ["\127"] = "backspace", ["\8"] = "backspace", [" "] = "space", ["\4"] = "q",
}

--- The keys in what was typed. An escape with nothing behind it is the key.
---@param typed string
---@return string[] names or the characters themselves
function M.parse(typed)
  local keys, at = {}, 1
  while at <= #typed do
    local char = typed:sub(at, at)
    local sequence = char == "\27" and typed:match("^[%[O][%d;]*[%a~]", at + 1)
    if sequence then
      keys[#keys + 1] = SEQUENCES[sequence]
      at = at + #sequence
    else
      keys[#keys + 1] = char == "\27" and "escape" or NAMES[char] or char
    end
    at = at + 1
  end
  return keys
end

-- ---- while a question is open

local function answer(view, key)
  local model = view.model
  local id = model.asked
  model.asked = nil
  if key == "y" or key == "Y" then
    view:act(id, "kill")
  end
end

-- ---- while the filter is typed

local TYPING = {}

function TYPING.enter(model) model.typing = false end

function TYPING.escape(model) model.typing, model.filter = false, "" end

function TYPING.backspace(model) model.filter = model.filter:sub(1, -2) end

local function type_filter(view, key)
  local model = view.model
  if TYPING[key] then
    TYPING[key](model)
  elseif key:find("^[%w_.-]$") then
    model.filter = model.filter .. key
  end
  model_of.arrange(model)
end

-- ---- otherwise

local ACTS = {}

function ACTS.q(view) view.over = true end

function ACTS.up(view) model_of.select(view.model, -1) end

function ACTS.down(view) model_of.select(view.model, 1) end

function ACTS.page_up(view) model_of.select(view.model, -10) end

function ACTS.page_down(view) model_of.select(view.model, 10) end

function ACTS.s(view) model_of.next_sort(view.model) end

function ACTS.space(view) view.model.frozen = not view.model.frozen end

function ACTS.escape(view)
  view.model.filter = ""
  model_of.arrange(view.model)
end

function ACTS.p(view)
  local row = view.model.known[view.model.selected]
  if row then
    view:act(row.id, row.state == "paused" and "resume" or "pause")
  end
end

function ACTS.k(view) view.model.asked = view.model.selected end

function ACTS.ctrl_z(view) view.terminal:suspend() end

ACTS["/"] = function(view) view.model.typing = true end

--- Do what a key asks for.
---@param view luactr.top.view
---@param key string
function M.press(view, key)
  local model = view.model
  model.message = nil
  if key == "ctrl_c" then
    view.over = true
  elseif model.asked then
    answer(view, key)
  elseif model.typing then
    type_filter(view, key)
  elseif ACTS[key] then
    ACTS[key](view)
  end
end

return M
