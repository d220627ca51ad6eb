-- mutate_noting: runs a batch of operations on reservations with what is kept of channels' orders, see
-- lib/order_notes.lua. They need memory: a full store refuses them.
--
-- KEYS  the ten keys of one partition, see lib/context.lua, then [11] tombstones  [12] likeness  [13] orders
--       [14] backorders
-- ARGV  [1] limits  [2] operations, their fields as MessagePack values one after the other, see lib/batch.lua
-- Reply for each operation, in order, its answer in MessagePack, see lib/answers.lua

register('mutate_noting', order_notes.run, {}, true)
