-- The last changes of on_hand at each (SKU, location), so that a count refers to the moment at which it began.
--
-- Flat: [floor, seq, on_hand before, seq, on_hand before, …], the oldest first. floor: seq of the last change dropped.
-- A count takes minutes. A location where more changes than these happen meanwhile has to be counted again.
--
-- entry.on_hand_changes: the changes of this call in the same form, without floor.

local on_hand_at, write_on_hand_log

do

local ON_HAND_LOG_MAX = 200 -- changes
local EMPTY = '\145\0' -- in MessagePack: nothing was dropped, floor 0

-- The log of an entry with the changes of this call at its end.
local function read_on_hand_log(entry)
  local packed = call('HGET', ON_HAND_LOG, entry.came_from or entry.field)
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

-- The log, packed, with changes at its end.
local function appended(log, changes)
  local count, from = packed_lists.measured(log)
  return array_of(count + #changes) .. log:sub(from + 1) .. pack(unpack(changes))
end

-- The log without its first `drop` changes, packed like it. What stays of it stays packed: an order of 200 lines has as
-- many logs, and to unpack one takes as long as all else that is done with its line.
local function without_oldest(log, drop)
  local count, from = packed_lists.measured(log)
  local values = {unpack_some(log, 2 * drop + 1, from)} -- behind the first, which says where the next one begins
  local rest = values[1] > 0 and log:sub(values[1] + 1) or ''
  return array_of(count - 2 * drop) .. pack(values[2 * drop + 1]) .. rest
end

-- Writes the log of an entry, without its oldest changes beyond ON_HAND_LOG_MAX.
function write_on_hand_log(entry)
  local log = appended(call('HGET', ON_HAND_LOG, entry.field) or EMPTY, entry.on_hand_changes)
  local drop = (packed_lists.length(log) - 1) / 2 - ON_HAND_LOG_MAX
  call('HSET', ON_HAND_LOG, entry.field, drop > 0 and without_oldest(log, drop) or log)
end

end
