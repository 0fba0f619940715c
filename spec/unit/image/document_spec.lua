-- luactr.image.document: what images say of themselves, decoded and checked.

local document = require("luactr.image.document")
local json = require("luactr.image.json")
local support = require("support")

local types <const> = document.types
local DIGEST <const> = "sha256:" .. ("0123456789abcdef"):rep(4)

local function descriptor(media_type, fields)
  local made = { mediaType = media_type, digest = DIGEST, size = 7 }
  for key, value in pairs(fields or {}) do made[key] = value end
  return made
end

local function manifest(fields)
  local made = {
    schemaVersion = 2, mediaType = types.manifest, config = descriptor(types.config),
    layers = { descriptor(types.layer .. "+gzip"), descriptor(types.layer) },
  }
  for key, value in pairs(fields or {}) do made[key] = value end
  return made
end

local function config(fields)
  local made = {
    architecture = "amd64", os = "linux", created = "2026-01-31T12:00:00Z",
    config = { Env = { "A=1" }, Cmd = { "sh" }, Labels = { a = "b" },
      Volumes = { ["/data"] = {} } },
    rootfs = { type = "layers", diff_ids = { DIGEST } }, history = { { created_by = "x" } },
  }
  for key, value in pairs(fields or {}) do made[key] = value end
  return made
end

local function many(count, of)
  local list = {}
  for i = 1, count do list[i] = of end
  return list
end

-- Rows of a document's changed fields and the sentence.
local function refuses(what, make, rows)
  for _, row in ipairs(rows) do
    it("refuses " .. row[2], function()
      local text = type(row[1]) == "string" and row[1] or json.encode(make(row[1]))
      local value, problem = document[what](text, row[3])
      assert.is_nil(value)
      assert.matches(row[2], problem, 1, true)
    end)
  end
end

