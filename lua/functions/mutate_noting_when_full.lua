-- mutate_noting_when_full: as mutate_noting, for operations that free memory or need next to none, so a full store runs
-- them, too. Flag allow-oom.
--
-- KEYS  the ten keys of one partition, see lib/context.lua, then [11] tombstones  [12] likeness  [13] orders
--       [14] backorders
-- ARGV  [1] limits  [2] operations, their fields as MessagePack values one after the other, see lib/batch.lua
-- Reply for each operation, in order, its answer in MessagePack, see lib/answers.lua

register('mutate_noting_when_full', order_notes.run, {'allow-oom'}, true)
