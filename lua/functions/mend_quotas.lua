-- mend_quotas: corrects counters of lib/quotas.lua that an audit found to be wrong, as after a release has worked on
-- the store that does not count. Flag allow-oom.
--
-- KEYS  the ten keys of one partition, see lib/context.lua
-- ARGV  [1] limits  [2] MessagePack {name of a counter -> by how many units it is to grow}
-- Reply how many were changed
--
-- What was wrong at a moment is wrong by as much later, for each change counts alike on both sides.

local function mend_quotas(args)
  local kept, gone, count = {}, {}, 0
  for name, delta in pairs(unpack_msg(args[2])) do
    local units = max(0, tonumber(call('HGET', META, name) or 0) + delta)
    if units > 0 then push(kept, name, string.format('%.0f', units)) else gone[#gone + 1] = name end
    count = count + 1
  end
  flush('HSET', META, kept)
  flush('HDEL', META, gone)
  return count
end

-- The third argument is not the number of a call: the reply is one value.
register('mend_quotas', mend_quotas, {'allow-oom'})
