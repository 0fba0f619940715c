-- luactr.image.reference: names of images.

local reference = require("luactr.image.reference")

local HEX <const> = ("0123456789abcdef"):rep(4)

describe("luactr.image.reference #unit", function()
  local NAMES <const> = {
    { "alpine", "alpine", "latest" },
    { "alpine:3.20", "alpine", "3.20" },
    { "library/alpine", "library/alpine", "latest" },
    { "docker.io/library/alpine:edge", "docker.io/library/alpine", "edge" },
    { "registry:5000/a", "registry:5000/a", "latest" },
    { "registry:5000/a:1", "registry:5000/a", "1" },
    { "localhost/App", nil },
    { "localhost/app", "localhost/app", "latest" },
    { "Registry.Example.COM/a/b", "Registry.Example.COM/a/b", "latest" },
    { "a_b/c__d/e.f/g--h:_", "a_b/c__d/e.f/g--h", "_" },
    { "a@sha256:" .. HEX, "a", nil, "sha256:" .. HEX },
    { "a:1@sha256:" .. HEX, "a", "1", "sha256:" .. HEX },
    { "a:" .. ("t"):rep(128), "a", ("t"):rep(128) },
  }

  for _, row in ipairs(NAMES) do
    if row[2] then
      it("takes apart " .. row[1], function()
        local parsed = assert(reference.parse(row[1]))
        assert.same({ row[2], row[3], row[4] }, { parsed.name, parsed.tag, parsed.digest })
        assert.same(parsed, reference.parse(tostring(parsed)))
      end)
    end
  end

  local WRONG <const> = {
    { "", "an image's name is empty" },
    { ":1", "an image's name is empty" },
    { "Alpine", 'the name "Alpine" has capital letters' },
    { "localhost/App", 'the name "localhost/App" has capital letters' },
    { "a//b", 'the name "a//b" has an empty part' },
    { "/a", 'the name "/a" has an empty part' },
    { "a b", 'the name "a b" has " " in it' },
    { "../../etc/x", "the registry \"..\" is no host name" },
    { "a/../b", 'the name "a/../b" has a part that begins or ends with a separator' },
    { "a_", 'the name "a_" has a part that begins or ends with a separator' },
    { "a___b", 'the name "a___b" has "___" in it' },
    { "a..b", 'the name "a..b" has ".." in it' },
    { "a:", "the tag is empty" },
    { "a:-x", 'the tag "-x" has more in it than letters' },
    { "a:x y", 'the tag "x y" has more in it than letters' },
    { "a:" .. ("t"):rep(129), "the tag has 129 characters, at most 128" },
    { ("a"):rep(256), "an image's name has 256 characters, at most 255" },
    { "docker://host/a", '"docker://" is no part of a name' },
    { "host:port/a", 'the port of the registry "host:port" is no number' },
    { "-h.example/a", 'the registry "-h.example" is no host name' },
    { "a@sha256:12", '"sha256:12" is no digest: sha256 has 64 lower-case hexadecimal digits' },
    { "a@sha256:" .. HEX:upper(), "is no digest: sha256 has 64 lower-case hexadecimal digits" },
    { "a@sha512:" .. HEX .. HEX, "sha512 digests are not supported, sha256 is" },
    { "a@md5:" .. HEX, "the algorithm of \"md5:" },
    { "a@", '"" is no digest: sha256:HEX' },
  }

  for _, row in ipairs(WRONG) do
    it("refuses " .. string.format("%q", row[1]:sub(1, 40)), function()
      local parsed, problem = reference.parse(row[1])
      assert.is_nil(parsed)
      assert.matches(row[2], problem, 1, true)
    end)
  end

  it("refuses what is no text", function()
    assert.same({ nil, "an image's name is text, not number" }, { reference.parse(7) })
  end)

  local KEYS <const> = { "docker.io/library/alpine:3", "docker.io/library/alpine:latest",
    "quay.io/team/alpine:edge", "quay.io/team/app:latest", "app:latest", "xapp:latest" }

  local MATCHES <const> = {
    { "alpine", { "docker.io/library/alpine:latest" } },
    { "library/alpine:3", { "docker.io/library/alpine:3" } },
    { "alpine:edge", { "quay.io/team/alpine:edge" } },
    { "pine", {} },
    { "app", { "app:latest" } },
    { "team/app", { "quay.io/team/app:latest" } },
    { "alpine@sha256:" .. HEX, { "docker.io/library/alpine:3", "docker.io/library/alpine:latest",
      "quay.io/team/alpine:edge" } },
  }

  for _, row in ipairs(MATCHES) do
    it("finds what " .. row[1] .. " may mean", function()
      assert.same(row[2], reference.matches(assert(reference.parse(row[1])), KEYS))
    end)
  end

  it("finds all that a short name may mean", function()
    local keys = { "a.example/x:latest", "b.example/x:latest" }
    assert.same(keys, reference.matches(assert(reference.parse("x")), keys))
  end)
end)