describe("luactr.image.document #unit", function()
  describe("manifest", function()
    it("is decoded", function()
      local made = manifest()
      assert.same(made, document.manifest(json.encode(made)))
    end)

    it("may be Docker's", function()
      local made = manifest { mediaType = types.docker_manifest,
        config = descriptor(types.docker_config),
        layers = { descriptor(types.docker_layer .. ".gzip") } }
      assert.same(made, document.manifest(json.encode(made)))
    end)

    it("may have no media type", function()
      local text = json.encode(manifest()):gsub('"mediaType":"[^"]*manifest[^"]*",', "")
      assert.equal(types.manifest, assert(document.manifest(text)).mediaType)
    end)

    refuses("manifest", manifest, {
      { "", "it is no JSON: " },
      { "[", "it is no JSON: " },
      { "7", "it is no JSON object" },
      { ("["):rep(100) .. ("]"):rep(100), "it is no JSON: " },
      { "{}", "it has neither a media type nor schemaVersion 2" },
      { '{"schemaVersion":1,"name":"x"}', "schema version 1, which Docker gave up" },
      { (" "):rep((4 << 20) + 1), "it has 4194305 bytes, a document has at most 4194304" },
      { { mediaType = types.index }, 'index.v1+json" is not that of a manifest' },
      { { mediaType = 7 }, "its media type  is not that of a manifest" },
      { '{"schemaVersion":2,"manifests":[]}', "it is an index, no manifest" },
      { '{"schemaVersion":2,"layers":[]}', "it has no config" },
      { '{"schemaVersion":2,"config":{},"layers":{"a":1}}', "its layers are no list" },
      { '{"schemaVersion":2,"config":{},"layers":[{},null,{}]}', "its layers are no list" },
      { { layers = many(257, descriptor(types.layer)) }, "it has 257 layers, at most 256 are" },
      { { layers = { descriptor(types.layer .. "+lzma") } },
        'layer 1: the compression "lzma" of a layer is unknown; known are none, gzip, zstd' },
      { { layers = { descriptor("text/plain") } },
        'layer 1: the media type "text/plain" is none of a layer' },
      { { layers = { descriptor(types.layer, { digest = "sha256:12" }) } },
        'layer 1: "sha256:12" is no digest' },
      { { layers = { descriptor(types.layer, { size = -1 }) } }, "layer 1: its size, -1, is no" },
      { { layers = { descriptor(types.layer, { size = 1 << 62 }) } }, "is no size of a file" },
      { { layers = { descriptor(types.layer, { size = 1.5 }) } }, "no whole number of bytes" },
      { { layers = { descriptor(types.layer), 7 } }, "layer 2: it is no descriptor" },
      { { config = descriptor(types.empty) }, "config: its media type \"application/vnd" },
      { { config = descriptor(types.config, { size = 5 << 20 }) }, "config: its size, 5242880" },
    })
  end)

  describe("index", function()
    local function index(fields)
      local made = { schemaVersion = 2, mediaType = types.index,
        manifests = { descriptor(types.manifest) } }
      for key, value in pairs(fields or {}) do made[key] = value end
      return made
    end

    it("is decoded", function()
      assert.same(index(), document.index(json.encode(index())))
    end)

    refuses("index", index, {
      { { manifests = many(1001, descriptor(types.manifest)) },
        "it has 1001 manifests, at most 1000 are taken" },
      { { manifests = { { mediaType = types.manifest } } },
        "manifest 1: a digest is text, not nil" },
      { {}, "indexes in indexes are deeper than 3", 3 },
      { { mediaType = types.manifest }, "is not that of an index" },
    })
  end)

  describe("platform", function()
    local function entry(os, architecture, variant)
      return descriptor(types.manifest,
        { platform = { os = os, architecture = architecture, variant = variant } })
    end

    local OFFER <const> = { manifests = {
      entry("windows", "amd64"), entry("linux", "amd64"), entry("linux", "arm", "v5"),
      entry("linux", "arm", "v7"), entry("linux", "arm64", "v8"), entry("unknown", "unknown"),
    } }

    for _, row in ipairs { { "amd64", 2 }, { "linux/arm/v7", 4 }, { "linux/arm/v6", 3 },
      { "linux/arm64", 5 }, { "linux/arm64/v8", 5 }, { "windows/amd64", 1 },
      { "linux/arm/v8", 4 } } do
      it("for " .. row[1] .. " is chosen", function()
        local wanted = assert(document.parse_platform(row[1]))
        assert.equal(OFFER.manifests[row[2]], document.platform(OFFER, wanted))
      end)
    end

    it("that is not offered is an error with those that are", function()
      local wanted = assert(document.parse_platform("linux/s390x"))
      assert.same({ nil, "it has no image for linux/s390x; it has some for: windows/amd64, "
        .. "linux/amd64, linux/arm/v5, linux/arm/v7, linux/arm64/v8" },
        { document.platform(OFFER, wanted) })
    end)

    it("may be left out of a single image", function()
      local only = descriptor(types.manifest)
      assert.equal(only, document.platform({ manifests = { only } }, { os = "linux",
        architecture = "amd64" }))
    end)

    it("is the machine's", function()
      assert.same({ os = "linux", architecture = "amd64" }, document.platform_of("x86_64"))
      assert.same({ os = "linux", architecture = "arm64", variant = "v8" },
        document.platform_of("aarch64"))
      assert.same({ os = "linux", architecture = "vax" }, document.platform_of("vax"))
    end)

    it("is refused when it is none", function()
      assert.is_nil((document.parse_platform("a/b/c/d")))
    end)
  end)

  describe("config", function()
    it("is decoded", function()
      assert.same(config(), document.config(json.encode(config()), 1))
    end)

    it("may say null where it has nothing", function()
      local text = '{"os":"linux","architecture":"amd64","config":{"Cmd":null,"Env":[]},'
        .. '"rootfs":{"type":"layers","diff_ids":[]}}'
      assert.same({ Env = {} }, assert(document.config(text, 0)).config)
    end)

    refuses("config", config, {
      { { architecture = 7 }, "it names no architecture" },
      { '{"architecture":"amd64"}', "it names no os" },
      { {}, "it has 1 diff ids, the manifest has 2 layers", 2 },
      { { rootfs = { diff_ids = { "x" } } }, 'diff id 1: "x" is no digest' },
      { { rootfs = 7 }, "it has no rootfs" },
      { { config = { Env = "A=1" } }, "config.Env is not a list of texts" },
      { { config = { Cmd = { 7 } } }, "config.Cmd is not a list of texts" },
      { { config = { Labels = { a = 1 } } }, "config.Labels is not a table of texts" },
      { { config = { Volumes = { "/data" } } }, "config.Volumes is not a table of paths" },
      { { config = { User = 0 } }, "config.User is not text" },
      { { config = 7 }, "its config is no object" },
      { { history = { 7 } }, "entry 1 of its history is no object" },
      { { created = 7 }, "its time of creation is no text" },
    })
  end)

  describe("compression", function()
    it("is told by the media type", function()
      for _, name in ipairs(document.compressions) do
        assert.equal(name, document.compression(document.layer_type(name)))
      end
      assert.equal("gzip", document.compression(types.docker_layer .. ".gzip"))
      assert.is_nil((document.compression(types.layer .. "+none")))
    end)
  end)

  it("reads any text without an error of Lua's #fuzz", function()
    local corpus <const> = { json.encode(manifest()), json.encode(config()),
      json.encode { schemaVersion = 2, manifests = { descriptor(types.manifest) } } }
    local SWAPS <const> = { "null", "[]", "{}", "7", '"x"', "-1", "1e99", "[null]", "true" }
    support.fuzz(function()
      local text = corpus[math.random(#corpus)]
      for _ = 1, math.random(3) do
        local at = math.random(#text)
        if math.random(2) == 1 then -- a value in place of another
          local start, stop = text:find('"[^"]*"', at)
          if start then
            text = text:sub(1, start - 1) .. SWAPS[math.random(#SWAPS)] .. text:sub(stop + 1)
          end
        else
          text = text:sub(1, at - 1) .. string.char(math.random(0, 255)) .. text:sub(at + 1)
        end
      end
      for _, what in ipairs { "manifest", "index", "config" } do
        local value, problem = document[what](text)
        assert.is_true(type(value) == "table" or type(problem) == "string", text)
      end
    end)
  end)
end)

describe("luactr.image.json #unit", function()
  local TEXTS <const> = {
    { '{"a":[1,-2.5,1e3,true,false],"b":{"c":"d"}, "e" : [ ] }\n',
      { a = { 1, -2.5, 1000, true, false }, b = { c = "d" }, e = {} } },
    { [==["\"\\\/\b\f\n\r\t\u0041\u00e9\u20ac\ud83d\ude00é"]==], nil },
    { [==[["\"\\\/\b\f\n\r\t\u0041\u00e9\u20ac\ud83d\ude00é"]]==],
      { '"\\/\b\f\n\r\tAé€😀é' } },
    { '{"a":null}', {} },
    { "{", "it ends too early" }, { '{"a"}', 'unexpected "}" at byte 5' },
    { '{"a":1,}', 'unexpected "}" at byte 8' }, { "[1,]", 'unexpected "]" at byte 4' },
    { "[1 2]", 'unexpected "2" at byte 4' }, { "[1]x", 'unexpected "x" at byte 4' },
    { "[01]", 'unexpected "0" at byte 2' }, { '["\1"]', "unexpected" },
    { '["\\x"]', "unexpected" }, { '["\\ud800x"]', "unexpected" }, { "[nul]", "unexpected" },
    { "[.5]", "unexpected" }, { "[+5]", "unexpected" }, { "[NaN]", "unexpected" },
    { "{a:1}", "unexpected" }, { ("["):rep(65) .. ("]"):rep(65), "it is deeper than 64" },
  }

  for _, row in ipairs(TEXTS) do
    it("decodes " .. string.format("%q", row[1]:sub(1, 40)), function()
      local value, problem = json.decode(row[1])
      if type(row[2]) == "table" then
        assert.same(row[2], value)
      else
        assert.is_nil(value)
        assert.matches(row[2] or "it is no JSON object", problem, 1, true)
      end
    end)
  end

  it("decodes what cjson does, and refuses what that refuses #fuzz", function()
    local cjson = require("cjson").new()
    cjson.decode_max_depth(64)
    cjson.decode_invalid_numbers(false)
    local corpus <const> = { json.encode(manifest()), json.encode(config()), TEXTS[1][1],
      TEXTS[3][1] }
    local PIECES <const> = { '"', "\\", "{", "}", "[", "]", ",", ":", "\\u", "0", "-", ".5", "e9",
      "true", " ", "a" }

    local function same(one, two)
      if type(one) ~= "table" or type(two) ~= "table" then
        return one == two or two == cjson.null and one == nil or one ~= one
      end
      for key, value in pairs(two) do
        if not same(one[key], value) then return false end
      end
      for key in pairs(one) do
        if two[key] == nil then return false end
      end
      return true
    end

    support.fuzz(function()
      local text = corpus[math.random(#corpus)]
      for _ = 1, math.random(3) do
        local at = math.random(#text)
        text = text:sub(1, at - 1) .. PIECES[math.random(#PIECES)]
          .. text:sub(at + math.random(0, 2))
      end
      local fine, theirs = pcall(cjson.decode, text)
      local ours, problem = json.decode(text)
      if fine and type(theirs) == "table" and ours then
        assert.is_true(same(ours, theirs), text)
      elseif ours then
        assert.is_true(fine, "taken: " .. text)
      else
        assert.is_string(problem)
      end
    end)
  end)

  it("is the same text for the same value", function()
    assert.equal('{"Cmd":[],"a":[1,2.5,true],"b":{},"z":"\\"\\u0001/"}',
      json.encode { z = '"\1/', b = {}, a = { 1, 2.5, true }, Cmd = {} })
  end)

  it("keeps whole numbers whole", function()
    assert.equal("integer", math.type(assert(json.decode('{"a":[7]}')).a[1]))
  end)
end)
