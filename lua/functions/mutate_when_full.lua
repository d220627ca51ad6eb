-- mutate_when_full: runs a batch of operations on reservations that exist. A full store must still let go, hence its flag
-- allow-oom: each of them gives memory back or takes next to none.
--
-- KEYS  the ten keys of one partition, see lib/context.lua, and [11] backorders
-- ARGV  [1] limits, [2] operations; both MessagePack, see lib/context.lua and lib/batch.lua
-- Reply for each operation, in order, its answer in MessagePack

register('mutate_when_full', function(args) return run(args) end, {'allow-oom'}, true)
