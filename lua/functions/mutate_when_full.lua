-- mutate_when_full: runs a batch of operations on promises that exist. A full store must still let go, hence its flag allow-oom:
-- each of them gives memory back or takes next to none.
--
-- KEYS  the ten keys of one partition, see lib/context.lua, and [11] backorders
-- ARGV  [1] limits, [2] operations; both MessagePack, see lib/context.lua and lib/batch.lua
-- Reply for each operation, in order, its answer in MessagePack

local SETTLE = {extend = extend, commit = commit, release = release, cancel = cancel, fulfil = fulfil}

local function mutate_when_full(args)
  return run(SETTLE, args)
end
