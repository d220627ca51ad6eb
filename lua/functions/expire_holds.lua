-- expire_holds: ends holds whose deadline has passed, the longest overdue first. Called by the sweeper. Flag allow-oom.
--
-- KEYS  the ten keys of one partition, see lib/context.lua, and [11] backorders
-- ARGV  [1] limits (MessagePack); expire_max bounds how many holds one call ends
-- Reply MessagePack: [more, [lateness_ms, …]] or [more, [lateness_ms, …], unfilled]
--         more        whether holds remain that are due now
--         lateness_ms for each hold ended: now minus its deadline
--         unfilled    more waited for units than a call could fill: call fill, with this

local function expire_holds()
  local lateness_ms = expire_due()
  write()
  return pack({more_are_due, lateness_ms, tonumber(call('HGET', META, 'unfilled') or nil)})
end

register('expire_holds', expire_holds, {'allow-oom'}, true)
