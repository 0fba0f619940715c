--- Dockerfiles as data: stages, and the steps of each. Nothing is looked up and no variable
--- replaced; that is for who carries them out. Pure: any text gives a result or a problem with its
--- line.
local instructions = require "luactr.image.dockerfile.instructions"
local lines = require "luactr.image.dockerfile.lines"

local M = {}

---@class luactr.image.dockerfile
---@field escape string
---@field args luactr.image.dockerfile.step[] ARG before the first FROM
---@field stages luactr.image.dockerfile.stage[]
---@field warnings { line: integer, message: string }[]

---@class luactr.image.dockerfile.stage
---@field line integer
---@field image string a word, with variables
---@field name? string in small letters
---@field platform? string a word
---@field steps luactr.image.dockerfile.step[]

---@class luactr.image.dockerfile.step
---@field line integer
---@field op string the method of the builder that it is
---@field text string as it is in the file, for people

---@class luactr.image.dockerfile.problem
---@field line integer
---@field message string
---@field remedy? string

local function problem(line, message, remedy)
  return nil, { line = line, message = message, remedy = remedy }
end

--- The table for an instruction, with what each of them has.
local function parse_line(file, line)
  local row = instructions.find(line.word)
  if not row.parse then
    return problem(line.line, row.message, row.remedy)
  end
  local step, message, remedy = instructions.parse(row, line, file)
  if not step then
    return problem(line.line, message, remedy)
  end
  step.line = line.line
  step.text = line.word .. (line.text ~= "" and " " .. line.text or "")
  return step
end

local function add_stage(file, stage)
  for _, other in ipairs(file.stages) do
    if stage.name and other.name == stage.name then
      return problem(stage.line, string.format("there is a stage %s already, in line %d",
        stage.name, other.line))
    end
  end
  stage.steps = {}
  table.insert(file.stages, stage)
  return true
end

--- Put a step where it belongs: into the last stage, or before all of them.
local function add(file, step)
  local stage = file.stages[#file.stages]
  if step.op == "from" then
    return add_stage(file, step)
  elseif stage then
    table.insert(stage.steps, step)
    return true
  elseif step.op == "arg" then
    table.insert(file.args, step)
    return true
  end
  return problem(step.line, step.text:match("^%S+") .. " before the first FROM",
    "begin with FROM IMAGE, or FROM scratch")
end

--- Read the text of a Dockerfile.
---@param text string
---@return luactr.image.dockerfile?
---@return luactr.image.dockerfile.problem?
function M.parse(text)
  local list, escape = lines.read(text)
  if not list then
    return nil, escape
  end
  local file = { escape = escape, args = {}, stages = {}, warnings = {} }
  for _, line in ipairs(list) do
    local step, err = parse_line(file, line)
    local fine = step
    if step then
      fine, err = add(file, step)
    end
    if not fine then
      return nil, err
    end
  end
  if #file.stages == 0 then
    return problem(1, "there is no FROM", "begin with FROM IMAGE, or FROM scratch")
  end
  return file
end

return M
