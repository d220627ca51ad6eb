-- expire_holds: ends holds whose deadline has passed, the longest overdue first. Called by maintenance. Flag allow-oom.
--
-- KEYS  the ten keys of one partition, see lib/context.lua, then [11] tombstones  [12] backorders
-- ARGV  [1] limits; its expire_max bounds how many holds one call ends, lib/work.lua how many lines
-- Reply MessagePack [more, [lateness_ms, …]] or [more, [lateness_ms, …], unfilled]
--         more         whether other holds are due now
--         lateness_ms  for each hold that was ended: now minus its deadline
--         unfilled     units are left for lines that wait: call fill_backorders with this value

local function expire_holds()
  local lateness_ms = expire_due(work.lines_max())
  write()
  return pack({more_are_due, lateness_ms, tonumber(call('HGET', META, 'unfilled') or nil)})
end

register('expire_holds', expire_holds, {'allow-oom'}, true)
