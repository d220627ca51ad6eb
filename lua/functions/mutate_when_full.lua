-- mutate_when_full: runs a batch of operations on reservations that exist. Each of them frees memory or needs next to
-- none, so a full store runs them, too. Flag allow-oom.
--
-- KEYS  the ten keys of one partition, see lib/context.lua, then [11] tombstones  [12] backorders
-- ARGV  [1] limits  [2] operations, their fields as MessagePack values one after the other, see lib/batch.lua
-- Reply for each operation, in order, its answer in MessagePack, see lib/answers.lua

register('mutate_when_full', function(args, keys)
  tombstones.key = keys[11]
  return run(args)
end, {'allow-oom'}, true)
