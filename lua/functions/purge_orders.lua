-- purge_orders: deletes the records of channels' orders that were not touched for long, in slices. Flag allow-oom.
--
-- KEYS  [1] orders
-- ARGV  [1] where to begin: "0", or what the call before returned  [2] how many records to look at, about
--       [3] touched before this (ms): a record goes  [4] the same of one that intake has not made
-- Reply [where to go on, "0": that were all, how many went]

local HEAD_BYTES, HEAD_FIELDS, POSTED = 1, 4, 'posted'

local function purge_orders(keys, args)
  local page = call('HSCAN', keys[1], args[1], 'COUNT', args[2])
  local pairs_, gone = page[2], {}
  for i = 1, #pairs_, 2 do
    local _, _, state, _, touched_ms = unpack_some(pairs_[i + 1], HEAD_FIELDS, HEAD_BYTES)
    local before_ms = tonumber(state == POSTED and args[4] or args[3])
    if touched_ms < before_ms then gone[#gone + 1] = pairs_[i] end
  end
  flush('HDEL', keys[1], gone)
  return {page[1], #gone}
end

register_apart('purge_orders', purge_orders)
