-- The table of docs/security.md, which says what each attack of the gallery comes to.

local peers = require("support.peers")

local M = {}

local ROW <const> = "^| `([%w-]+)` |" .. (" ([^|]*) |"):rep(6)
local HEAD_OF_TABLE <const> = "^| attack | what it does | luactr | luactr oci |"
  .. (" (%l+) ([%d.]+) |"):rep(3)

--- The rows of the table in docs/security.md, by name: { what, luactr, runc, crun, bwrap }, and
--- "luactr oci"; and the versions of the last three.
function M.rows()
  local rows, versions = {}, {}
  for line in io.lines("docs/security.md") do
    local name, what, luactr, oci, runc, crun, bwrap = line:match(ROW)
    if name then
      rows[name] = { what = what, luactr = luactr, [peers.own.name] = oci, runc = runc,
        crun = crun, bwrap = bwrap }
    end
    local head = { line:match(HEAD_OF_TABLE) }
    for i = 1, #head, 2 do versions[head[i]] = head[i + 1] end
  end
  return rows, versions
end

local UNTRIED <const> = "–"

local function has_word(text, word)
  return (" " .. text .. " "):find("%W" .. word .. "%W") ~= nil
end

--- What was found has to be what the document says.
function M.expect(attack, found)
  local row = M.rows()[attack.attack]
  assert(row, attack.attack .. " has no row in docs/security.md")
  for _, peer in ipairs { peers.own, table.unpack(peers.list) } do
    assert(attack[peer.how] or row[peer.name] == UNTRIED, "nothing has measured " .. peer.name)
  end
  assert(has_word(row.luactr, found.result), ("%s, docs/security.md says %s:\n%s\n%s"):format(
    found.result, row.luactr, found.harm, found.output))
end

--- The same for another program, or for `luactr oci`.
function M.expect_of_peer(attack, peer, found)
  local said = M.rows()[attack.attack][peer.name]
  assert(has_word(said, found.result), ("%s, docs/security.md says %s:\n%s\n%s"):format(
    found.result, said, found.harm, found.output))
end

return M
