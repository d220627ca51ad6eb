-- mutate: runs a batch of operations that need memory: they add promises, stock or keys. A full store refuses them whole.
--
-- KEYS  the ten keys of one partition, see lib/context.lua, and [11] backorders
-- ARGV  [1] limits, [2] operations; both MessagePack, see lib/context.lua and lib/batch.lua
-- Reply for each operation, in order, its answer in MessagePack

local TAKE = {
  reserve = reserve, order = order, receive = receive, adjust = adjust, count = count, move = move_between,
  ['return'] = take_back, relocate = relocate, backorder = set_backorder, exchange = exchange, bind = bind_lines,
  allocate = allocate, allocate_move = allocate_move,
  commit = commit, fulfil = fulfil, -- those behind a bind: what they move may add lines
}

local function mutate(args)
  return run(TAKE, args)
end
