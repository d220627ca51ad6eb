-- mutate: runs a batch of operations that need memory: they add promises, stock or keys. A full store refuses them whole.
--
-- KEYS  the ten keys of one partition, see lib/context.lua, and [11] backorders
-- ARGV  [1] limits, [2] operations; both MessagePack, see lib/context.lua and lib/batch.lua
-- Reply for each operation, in order, its answer in MessagePack

register('mutate', function(args) return run(args) end, {}, true)
