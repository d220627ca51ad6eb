-- mutate_transfers: runs a batch of operations on transfers, which move units between locations in two steps.
--
-- KEYS  the ten keys of one partition, see lib/context.lua, and
--       [11] transfers         hash  id -> record: those in transit, see lib/transfers.lua
--       [12] transfers_closed  hash  id -> record: the others, until they are purged
--       [13] likeness          hash  see lib/likeness.lua
--       [14] backorders        zset  see lib/backorders.lua
-- ARGV  [1] limits  [2] operations, their fields as MessagePack values one after the other, see lib/batch.lua
-- Reply for each operation, in order, its answer in MessagePack, see lib/answers.lua and lib/transfers.lua

local function write_transfers(open_key, closed_key)
  for _, document in ipairs(changed_transfers) do
    local id, packed_record = document.id, pack(document.record)
    if document.record[Transfer.state] == 'in_transit' then
      call('HSET', open_key, id, packed_record)
    else
      call('HSET', closed_key, id, packed_record)
      if document.was_open then call('HDEL', open_key, id) end
      call('ZADD', FORGET, NOW_MS + LIMITS.fulfilled_ms, 't' .. id)
    end
  end
  if in_transit_delta ~= 0 then call('HINCRBY', META, 'in_transit', in_transit_delta) end
end

local function mutate_transfers(args, keys)
  likeness.begin(keys[13])
  local answers = run(args, function(fields) load_transfers(fields, keys[11], keys[12]) end)
  write_transfers(keys[11], keys[12])
  likeness.write()
  return answers
end

register('mutate_transfers', mutate_transfers, {}, true)
