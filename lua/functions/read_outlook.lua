-- read_outlook: reads the available units of a SKU and its expected receipts at one moment, since a receipt that came
-- between two reads would be counted twice. Flag no-writes.
--
-- KEYS  the ten keys of one partition, see lib/context.lua, then [11] supply  [12] supply_skus, see
--       mutate_expected_receipts.lua
-- ARGV  [1] limits  [2] MessagePack [sku, location or "" for all]
-- Reply MessagePack [now_ms, [[location, available, seq, units that lines wait for], …], [[receipt id, record], …],
--       [location, …]: those that are closed, where nothing is available, see lib/places.lua]

local function available_at(sku, wanted)
  local packed_names, levels = call('HGET', SKUS, sku), {}
  for _, location in ipairs(packed_names and unpack_msg(packed_names) or NONE) do
    if wanted == '' or wanted == location then
      local entry = stock_entry(sku, location)
      local backorder = entry.record[Stock.backorder]
      local waiting = backorder and backorder[Backorder.waiting] or 0
      levels[#levels + 1] = {location, shown_units(entry, nil), entry.record[Stock.seq], waiting}
    end
  end
  return levels
end

-- The closed locations of levels and expected receipts; one can be named twice.
local function closed_of(levels, expected)
  local closed, found = places_now().closed or NONE, {}
  for _, level in ipairs(levels) do
    if closed[level[1]] then found[#found + 1] = level[1] end
  end
  for _, receipt in ipairs(expected) do
    local location = receipt[2][Receipt.location]
    if closed[location] then found[#found + 1] = location end
  end
  return found
end

local function read_outlook(args, keys)
  local question = unpack_msg(args[2])
  local sku, wanted = unpack(question)
  local packed_ids, expected = call('HGET', keys[12], sku), {}
  local ids = packed_ids and unpack_msg(packed_ids) or NONE
  for i, packed_record in ipairs(hash_get_many(keys[11], ids)) do
    local record = packed_record and unpack_msg(packed_record)
    if record and (wanted == '' or wanted == record[Receipt.location]) then
      expected[#expected + 1] = {ids[i], record}
    end
  end
  local levels = available_at(sku, wanted)
  return pack({NOW_MS, levels, expected, closed_of(levels, expected)})
end

register('read_outlook', read_outlook, {'no-writes'})
