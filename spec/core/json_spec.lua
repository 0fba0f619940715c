-- core.json: what luactr keeps on disk, read again by cjson and by rules of JSON's own.

local cjson = require("cjson")
local encode = require("luactr.core").json.encode
local world = require("support.world")

describe("core.json #core", function()
  before_each(world.check)
  after_each(world.check)

  it("writes single values", function()
    local texts, most, least = {}, math.maxinteger, math.mininteger
    for i, value in ipairs { true, false, 0, -1, most, least, 1.5, -0.25, "" } do
      texts[i] = encode(value)
    end
    assert.same({ "true", "false", "0", "-1", "9223372036854775807", "-9223372036854775808",
      "1.500000", "-0.250000", '""' }, texts)
    assert.equal(309 + #".000000", #encode(1.7e308))
  end)

  it("escapes what a string may not have, and nothing else", function()
    assert.equal([["\u0000\u001f\u007f\u0022\u005c/ä' "]], encode("\0\31\127\"\\/ä' "))
    assert.equal([["a\u000ab"]], encode("a\nb"))
    local bytes = {}
    for c = 0, 127 do bytes[#bytes + 1] = string.char(c) end
    bytes = table.concat(bytes):rep(100) -- longer than its first memory
    assert.equal(bytes, cjson.decode("[" .. encode(bytes) .. "]")[1])
  end)

  it("writes a table with an element 1 as a list, any other as an object", function()
    assert.equal('[1,"a",[true]]', encode { 1, "a", { true } })
    assert.equal("{}", encode {})
    assert.equal('{"0":"zero"}', encode { [0] = "zero" })
    assert.equal('{"a":{"b":[{"c":1}]}}', encode { a = { b = { { c = 1 } } } })
    local list, names = {}, {}
    for i = 1, 3000 do list[i], names["name " .. i] = i, { i } end
    assert.same({ list = list, names = names }, cjson.decode(encode { list = list, names = names }))
  end)

  it("raises for what has no form in JSON", function()
    assert.has_error(function() encode(print) end, "no JSON for a function")
    assert.has_error(function() encode { a = { io.stdout } } end, "no JSON for a userdata")
    local endless = {}
    endless.endless = endless
    assert.has_error(function() encode(endless) end, "more than 200 tables in each other")
  end)
end)
