--- SHA-256 of short texts (FIPS 180-4).
local M = {}

local WORD <const> = 0xffffffff
local BLOCK <const> = 64

local K <const>, START <const> = {}, {}

-- The constants are the fractions of the roots of the first primes.
do
  local function fraction(root)
    return math.floor((root - math.floor(root)) * (1 << 32))
  end
  local n, count = 2, 0
  while count < BLOCK do
    local is_prime = true
    for divisor = 2, math.floor(n ^ 0.5) do
      is_prime = is_prime and n % divisor ~= 0
    end
    if is_prime then
      count = count + 1
      K[count] = fraction(n ^ (1 / 3))
      START[count] = count <= 8 and fraction(n ^ 0.5) or nil
    end
    n = n + 1
  end
end

local function rotate(x, n)
  return (x >> n | x << (32 - n)) & WORD
end

local function schedule(text, at)
  local w = { string.unpack((">I4"):rep(16), text, at) }
  for i = 17, BLOCK do
    local a, b = w[i - 15], w[i - 2]
    local s0 = rotate(a, 7) ~ rotate(a, 18) ~ a >> 3
    local s1 = rotate(b, 17) ~ rotate(b, 19) ~ b >> 10
    w[i] = (w[i - 16] + s0 + w[i - 7] + s1) & WORD
  end
  return w
end

local function mix(state, w)
  local a, b, c, d, e, f, g, h = table.unpack(state)
  for i = 1, BLOCK do
    local s1 = rotate(e, 6) ~ rotate(e, 11) ~ rotate(e, 25)
    local t1 = h + s1 + (e & f ~ ~e & g) + K[i] + w[i]
    local s0 = rotate(a, 2) ~ rotate(a, 13) ~ rotate(a, 22)
    local t2 = s0 + (a & b ~ a & c ~ b & c)
    h, g, f, e, d, c, b, a = g, f, e, (d + t1) & WORD, c, b, a, (t1 + t2) & WORD
  end
  for i, value in ipairs { a, b, c, d, e, f, g, h } do
    state[i] = (state[i] + value) & WORD
  end
end

---@param text string
---@return string hex
function M.hex(text)
  local padding = ("\0"):rep((55 - #text) % BLOCK)
  local padded = text .. "\128" .. padding .. (">I8"):pack(#text * 8)
  local state = { table.unpack(START) }
  for at = 1, #padded, BLOCK do
    mix(state, schedule(padded, at))
  end
  return (("%08x"):rep(8)):format(table.unpack(state))
end

return M
