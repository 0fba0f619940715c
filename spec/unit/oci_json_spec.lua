local json = require "luactr.oci.json"

describe("luactr.oci.json #unit", function()
  it("reads an object, and takes null for nothing", function()
    assert.are.same({ a = { 1, 2.5, "x:y" }, c = { d = true } },
      json.decode '{"a": [1, 2.5, "x:y"], "b": null, "c": {"d": true, "e": null}}')
  end)

  it("keeps every bit of large integers", function()
    local value = json.decode '{"a": 9007199254740993, "b": -9223372036854775808}'
    assert.are.equal(9007199254740993, value.a)
    assert.are.equal(math.mininteger, value.b)
  end)

  it("has those above 2^63 as the same bits", function()
    local value = json.decode '{"a": 18446744073709551615, "b": 9223372036854775808}'
    assert.are.equal(-1, json.wide(value.a))
    assert.are.equal(math.mininteger, json.wide(value.b))
    assert.is_nil(json.wide(-1))
  end)

  it("knows that larger ones are none", function()
    for _, text in ipairs { "18446744073709551616", "1" .. ("0"):rep(400), "-99999999999999999999" }
    do
      local value = assert(json.decode('{"a": ' .. text .. "}"))
      assert.is_nil(json.wide(value.a))
      assert.are.equal("float", math.type(value.a))
    end
  end)

  local cases <const> = {
    { '{"a": 1, "a": 2}', '"a" is there twice' },
    { '{"x": [{"b:c": 1, "b:c": 1}]}', '"b:c" is there twice' },
    { '{"a": 1, "\\u0061": 2}', '"a" is there twice' },
    { '{"a\\u003a": 1, "a:": 2}', '"a:" is there twice' },
    { '{"a": "\xff"}', "it is no UTF-8 at byte 8" },
    { '{"a": "\xed\xa0\x80"}', "it is no UTF-8 at byte 8" },
    { ("["):rep(100000) .. ("]"):rep(100000), "it is deeper than 64" },
    { ('{"a":'):rep(100000), "it is deeper than 64" },
    { "[" .. ("1,"):rep(3), "it ends too early" },
    { "", "it ends too early" }, { "{", "it ends too early" }, { '"text"', "no JSON object" },
    { "{} x", 'unexpected "x"' }, { '{"a": NaN}', 'unexpected "N"' },
    { '{"a": 0x10}', 'unexpected "x"' }, { '{"a": 012}', "unexpected" },
    { "{'a': 1}", "unexpected" }, { '{"a": tru}', 'unexpected "t"' }, { "{,}", 'unexpected ","' },
    { '{"a": "\\ud800"}', "unexpected" },
  }
  for i, case in ipairs(cases) do
    it("refuses what is no JSON, or has two meanings (" .. i .. ")", function()
      local value, problem = json.decode(case[1])
      assert.is_nil(value)
      assert.is_truthy(problem:find(case[2], 1, true), problem)
    end)
  end
end)
