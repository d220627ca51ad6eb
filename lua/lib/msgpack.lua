-- The store's functions under short names, and MessagePack that is encoded by hand where that is cheaper.
--
-- The locals of a library outlive a call. While it is loaded it has no access to these functions, so the first call
-- binds them.

local pack, unpack_msg, unpack_some, call, floor, max, min, band, bor, char, concat

-- n -> the head of a string of n bytes in MessagePack, up to 255. Head .. string costs a fraction of a call of pack
-- where the string is concatenated into a longer one anyway.
local string_of = {}

local function bind()
  pack, unpack_msg, unpack_some, call = cmsgpack.pack, cmsgpack.unpack, cmsgpack.unpack_limit, redis.call
  floor, max, min = math.floor, math.max, math.min
  band, bor = bit.band, bit.bor
  char, concat = string.char, table.concat
  for n = 0, 31 do string_of[n] = char(160 + n) end -- fixstr
  for n = 32, 255 do string_of[n] = char(217, n) end -- str 8
end

-- The head of an array of n values in MessagePack: fixarray or array 16.
local function array_of(n)
  if n < 16 then return char(144 + n) end
  return char(220, floor(n / 256), n % 256)
end

-- packed(value) packs a value that recurs in many operations (quantities, times to live, names of states), and keeps
-- the result.
local packed

do

local PACKED_MAX = 1000 -- values kept; then all are dropped, so that rare ones do not stay
local packed_values, packed_count = {}, 0

function packed(value)
  local known = packed_values[value]
  if not known then
    if packed_count == PACKED_MAX then packed_values, packed_count = {}, 0 end
    known = pack(value)
    packed_values[value] = known
    packed_count = packed_count + 1
  end
  return known
end

end
