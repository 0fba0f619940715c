-- Dockerfiles as data: what is read, and what is refused with its line.

local dockerfile = require("luactr.image.dockerfile")
local support = require("support")
local words = require("luactr.image.dockerfile.words")

local function parse(text)
  local file, problem = dockerfile.parse(text)
  assert(file, problem and ("line %d: %s"):format(problem.line, problem.message))
  return file
end

--- The only step behind a FROM.
local function step(text)
  local steps = parse("FROM scratch\n" .. text).stages[1].steps
  assert.are.equal(1, #steps)
  return steps[1]
end

local function refused(text)
  local file, problem = dockerfile.parse(text)
  assert.is_nil(file)
  return problem
end

describe("luactr.image.dockerfile #unit", function()
  describe("lines", function()
    it("go on behind a backslash, past remarks and empty lines", function()
      local found = step("run echo a \\\n  # remark\n\n  b \\  \n c\n")
      assert.are.equal("echo a   b  c", found.command)
      assert.are.equal(2, found.line)
    end)

    it("end with what is escaped itself", function()
      local steps = parse("FROM scratch\nRUN echo a\\\\\nUSER x").stages[1].steps
      assert.are.same({ "echo a\\\\", "x" }, { steps[1].command, steps[2].word })
    end)

    it("go on behind what the directive says", function()
      local file = parse("# syntax=docker/dockerfile:1\n# Escape=`\nFROM scratch\n"
        .. "RUN a `\n b\\\nUSER c")
      assert.are.equal("`", file.escape)
      assert.are.equal("a  b\\", file.stages[1].steps[1].command)
    end)

    it("take directives at the beginning only", function()
      assert.are.equal("\\", parse("# remark\n# escape=`\nFROM scratch").escape)
    end)

    it("end as those of other systems, behind a byte order mark", function()
      assert.are.equal("x", parse("\xef\xbb\xbfFROM x\r\n").stages[1].image)
    end)
  end)

  describe("heredocs", function()
    it("are scripts, or what a command reads", function()
      local found = step("RUN <<EOF\none\n  two\nEOF\n")
      assert.are.same({ { name = "EOF", expand = true, text = "one\n  two\n",
        raw = "one\n  two\nEOF\n" } }, found.heredocs)
      assert.are.equal("cat <<-'A' >x <<B", step("RUN cat <<-'A' >x <<B\n\ta\n\tA\nb\nB").command)
    end)

    it("are files of COPY", function()
      local found = step("COPY <<a <<\"b\" x /dir/\n$v\na\n$v\nb\n")
      assert.are.same({ "a", true, "$v\n" },
        { found.sources[1].name, found.sources[1].expand, found.sources[1].text })
      assert.are.same({ "b", false }, { found.sources[2].name, found.sources[2].expand })
      assert.are.same({ "x", "/dir/" }, { found.sources[3], found.target })
    end)

    it("are none in quotes, nor in other instructions", function()
      assert.are.same({}, step("RUN echo '<<EOF'").heredocs)
      assert.are.equal("<<EOF", step("USER <<EOF").word)
    end)

    it("have an end", function()
      assert.are.same({ line = 2, message = "the heredoc EOF has no end: a line EOF" },
        refused("FROM scratch\nRUN <<EOF\na\n"))
    end)
  end)

  describe("instructions", function()
    it("make stages", function()
      local file = parse("ARG A=1 B\nFROM --platform=$P a:$A AS Build\nUSER x\nFROM b\n")
      assert.are.same({ { name = "A", value = "1" }, { name = "B" } }, file.args[1].pairs)
      assert.are.same({ "a:$A", "build", "$P", 1 }, { file.stages[1].image, file.stages[1].name,
        file.stages[1].platform, #file.stages[1].steps })
      assert.are.same({ "b", 4 }, { file.stages[2].image, file.stages[2].line })
    end)

    it("are commands as lists, or for the shell", function()
      assert.are.same({ "a", "b c" }, step("RUN [\"a\", \"b c\"]").command)
      assert.are.equal("[ -f x ] && y", step("RUN [ -f x ] && y").command)
      assert.are.same({}, step("CMD []").command)
      local file = parse("FROM x\nCMD ['a', 'b']\n")
      assert.are.equal("['a', 'b']", file.stages[1].steps[1].command)
      assert.are.equal(2, file.warnings[1].line)
    end)

    it("copy files with options", function()
      local found = step("COPY --from=build --chown=a:b --chmod=0644 \"x y\" z /t/")
      assert.are.same({ "build", "a:b", "0644", "\"x y\"", "z", "/t/" },
        { found.from, found.owner, found.mode, found.sources[1], found.sources[2], found.target })
      local list = step([[COPY ["a b", "c\\d\"e", "t"] ]])
      local plain = {}
      for i, word in ipairs(list.sources) do
        plain[i] = words.expand(word, function() end, "\\")
      end
      assert.are.same({ "a b", "c\\d\"e" }, plain)
    end)

    it("set variables in both ways", function()
      assert.are.same({ { name = "a", value = "1" }, { name = "b", value = "\"2 3\"" } },
        step("ENV a=1 b=\"2 3\"").pairs)
      assert.are.same({ { name = "a", value = "the  value" } }, step("ENV a the  value").pairs)
    end)
  end)

  describe("refuses", function()
    for name, case in pairs {
      ["an unknown instruction"] = { "FROM a\nRNU x", 2, "instruction RNU, did you mean RUN%?" },
      ["HEALTHCHECK"] = { "FROM a\nHEALTHCHECK NONE", 2, "HEALTHCHECK is not supported" },
      ["ONBUILD"] = { "FROM a\n\nONBUILD RUN x", 3, "ONBUILD is not supported" },
      ["RUN --mount"] = { "FROM a\nRUN --mount=type=cache x", 2, "%-%-mount is not supported" },
      ["an unknown flag"] = { "FROM a\nCOPY --form=x a b", 2, "%-%-form is .*, did you mean from" },
      ["a flag twice"] = { "FROM a\nCOPY --from=x --from=y a b", 2, "is there twice" },
      ["a flag without a value"] = { "FROM a\nCOPY --from a b", 2, "%-%-from=VALUE" },
      ["no FROM"] = { "# nothing", 1, "there is no FROM" },
      ["what is before FROM"] = { "\nRUN x", 2, "RUN before the first FROM" },
      ["a stage twice"] = { "FROM a AS x\nFROM b AS X", 2, "a stage x already, in line 1" },
      ["a stage's wrong name"] = { "FROM a AS 1x", 1, "1x is no name for a stage" },
      ["FROM of three words"] = { "FROM a b c", 1, "FROM IMAGE or FROM IMAGE AS NAME" },
      ["COPY of one word"] = { "FROM a\nCOPY a", 2, "where to" },
      ["a quote without an end"] = { "FROM a\nCOPY 'a b", 2, "a quote has no end" },
      ["a variable without an end"] = { "FROM a\nUSER ${x", 2, "%${x: \"}\"" },
      ["an unknown operator"] = { "FROM a\nUSER ${x%y}", 2, "%${x: \"}\"" },
      ["a wrong variable"] = { "FROM a\nENV 1=2", 2, "1 is no name of a variable" },
      ["ENV without a value"] = { "FROM a\nENV x", 2, "NAME=value expected" },
      ["SHELL without a list"] = { "FROM a\nSHELL /bin/sh", 2, "SHELL: a list" },
      ["RUN without a command"] = { "FROM a\nRUN", 2, "a command expected" },
      ["a NUL byte"] = { "FROM a\nRUN \0", 2, "NUL" },
      ["a wrong escape"] = { "# escape=x\nFROM a", 1, "escape is" },
      ["a directive twice"] = { "# escape=`\n# escape=`\nFROM a", 2, "twice" },
    } do
      it(name, function()
        local problem = refused(case[1])
        assert.are.equal(case[2], problem.line)
        assert.matches(case[3], problem.message)
      end)
    end
  end)

  describe("words", function()
    local values <const> = { a = "A", empty = "" }

    local function expanded(text, escape)
      return words.expand(text, function(name) return values[name] end, escape or "\\")
    end

    for text, result in pairs {
      ["$a"] = "A", ["x${a}y"] = "xAy", ["$b"] = "", ["\\$a"] = "$a", ["'$a'"] = "$a",
      ["\"$a b\""] = "A b", ["${b:-x}"] = "x", ["${a:-x}"] = "A", ["${a:+x}"] = "x",
      ["${b:+x}"] = "", ["${empty:-x}"] = "x", ["${empty-x}"] = "", ["${empty+x}"] = "x",
      ["${b:-${a}!}"] = "A!", ["${b:-'}'}"] = "}", ["$"] = "$", ["$$"] = "$$", ["5$"] = "5$",
      ["a\\ b"] = "a b", ["\"a\\nb\""] = "a\\nb", ["\"a\\\"b\""] = "a\"b", ["a\\"] = "a\\",
      ["${a:?x}"] = "A",
    } do
      it(text .. " is " .. result, function()
        assert.are.equal(result, expanded(text))
      end)
    end

    it("take another escape", function()
      assert.are.equal("c:\\$a", expanded("c:\\`$a", "`"))
    end)

    it("may ask for a value", function()
      assert.are.same({ nil, "b: is needed" }, { expanded("${b:?is needed}") })
    end)

    it("of a heredoc have no quotes", function()
      assert.are.equal("'A' \"A\" $a\n",
        words.expand_text("'$a' \"$a\" \\$a\n", function() return "A" end, "\\"))
    end)
  end)

  it("gives a result or a problem with its line, whatever the text #fuzz", function()
    local pieces <const> = { "FROM", "RUN", "COPY", "ADD", "ENV", "ARG", "LABEL", "WORKDIR", "USER",
      "CMD", "ENTRYPOINT", "EXPOSE", "VOLUME", "SHELL", "STOPSIGNAL", "HEALTHCHECK", "AS",
      "scratch", " ", " ", "\n", "\n", "\r\n", "\\", "\\\n", "`", "# escape=`\n", "#", "[", "]",
      "\"a\"", ",", "'", "\"", "$", "${", "}", ":-", ":+", "?", "<<EOF", "<<-'EOF'", "EOF",
      "--from=", "--chown=x", "--", "=", "a", "b", "\0", "\xff", "\t", "\\u0000",
      "[\"a\",\"b\"]", "${a:-${b" }
    support.fuzz(function()
      local list = { math.random(3) > 1 and "FROM scratch\n" or "" }
      for i = 2, math.random(2, 40) do list[i] = pieces[math.random(#pieces)] end
      local text = table.concat(list)
      local file, problem = dockerfile.parse(text)
      local count = select(2, text:gsub("\n", "")) + 1
      if not file then
        assert(problem.line >= 1 and problem.line <= count, text)
        assert(type(problem.message) == "string" and problem.message ~= "", text)
      else
        for _, stage in ipairs(file.stages) do
          for _, found in ipairs(stage.steps) do assert(found.line <= count and found.op, text) end
        end
      end
    end)
  end)
end)
