-- Allocations of channels at a (SKU, location): units of their own, which no other channel can reserve, or a cap on the
-- units that they can reserve of the common pool.
--
-- allocations: [[channel, kind, units, used], …], the eighth value of a stock record, where there are any
--   kind   "own" or "cap"
--   units  how many the channel has in all; units that it ships are subtracted
--   used   units of its live reservations here, held and committed; always their sum, see operations/allocate.lua
-- units - used, at least 0, is its rest: what the channel can still reserve of them. That of own units is set aside.
--
-- available of a stock entry, in the journal and in a shortage, disregards allocations: a shortage is a reservation
-- that cannot be shipped, and units set aside are a plan. Where fewer units are available than are set aside, the
-- common pool is empty, and the channels share the units, first come, first served.
--
-- allocated (lib/context.lua): whether any record that the call has read has allocations, so that a call without
-- them looks at one variable. server/domain/allocations.py is the same arithmetic in Python.

local allocations = {}

do

-- The units of an allocation that its channel can still reserve.
function allocations.rest(allocation)
  return max(0, allocation[Allocation.units] - allocation[Allocation.used])
end

-- A channel's allocation and its place in the list, or nil.
function allocations.find(record, channel)
  for place, allocation in ipairs(record[Stock.allocations] or NONE) do
    if allocation[Allocation.channel] == channel then return allocation, place end
  end
  return nil
end

-- The units of an entry that a channel (nil: one without an allocation) can reserve before its cap, and the rest of its
-- cap, or nil. waiting: units of the common pool that are kept for lines that wait.
local function reach(entry, channel, waiting)
  local free, list = entry.available, entry.record and entry.record[Stock.allocations]
  if not list or free <= 0 then return free - waiting end
  local own, others, cap = 0, 0, nil
  for i = 1, #list do
    local allocation = list[i]
    local rest, is_mine = allocations.rest(allocation), allocation[Allocation.channel] == channel
    if allocation[Allocation.kind] == 'cap' then
      if is_mine then cap = rest end
    elseif is_mine then
      own = rest
    else
      others = others + rest
    end
  end
  return max(free - others - waiting, min(own, free), 0), cap
end

-- The units of an entry that a channel (nil: one without an allocation) can reserve. waiting: as above, or nil.
function allocations.left(entry, channel, waiting)
  local left, cap = reach(entry, channel, waiting or 0)
  return cap and min(cap, left) or left
end

-- The units of an entry in the common pool: lines that wait are filled only while there are any.
function allocations.common(entry)
  return (reach(entry, nil, 0))
end

-- The units of an entry for a line that waits: those of the common pool and its channel's own. A cap was checked when
-- the line began to wait.
function allocations.left_for_backorder(entry, channel)
  return (reach(entry, channel, 0))
end

-- Whether lines, see lib/availability_check.lua, request more units than the rest of their channel's cap.
function allocations.is_capped(lines, channel)
  local asked = {}
  for _, line in ipairs(lines) do
    local entry = line.entry
    local allocation = allocations.find(entry.record, channel)
    asked[entry] = (asked[entry] or 0) + line.units
    local is_cap = allocation and allocation[Allocation.kind] == 'cap'
    if is_cap and asked[entry] > allocations.rest(allocation) then return true end
  end
  return false
end

-- Updates a channel's allocation when its reservations change. reserved: units by which they grow; on_hand: units by
-- which on_hand grows, negative where units are shipped.
function allocations.follow(record, channel, reserved, on_hand)
  local allocation = allocations.find(record, channel)
  if not allocation then return end
  allocation[Allocation.used] = allocation[Allocation.used] + reserved
  if on_hand < 0 then allocation[Allocation.units] = max(0, allocation[Allocation.units] + on_hand) end
end

-- A copy of a record's allocations for the journal, or nil: later operations of the call may change the record before
-- the entry is packed.
function allocations.copy(record)
  local list = record[Stock.allocations]
  if not list then return nil end
  local copied = {}
  for i = 1, #list do
    local allocation = list[i]
    copied[i] = {
      allocation[Allocation.channel], allocation[Allocation.kind], allocation[Allocation.units],
      allocation[Allocation.used],
    }
  end
  return copied
end

-- Adds the allocations, where there are any, to the last of the journal lines.
function allocations.add_to_journal_line(record, journal_lines)
  local line = journal_lines[#journal_lines]
  local copied = allocations.copy(record)
  if not copied then return end
  line[ChangeLine.d_waiting], line[ChangeLine.d_owed], line[ChangeLine.allocations] = 0, 0, copied
end

end
