-- The last changes of on_hand at each (SKU, location), so that a count refers to the moment at which it began.
--
-- Flat: [floor, seq, on_hand before, seq, on_hand before, …], the oldest first. floor: seq of the last change dropped.
-- A count takes minutes. A location where more changes than these happen meanwhile has to be counted again.
--
-- entry.on_hand_changes: the changes of this call in the same form, without floor.

local on_hand_at, write_on_hand_log

do

local ON_HAND_LOG_MAX = 200 -- changes

-- The log of an entry with the changes of this call at its end.
local function read_on_hand_log(entry)
  local packed = call('HGET', ON_HAND_LOG, entry.field)
  local log = packed and unpack_msg(packed) or {0} -- nothing was dropped: floor 0
  for _, value in ipairs(entry.on_hand_changes or {}) do log[#log + 1] = value end
  return log
end

-- on_hand when seq was the newest of the record, or nil where that was before floor.
function on_hand_at(entry, seq)
  local record = entry.record
  if seq >= record[Stock.seq] then return record[Stock.on_hand] end
  local log = read_on_hand_log(entry)
  if seq < log[1] then return nil end
  for i = 2, #log, 2 do
    if log[i] > seq then return log[i + 1] end
  end
  return record[Stock.on_hand]
end

-- Writes the log of an entry, without its oldest changes beyond ON_HAND_LOG_MAX.
function write_on_hand_log(entry)
  local log = read_on_hand_log(entry)
  local drop = (#log - 1) / 2 - ON_HAND_LOG_MAX
  if drop > 0 then
    local kept = {log[2 * drop]}
    for i = 2 * drop + 2, #log do kept[#kept + 1] = log[i] end
    log = kept
  end
  call('HSET', ON_HAND_LOG, entry.field, pack(log))
end

end
