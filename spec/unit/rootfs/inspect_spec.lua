local fake_fs = require "support.fake_fs"
local inspect = require "luactr.rootfs.inspect"

describe("luactr.rootfs.inspect #unit", function()
  describe("file()", function()
    it("reads a file once until it changes", function()
      local fs = fake_fs.host()
      inspect.file(fs, "/usr/bin/sh")
      inspect.file(fs, "/usr/bin/sh")
      assert.are.equal(1, fs.reads)
      fs.nodes["/usr/bin/sh"].mtime = 5
      inspect.file(fs, "/usr/bin/sh")
      assert.are.equal(2, fs.reads)
    end)

    for line, script in pairs {
      ["#!/bin/sh"] = { interpreter = "/bin/sh", argument = "" },
      ["#! \t/bin/sh  -e -x"] = { interpreter = "/bin/sh", argument = "-e -x" },
      ["#!/usr/bin/env lua5.4"] = { interpreter = "/usr/bin/env", argument = "lua5.4" },
    } do
      it("takes apart " .. line, function()
        local fs = fake_fs.host { ["/s"] = line .. "\nexit" }
        assert.are.same(script, inspect.file(fs, "/s").script)
      end)
    end

    for what, case in pairs {
      ["a directory"] = { "/usr", "not a regular file" },
      ["text"] = { "/text", "not an ELF file" },
      ["an empty file"] = { "/empty", "not an ELF file" },
      ["a script without interpreter"] = { "/bare", "names no interpreter" },
      ["nothing"] = { "/nope", "No such file" },
    } do
      it("refuses " .. what, function()
        local fs = fake_fs.host { ["/text"] = "some text", ["/empty"] = "", ["/bare"] = "#!\n" }
        local file, reason = inspect.file(fs, case[1])
        assert.is_nil(file)
        assert.matches(case[2], reason)
      end)
    end
  end)
end)
