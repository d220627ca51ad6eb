-- What channels have of a (SKU, location) for themselves: units of their own, which nobody else may be promised, or a cap
-- on what they may take from the common pool.
--
-- allocations: [[channel, kind, units, used], …], the eighth value of a stock record, where there are any
--   kind   "own" or "cap"
--   units  how many the channel has in all; what it ships is used up, and no longer among them
--   used   units of its live promises here, held and committed: always their sum, see operations/allocate.lua
-- units - used is what it may still be promised of them; of own units that is set aside, so that others may not.
--
-- What is available in a stock entry, in the journal and in a shortage takes no notice of any of this: a shortage is a
-- promise that cannot be kept, and what is set aside is a plan. Where there is less than was set aside, the common pool
-- has nothing, and the channels share what is there, first come, first served.
--
-- allocated (lib/context.lua) says whether any record that the call has read has allocations, so that a call without pays
-- one look at a variable. server/domain/allocations.py says the same in Python.

local allocations = {}

do

-- What a channel may still be promised of an allocation.
function allocations.rest(allocation)
  return max(0, allocation[Allocation.units] - allocation[Allocation.used])
end

-- A channel's allocation and its place among them, or nil.
function allocations.find(record, channel)
  for place, allocation in ipairs(record[Stock.allocations] or NONE) do
    if allocation[Allocation.channel] == channel then return allocation, place end
  end
  return nil
end

-- What a channel may be promised of an entry (nil: what everybody may), and its cap without regard to which that is.
-- waiting: units of the common pool that are for others, who wait for them.
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

-- What a channel may be promised of an entry; nil: what everybody may. waiting: as above, or nil.
function allocations.left(entry, channel, waiting)
  local left, cap = reach(entry, channel, waiting or 0)
  return cap and min(cap, left) or left
end

-- What one who waits is given of an entry. That goes by what is in the common pool: without anything there, he waits on.
-- His channel's own units are his as well then, for promises use those first. No cap: it was asked when he began to wait.
function allocations.common(entry)
  return (reach(entry, nil, 0))
end

function allocations.for_waiting(entry, channel)
  return (reach(entry, channel, 0))
end

-- Whether lines, see lib/availability_check.lua, ask for more than a cap leaves their channel.
function allocations.is_capped(lines, channel)
  local asked = {}
  for _, line in ipairs(lines) do
    local entry = line.entry
    local allocation = allocations.find(entry.record, channel)
    asked[entry] = (asked[entry] or 0) + line.units
    if allocation and allocation[Allocation.kind] == 'cap' and asked[entry] > allocations.rest(allocation) then return true end
  end
  return false
end

-- Keeps the allocation of a channel in step with its promises. promised: by how many units those grow; on_hand: by how
-- many units the stock does, which is negative for what is shipped.
function allocations.follow(record, channel, promised, on_hand)
  local allocation = allocations.find(record, channel)
  if not allocation then return end
  allocation[Allocation.used] = allocation[Allocation.used] + promised
  if on_hand < 0 then allocation[Allocation.units] = max(0, allocation[Allocation.units] + on_hand) end
end

-- A copy for the journal: later operations of the call may change the record before it is packed. nil: none.
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

-- Puts them into the last of the journal lines, where there are any.
function allocations.tell(record, journal_lines)
  local told = journal_lines[#journal_lines]
  local copied = allocations.copy(record)
  if not copied then return end
  told[ChangeLine.d_waiting], told[ChangeLine.d_owed], told[ChangeLine.allocations] = 0, 0, copied
end

end
