-- mutate_creating: runs a batch of operations that may make stock records, and with them names that were not known.
--
-- KEYS  the ten keys of one partition, see lib/context.lua, and [11] likeness, see lib/likeness.lua, [12] backorders
-- ARGV  [1] limits  [2] operations, their fields as MessagePack values one after the other, see lib/batch.lua
-- Reply for each operation, in order, its answer in MessagePack, see lib/answers.lua

local function mutate_creating(args, keys)
  likeness.begin(keys[11])
  local answers = run(args)
  likeness.write()
  return answers
end

register('mutate_creating', mutate_creating, {}, true)
