-- recount_lacking: looks through a slice of the stock for what orders lack, or of what is written about it, and writes
-- what is so. For a store in which a release has worked that did not write it. Flag allow-oom.
--
-- KEYS  the ten keys of one partition, see lib/context.lua
-- ARGV  [1] limits  [2] "stock", then, until it is through, "written"  [3] cursor, "0" at first  [4] how many to look
--       at, roughly
-- Reply MessagePack [next cursor ("0" at the end), by how many units what was written was wrong, whether it was
--         complete before]
--
-- At the end of "written" the field lacking_known of the hash meta says that what is written is complete.

local PREFIX = lacking.name_of('')

-- What the record of a place lacks; none where it is gone or cannot be read, which the audit reports.
local function lacks_of(packed_record)
  local is_readable, units = pcall(function() return lacks(stock_record(packed_record)) end)
  return is_readable and units or 0
end

-- The places of a slice of the stock that lack units, as lacking.set takes them.
local function short_places(found)
  local fields, units = {}, {}
  for i = 1, #found, 2 do
    local short = lacks_of(found[i + 1])
    if short > 0 then fields[#fields + 1], units[#units + 1] = found[i], short end
  end
  return fields, units
end

-- The places of a slice of meta, with what they lack by their records.
local function written_places(found)
  local fields, units = {}, {}
  for i = 1, #found, 2 do
    if found[i]:sub(1, #PREFIX) == PREFIX then fields[#fields + 1] = found[i]:sub(#PREFIX + 1) end
  end
  local packed_records = hash_get_many(STOCK, fields)
  for i = 1, #fields do units[i] = packed_records[i] and lacks_of(packed_records[i]) or 0 end
  return fields, units
end

local function recount_lacking(args)
  local is_stock, was_known = args[2] == 'stock', call('HGET', META, 'lacking_known')
  local page = call('HSCAN', is_stock and STOCK or META, args[3], 'COUNT', args[4])
  local places = is_stock and short_places or written_places
  local moved = lacking.set(places(page[2]))
  if page[1] == '0' and not is_stock and not was_known then call('HSET', META, 'lacking_known', 1) end
  return pack({page[1], moved, was_known and true or false})
end

-- The third argument is not the number of a call: the reply is one value.
register('recount_lacking', recount_lacking, {'allow-oom'})
