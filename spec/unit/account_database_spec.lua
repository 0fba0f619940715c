local database = require "luactr.account.database"
local support = require "support"

local PASSWD <const> = "root:x:0:0:root:/root:/bin/sh\napp:x:1000:100::/home/app:/bin/sh\n"
  .. "twice:x:1:1::/a:/bin/sh\ntwice:x:0:0::/b:/bin/sh\nrel:x:5:5::home:/bin/sh\n"
  .. "last:x:7:8::/l:/bin/sh"

local GROUP <const> = "root:x:0:\naudio:x:29:app,other\nvideo:x:44:other,app\nnot:x:45:xapp,appx\n"
  .. "again:x:29:app\nwheel:*:10:"

describe("luactr.account.database #unit", function()
  describe("user()", function()
    it("finds a line wherever it stands", function()
      assert.same({ uid = 0, gid = 0, home = "/root" }, database.user(PASSWD, "root"))
      assert.same({ uid = 1000, gid = 100, home = "/home/app" }, database.user(PASSWD, "app"))
      assert.same({ uid = 7, gid = 8, home = "/l" }, database.user(PASSWD, "last"))
    end)

    it("takes the first of two lines", function()
      assert.equal(1, database.user(PASSWD, "twice").uid)
    end)

    it("knows no home that is not an absolute path", function()
      assert.is_nil(database.user(PASSWD, "rel").home)
    end)

    it("finds no part of a name", function()
      for _, name in ipairs { "ap", "pp", "oot", "x", "nobody" } do
        assert.same({ n = 2 }, table.pack(database.user(PASSWD, name)))
      end
    end)

    local wrong <const> = {
      { "app:x:1000:100::/home\n", "has 6 fields instead of 7" },
      { "app:x:1000:100:a:b:/home:/bin/sh\n", "has 8 fields instead of 7" },
      { "app:x:0:", "has 4 fields instead of 7" },
      { "app:x::0::/:/bin/sh\n", "has no proper user and group number" },
      { "app:x:01:0::/:/bin/sh\n", "has no proper user and group number" },
      { "app:x:-1:0::/:/bin/sh\n", "has no proper user and group number" },
      { "app:x:0x1:0::/:/bin/sh\n", "has no proper user and group number" },
      { "app:x: 1:0::/:/bin/sh\n", "has no proper user and group number" },
      { "app:x:1:4294967295::/:/bin/sh\n", "has no proper user and group number" },
      { "app:x:4294967296:0::/:/bin/sh\n", "has no proper user and group number" },
      { "app:x:99999999999999999999:0::/:/bin/sh\n", "has no proper user and group number" },
      { "app:x:1:1:a\0b:/:/bin/sh\n", "contains a control character" },
      { "app:x:1:1::/:/bin/sh\r\n", "contains a control character" },
      { "app:" .. ("x"):rep(70000), "is longer than 65536 bytes" },
    }
    for _, case in ipairs(wrong) do
      it("refuses a line that " .. case[2] .. ": " .. case[1]:sub(1, 20):gsub("%c", "?"), function()
        local user, problem = database.user(case[1] .. "\napp:x:0:0::/:/bin/sh\n", "app")
        assert.is_nil(user)
        assert.equal('the line of "app" ' .. case[2], problem)
      end)
    end
  end)

  describe("group()", function()
    it("has the number of a name", function()
      assert.same({ 29, 10 }, { database.group(GROUP, "audio"), (database.group(GROUP, "wheel")) })
      assert.is_nil(database.group(GROUP, "aud"))
    end)

    it("refuses a line without a proper number", function()
      assert.same({ n = 2, nil, 'the line of "g" has no proper group number' },
        table.pack(database.group("g:x:007:\n", "g")))
    end)
  end)

  describe("memberships()", function()
    it("lists each group of whole members once", function()
      assert.same({ 29, 44 }, database.memberships(GROUP, "app"))
      assert.same({}, database.memberships(GROUP, "nobody"))
    end)

    it("refuses an unreadable line that names the user", function()
      assert.same({ n = 2, nil, 'a line with the member "app" has no proper group number' },
        table.pack(database.memberships("a:x:-1:app\n", "app")))
      assert.same({ n = 2, nil, 'a line with the member "app" has 5 fields instead of 4' },
        table.pack(database.memberships("a:x:1::app\n", "app")))
    end)
  end)

  it("keeps to its promises whatever the text is #fuzz", function()
    local pieces <const> = { "app", ":", ":", ":", "\n", "0", "1000", "4294967295", "x", ",", "\0",
      "\r", "-1", "/", "app:x:1:1::/:/s\n", "g:x:5:app\n", "\xff", ("y"):rep(300) }
    support.fuzz(function()
      local parts = {}
      for i = 1, math.random(0, 60) do
        parts[i] = pieces[math.random(#pieces)]
      end
      local text = table.concat(parts)
      local user, problem = database.user(text, "app")
      assert(not (user and problem))
      assert(not user or user.uid >= 0 and user.uid < 0xffffffff and user.gid < 0xffffffff)
      -- found exactly when a line begins so
      assert.equal(("\n" .. text):find("\napp:", 1, true) ~= nil, (user or problem) ~= nil)
      local gid, trouble = database.group(text, "app")
      assert(not (gid and trouble) and (not gid or gid >= 0 and gid < 0xffffffff))
      local list, why = database.memberships(text, "app")
      assert((list == nil) == (why ~= nil))
      for _, group in ipairs(list or {}) do
        assert(group >= 0 and group < 0xffffffff)
      end
    end)
  end)
end)
