-- mutate: runs a batch of operations that need memory: they add reservations or keys. A full store refuses it.
--
-- KEYS  the ten keys of one partition, see lib/context.lua, then [11] tombstones  [12] backorders
-- ARGV  [1] limits  [2] operations, their fields as MessagePack values one after the other, see lib/batch.lua
-- Reply for each operation, in order, its answer in MessagePack, see lib/answers.lua

register('mutate', function(args, keys, fields)
  tombstones.key = keys[11]
  return run(args, nil, false, fields)
end, {}, true, short_way)
