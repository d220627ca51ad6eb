-- The store's functions under short names, and MessagePack put together by hand where that is cheaper.
--
-- What a library keeps in its locals outlives a call; a library that is being loaded sees no functions yet, so the
-- first call binds them.

local pack, unpack_msg, unpack_some, call, floor, max, min, band, bor, char, concat

-- What a string of n bytes begins with in MessagePack, up to 255. In front of a string that goes into a longer one
-- anyway it does what pack would do at several times the price.
local string_of = {}

local function bind()
  pack, unpack_msg, unpack_some, call = cmsgpack.pack, cmsgpack.unpack, cmsgpack.unpack_limit, redis.call
  floor, max, min = math.floor, math.max, math.min
  band, bor = bit.band, bit.bor
  char, concat = string.char, table.concat
  for n = 0, 31 do string_of[n] = char(160 + n) end
  for n = 32, 255 do string_of[n] = char(217, n) end
end

-- What an array of n begins with in MessagePack.
local function array_of(n)
  if n < 16 then return char(144 + n) end
  return char(220, floor(n / 256), n % 256)
end

-- Values that return from operation to operation, packed: quantities, times to live, names of states.
local packed

do

local PACKED_MAX = 1000
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
