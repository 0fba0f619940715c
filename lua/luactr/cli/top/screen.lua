--- What `luactr top` shows: a model and the size of a terminal become lines. Pure.
local bytes <const> = require("luactr.cli.containers").bytes
local model_of <const> = require "luactr.cli.top.model"

local M = {}

local INVERSE <const>, DIM <const>, PLAIN <const> = "\27[7m", "\27[2m", "\27[0m"
local BLOCKS <const> = { "▁", "▂", "▃", "▄", "▅", "▆", "▇", "█" }
local LETTERS <const> = { "_", ".", ":", "-", "=", "+", "*", "#" } -- for a terminal without UTF-8
local GRAPH <const> = 12
local FIXED_LINES <const> = 4

-- ---- cells

--- The newest values from left to right; one column for each.
---@param history number[]
---@param width integer
---@param top number the value of a full column
---@param steps string[]
---@return string
function M.graph(history, width, top, steps)
  local cells = {}
  for i = math.max(1, #history - width + 1), #history do
    local level = top > 0 and math.ceil(history[i] / top * #steps) or 1
    cells[#cells + 1] = steps[math.max(1, math.min(#steps, level))]
  end
  return (" "):rep(width - #cells) .. table.concat(cells)
end

local function highest(history)
  local top = 0
  for _, value in ipairs(history) do
    top = math.max(top, value)
  end
  return top
end

local function percent(value)
  return value and string.format("%.0f%%", value * 100) or "-"
end

local function stall(row, kind)
  local one = row.pressure and row.pressure[kind]
  return one and string.format("%.0f", one.some.avg10) or "-"
end

local function pressure(row)
  return row.pressure and table.concat({ stall(row, "cpu"), stall(row, "memory"),
    stall(row, "io") }, "/") or "-"
end

---@class luactr.top.column
---@field [1] string its head
---@field width integer
---@field left? boolean texts begin at the left
---@field cell fun(row: luactr.top.row, steps: string[]): string

--- The columns, the most important ones first: those that find no room are left out.
---@type luactr.top.column[]
local COLUMNS <const> = {
  { "NAME", width = 20, left = true, cell = function(row) return row.id end },
  { "CPU", width = 6, cell = function(row) return percent(row.cpu) end },
  { "MEMORY", width = 7, cell = function(row) return bytes(row.memory) end },
  { "CPU GRAPH", width = GRAPH, left = true, cell = function(row, steps)
    return M.graph(row.cpu_history, GRAPH, math.max(1, highest(row.cpu_history)), steps)
  end },
  { "MEMORY GRAPH", width = GRAPH, left = true, cell = function(row, steps)
    return M.graph(row.memory_history, GRAPH, highest(row.memory_history), steps)
  end },
  { "PIDS", width = 5, cell = function(row) return row.pids and tostring(row.pids) or "-" end },
  { "STATE", width = 8, left = true, cell = function(row) return row.state or "ended" end },
  { "READ/s", width = 7, cell = function(row)
    return bytes(row.read and math.floor(row.read))
  end },
  { "WRITE/s", width = 7, cell = function(row)
    return bytes(row.written and math.floor(row.written))
  end },
  { "THROTTLED", width = 9, cell = function(row) return percent(row.throttled) end },
  { "PSI C/M/IO", width = 10, cell = pressure },
}

local function width_of(text)
  return utf8.len(text) or #text
end

--- A text in exactly so many columns.
local function fit(text, width, left)
  if width_of(text) > width then
    text = text:sub(1, utf8.offset(text, width) - 1) .. "+"
  end
  local space = (" "):rep(width - width_of(text))
  return left and text .. space or space .. text
end

local function columns_for(width)
  local chosen, used = {}, 0
  for _, column in ipairs(COLUMNS) do
    if used + column.width + 1 > width then
      break
    end
    chosen[#chosen + 1] = column
    used = used + column.width + 1
  end
  return chosen
end

-- ---- lines

local function head_line(model, width)
  local words = { "luactr top", string.format("%d of %d containers", model.shown, model.total),
    "sort: " .. model.sort }
  if model.filter ~= "" or model.typing then
    words[#words + 1] = "filter: " .. model.filter .. (model.typing and "_" or "")
  end
  words[#words + 1] = model.frozen and "FROZEN" or nil
  return fit(table.concat(words, "   "), width, true)
end

local KEYS <const> = "q quit  up/down select  s sort  / filter  space freeze  p pause  k kill"

local function foot_line(model, width)
  if model.asked then
    return fit(string.format("kill %s? y/n", model.asked), width, true)
  elseif model.typing then
    return fit("type a part of the name, then Enter; Esc: all", width, true)
  end
  return fit(model.message or KEYS, width, true)
end

local function row_line(row, columns, width, steps)
  local cells = {}
  for i, column in ipairs(columns) do
    cells[i] = fit(column.cell(row, steps), column.width, column.left)
  end
  return fit(table.concat(cells, " "), width, true)
end

local function heads(columns, width)
  local cells = {}
  for i, column in ipairs(columns) do
    cells[i] = fit(column[1], column.width, column.left)
  end
  return fit(table.concat(cells, " "), width, true)
end

--- The lines of a screen, as many as it has rows.
---@param model luactr.top.model
---@param size { rows: integer, columns: integer, utf8: boolean }
---@return string[]
function M.lines(model, size)
  local width, steps = size.columns, size.utf8 and BLOCKS or LETTERS
  local columns = columns_for(width)
  local lines = { head_line(model, width), INVERSE .. heads(columns, width) .. PLAIN }
  local room = math.max(1, size.rows - FIXED_LINES + 1)
  local place = model_of.place(model) or 1
  local first = math.max(1, math.min(place - room // 2, #model.rows - room + 1))
  for i = first, math.min(#model.rows, first + room - 1) do
    local row = model.rows[i]
    local line = row_line(row, columns, width, steps)
    local style = row.id == model.selected and INVERSE or row.state == "paused" and DIM
    lines[#lines + 1] = style and style .. line .. PLAIN or line
  end
  while #lines < size.rows - 1 do
    lines[#lines + 1] = ""
  end
  lines[math.min(#lines + 1, math.max(1, size.rows))] = foot_line(model, width)
  return table.move(lines, 1, math.min(#lines, size.rows), 1, {})
end

return M
