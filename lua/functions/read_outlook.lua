-- read_outlook: reads what is available of a SKU together with what is still to come, at one moment: a receipt between two
-- reads would count twice. Flag no-writes.
--
-- KEYS  the twelve keys of supply.lua
-- ARGV  [1] limits, [2] MessagePack [sku, location or "": all]
-- Reply MessagePack [now_ms, [[location, available, seq, how many units are waited for], …], [[supply id, record], …]]

local function available_at(sku, wanted)
  local packed_names, levels = call('HGET', SKUS, sku), {}
  for _, location in ipairs(packed_names and unpack_msg(packed_names) or NONE) do
    if wanted == '' or wanted == location then
      local entry = stock_entry(sku, location)
      local left, backorder = allocated and allocations.left(entry, nil) or entry.available, entry.record[Stock.backorder]
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
    if record and (wanted == '' or wanted == record[Receipt.location]) then expected[#expected + 1] = {ids[i], record} end
  end
  return pack({NOW_MS, available_at(sku, wanted), expected})
end

register('read_outlook', read_outlook, {'no-writes'})
