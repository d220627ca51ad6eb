-- The last changes of on_hand at each (SKU, location), so that a count can be set against the moment it began.
--
-- Flat: [floor, seq, on_hand before, seq, on_hand before, …], oldest first; floor is the seq of the last one dropped.
-- A person counts for minutes: a place where more changes than these happen meanwhile has to be counted again.

local on_hand_at, write_on_hand_log

do

local ON_HAND_LOG_MAX = 200 -- changes

local function read_on_hand_log(entry)
  local packed = call('HGET', ON_HAND_LOG, entry.field)
  local log = packed and unpack_msg(packed) or {0}
  for _, value in ipairs(entry.on_hand_changes or {}) do log[#log + 1] = value end
  return log
end

-- What on_hand was when seq was the newest, or nil if that is too long ago.
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
