#!/usr/bin/env luactr
--- An image, built by a program.
--
--   luactr image build lua/recipes/build.lua
--   luactr image build --build-arg GREETING=ahoy lua/recipes/build.lua
--   luactr lua/recipes/build.lua
--
-- A build is a function: each method of `b` is a step. A command runs in a container of the steps
-- before it, and what it writes is the next layer. The second time nothing is carried out, since
-- nothing that the steps depend on has changed. An earlier stage is a value like any other; without
-- a name it is gone with the recipe. `luactr RECIPE` runs the container that the recipe returns, by
-- the command that the image has.
local ctr = require "luactr"

local maker <close> = assert(ctr.image.build {
  from = ctr.rootfs.host { "bash", "cat" }, -- or the name of an image, as "debian:12"
  args = { GREETING = "hello" },
  function(b)
    b:run { "bash", "-c", "echo \"${GREETING^^} from an image\" >/greeting" }
  end,
})

local _ <close> = assert(ctr.image.build {
  tag = "luactr-greeting:1",
  from = ctr.rootfs.host { "cat" },
  function(b)
    b:copy("greeting", "/srv/", { from = maker, mode = "0444" })
    b:file("/srv/notice", "made by lua/recipes/build.lua\n")
    b:workdir "/srv"
    b:label { purpose = "to teach" }
    b:cmd { "cat", "greeting", "notice" }
  end,
})

return ctr.container { rootfs = ctr.image "luactr-greeting:1" }
