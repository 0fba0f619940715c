-- Attaching: the keys that detach, and what a program has made of the terminal.

local keys = require("luactr.container.attach.keys")
local modes = require("luactr.container.attach.modes")

describe("luactr.container.attach.keys #unit", function()
  describe("parse()", function()
    for text, bytes in pairs {
      [""] = "", ["ctrl-p,ctrl-q"] = "\16\17", ["ctrl-@"] = "\0", ["ctrl-["] = "\27",
      ["ctrl-\\,a"] = "\28a", ["ctrl-_"] = "\31", ["~,."] = "~.", ["a,a,b"] = "aab",
    } do
      it(("takes %q"):format(text), function() assert.equal(bytes, keys.parse(text)) end)
    end

    for _, text in ipairs { "ctrl-P", "ctrl-", "ctrl-1", "ctrl-pq", "a,,b", ",", "a,", "ab", " ",
      "ctrl p", "\n", "é", "shift-a" } do
      it(("refuses %q"):format(text), function()
        local bytes, problem = keys.parse(text)
        assert.is_nil(bytes)
        assert.matches("is no key: a character, or ctrl%-", problem)
      end)
    end

    it("refuses more than a person can type", function()
      assert.equal("at most 16 keys", select(2, keys.parse(("a,"):rep(16) .. "a")))
    end)
  end)

  describe("feed()", function()
    -- What comes through of pieces, with a "|" where the held keys were let go.
    local function through(sequence, pieces)
      local watched, seen = keys.new(sequence), ""
      for piece in pieces:gmatch("[^|]*") do
        local passed, detached = watched:feed(piece)
        seen = seen .. passed
        if detached then return seen, true end
        if pieces:find("|", 1, true) then seen = seen .. watched:flush() end
      end
      return seen, false
    end

    for _, case in ipairs {
      { "pq", "hello", "hello", false },
      { "pq", "ab" .. "pq", "ab", true },
      { "pq", "pq" .. "lost", "", true },
      { "pq", "ppq", "p", true },
      { "pq", "pxq", "pxq", false },
      { "aab", "aaab", "a", true },
      { "abab", "abaabab", "aba", true },
      { "pq", "p|q", "p", true },
      { "pq", "p|xq", "pxq", false },
      { "aab", "a|aab", "a", true },
      { "", "pq", "pq", false },
    } do
      it(("finds %q in %q"):format(case[1], case[2]), function()
        assert.same({ case[3], case[4] }, { through(case[1], case[2]) })
      end)
    end
  end)
end)

describe("luactr.container.attach.modes #unit", function()
  for _, case in ipairs {
    { { "plain text\r\n" }, "" },
    { { "\27[?1049h", "\27[?25l" }, "\27[?1049l\27[?25h" },
    { { "\27[?1049h", "\27[?25l", "\27[?1049l\27[?25h" }, "" },
    { { "\27[?1000;1006h" }, "\27[?1000l\27[?1006l" },
    { { "\27[?10", "49h" }, "\27[?1049l" },
    { { "\27[1;31mred" }, "\27[0m" },
    { { "\27[" .. ("1;"):rep(100) }, "" },
  } do
    it(("undoes %q"):format(table.concat(case[1], "+")), function()
      local seen = modes.new()
      for _, piece in ipairs(case[1]) do seen:see(piece) end
      assert.equal(case[2], seen:undo())
    end)
  end
end)
