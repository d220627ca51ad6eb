-- read_outlook: reads the available units of a SKU and its expected receipts at one moment, since a receipt that came
-- between two reads would be counted twice. Flag no-writes.
--
-- KEYS  the ten keys of one partition, see lib/context.lua, then [11] supply  [12] supply_skus, see
--       mutate_expected_receipts.lua
-- ARGV  [1] limits  [2] MessagePack [sku, location or "" for all]
-- Reply MessagePack [now_ms, [[location, available, seq, units that lines wait for], …], [[receipt id, record], …]]

local function available_at(sku, wanted)
  local packed_names, levels = call('HGET', SKUS, sku), {}
  for _, location in ipairs(packed_names and unpack_msg(packed_names) or NONE) do
    if wanted == '' or wanted == location then
      local entry = stock_entry(sku, location)
      local left = allocated and allocations.left(entry, nil) or entry.available
      local backorder = entry.record[Stock.backorder]
      levels[#levels + 1] = {location, left, entry.record[Stock.seq], backorder and backorder[Backorder.waiting] or 0}
    end
  end
  return levels
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
  return pack({NOW_MS, available_at(sku, wanted), expected})
end

register('read_outlook', read_outlook, {'no-writes'})
