-- `luactr image import`, `export`, `pull` and `push`, as commands.

local images = require("support.images")
local layouts = require("support.layouts")
local process = require("support.process")
local support = require("support")
local world = require("support.world")

local it = support.it(it, pending, "root")

describe("luactr image import, export, pull and push #cli", function()
  local here, made, path

  before_each(function()
    world.check()
    here = images.open()
    here.store:close()
    made = layouts.open(here.dir.path .. "/lay")
    made:index { layouts.with(made:image { { a = "1" } }, { name = "v1" }) }
    path = made.path
  end)
  after_each(function()
    here:close()
    world.check()
  end)

  it("take an image, and give it away", function()
    local stdout, stderr = here:answers(0, "import", path)
    assert.equal("lay:v1\n", stdout)
    assert.matches("^layer 1 of 1: %d+.* in [%d.]+ s", stderr)
    local file = here.dir.path .. "/out.tar"
    stdout, stderr = here:answers(0, "export", "lay:v1", "-o", file)
    assert.equal("", stdout)
    assert.matches("^export: ", stderr)
    assert.equal(support.read(file), (here:answers(0, "export", "-q", "lay:v1")))
    assert.same({ "app:2\n", "" }, { here:answers(0, "import", "-q", file, "--name", "app:2") })
    here:answers(0, "export", "-q", "--format", "oci", "--name", "x:y", "app:2", "-o",
      here.dir.path .. "/out")
    assert.equal("x:y\n", (here:answers(0, "import", "-q", here.dir.path .. "/out")))
  end)

  it("show bars on a terminal", function()
    local session <close> = process.start { support.luactr_program, "image", "import", path,
      tty = { rows = 24, columns = 100 }, env = { LUACTR_IMAGES = here.path, TERM = "xterm" } }
    assert.equal(0, session:wait(60).code)
    assert.matches("\r\27%[Klayer 1 of 1  %[%.+%]   0%%", session.stdout)
    assert.matches("\r\27%[Klayer 1 of 1: .* s[^\r]*\r\nlay:v1\r\n$", session.stdout)
    local root <close> = process.start { support.luactr_program, "image", "import",
      here.dir:write("root.tar", layouts.tar { a = "12" }),
      tty = { rows = 24, columns = 100 }, env = { LUACTR_IMAGES = here.path, TERM = "xterm" } }
    assert.equal(0, root:wait(60).code)
    assert.matches("\r\27%[Klayer 1 of 1  %[%.+%]   0%%", root.stdout)
  end)

  it("write no archive to a terminal", function()
    here:answers(0, "import", path)
    local session <close> = process.start { support.luactr_program, "image", "export", "lay:v1",
      tty = true, env = { LUACTR_IMAGES = here.path } }
    assert.equal(125, session:wait(60).code)
    assert.matches("not for a terminal", session.stdout, 1, true)
  end)

  it("take other limits than the default ones", function()
    here:refuses(125, "there are more than 1 bytes of files\n"
      .. "  try: higher limits, if it is to be trusted: --max-size", "import", "-q",
      here.dir:write("root.tar", layouts.tar { a = "12" }), "--max-size", "1")
    assert.equal("root:latest\n", (here:answers(0, "import", "-q", here.dir.path .. "/root.tar",
      "--max-size", "1K", "--max-files", "5", "--max-depth", "2", "--max-ratio", "300")))
    here:refuses(2, "--max-size: unknown unit \"X\": K, M, G", "import", path, "--max-size", "1X")
    here:refuses(2, "--max-files: a whole number above 0", "pull", "127.0.0.1:1/x",
      "--max-files", "0")
  end)

  it("say what is wrong", function()
    here:refuses(2, "what to import?", "import")
    here:refuses(2, "OS/ARCHITECTURE", "import", path, "--platform", "a/b/c/d")
    here:refuses(125, "it has no image for linux/s390x", "import", path,
      "--platform", "linux/s390x")
    here:refuses(125, 'no image "v1:latest"', "export", "v1")
    here:refuses(2, "which image?", "export")
    here:refuses(2, "one image; where to is --output's to say", "export", "lay:v1", "file")
    here:refuses(2, "--format: oci-archive, oci, docker-archive", "export", "x", "--format", "zip")
    here:refuses(2, "--compress: gzip or zstd", "export", "x", "--compress", "xz")
    here:refuses(2, "--format oci is a directory", "export", "x", "--format", "oci")
    here:refuses(2, "which image?", "pull")
    here:refuses(2, "--tls-verify: yes or no", "pull", "127.0.0.1:1/x", "--tls-verify", "perhaps")
    here:refuses(2, "belong together", "pull", "127.0.0.1:1/x", "--username", "me")
    here:refuses(2, "exclude each other", "pull", "127.0.0.1:1/x", "--username", "me",
      "--password-stdin", "--authfile", "f")
    here:refuses(2, "OS/ARCHITECTURE", "pull", "127.0.0.1:1/x", "--platform", "a/b/c/d")
    here:refuses(2, "which image, and where to?", "push")
    here:refuses(125, 'no image "none:latest"', "push", "none")
    here:refuses(125, "no name of an image", "pull", "A B")
  end)
end)
