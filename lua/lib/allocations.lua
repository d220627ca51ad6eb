-- What channels have of a (SKU, location) for themselves: units of their own, which nobody else may be promised, or a cap
-- on what they may take from the common pool.
--
-- allotments: [[channel, kind, units, used], …], the eighth value of a stock record, where there are any
--   kind   "own" or "cap"
--   units  how many the channel has in all; what it ships is used up, and no longer among them
--   used   units of its live promises here, held and committed: always their sum, see operations/allocate.lua
-- units - used is what it may still be promised of them; of own units that is set aside, so that others may not.
--
-- What is available in a stock entry, in the journal and in a shortage takes no notice of any of this: a shortage is a
-- promise that cannot be kept, and what is set aside is a plan. Where there is less than was set aside, the common pool
-- has nothing, and the channels share what is there, first come, first served.
--
-- allotted (lib/context.lua) says whether any record that the call has read has allotments, so that a call without pays
-- one look at a variable. server/domain/allocations.py says the same in Python.

local ALLOTMENTS = 8 -- its place in a stock record; nil or false: none

local allotments = {ALLOTTED_TO = 1, KIND = 2, UNITS = 3, USED = 4} -- places in one of them

do

local ALLOTTED_TO, ALLOTMENT_KIND = allotments.ALLOTTED_TO, allotments.KIND
local ALLOTMENT_UNITS, ALLOTMENT_USED = allotments.UNITS, allotments.USED

-- What a channel may still be promised of an allotment.
function allotments.rest(allotment)
  return max(0, allotment[ALLOTMENT_UNITS] - allotment[ALLOTMENT_USED])
end

-- A channel's allotment and its place among them, or nil.
function allotments.find(record, channel)
  for place, allotment in ipairs(record[ALLOTMENTS] or NONE) do
    if allotment[ALLOTTED_TO] == channel then return allotment, place end
  end
  return nil
end

-- What a channel may be promised of an entry (nil: what everybody may), and its cap without regard to which that is.
-- waiting: units of the common pool that are for others, who wait for them.
local function reach(entry, channel, waiting)
  local free, list = entry.available, entry.record and entry.record[ALLOTMENTS]
  if not list or free <= 0 then return free - waiting end
  local own, others, cap = 0, 0, nil
  for i = 1, #list do
    local allotment = list[i]
    local rest, is_mine = allotments.rest(allotment), allotment[ALLOTTED_TO] == channel
    if allotment[ALLOTMENT_KIND] == 'cap' then
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
function allotments.left(entry, channel, waiting)
  local left, cap = reach(entry, channel, waiting or 0)
  return cap and min(cap, left) or left
end

-- What one who waits is given of an entry. That goes by what is in the common pool: without anything there, he waits on.
-- His channel's own units are his as well then, for promises use those first. No cap: it was asked when he began to wait.
function allotments.common(entry)
  return (reach(entry, nil, 0))
end

function allotments.for_waiting(entry, channel)
  return (reach(entry, channel, 0))
end

-- Whether lines, see lib/availability_check.lua, ask for more than a cap leaves their channel.
function allotments.is_capped(lines, channel)
  local asked = {}
  for _, line in ipairs(lines) do
    local entry = line[4]
    local allotment = allotments.find(entry.record, channel)
    asked[entry] = (asked[entry] or 0) + line[3]
    if allotment and allotment[ALLOTMENT_KIND] == 'cap' and asked[entry] > allotments.rest(allotment) then return true end
  end
  return false
end

-- Keeps the allotment of a channel in step with its promises. promised: by how many units those grow; on_hand: by how
-- many units the stock does, which is negative for what is shipped.
function allotments.follow(record, channel, promised, on_hand)
  local allotment = allotments.find(record, channel)
  if not allotment then return end
  allotment[ALLOTMENT_USED] = allotment[ALLOTMENT_USED] + promised
  if on_hand < 0 then allotment[ALLOTMENT_UNITS] = max(0, allotment[ALLOTMENT_UNITS] + on_hand) end
end

-- A copy for the journal: later operations of the call may change the record before it is packed. nil: none.
function allotments.copy(record)
  local list = record[ALLOTMENTS]
  if not list then return nil end
  local copied = {}
  for i = 1, #list do
    local allotment = list[i]
    copied[i] = {allotment[1], allotment[2], allotment[3], allotment[4]}
  end
  return copied
end

-- Puts them into the last of the journal lines, where there are any.
function allotments.tell(record, journal_lines)
  local told = journal_lines[#journal_lines]
  local copied = allotments.copy(record)
  if copied then told[12], told[13], told[14] = 0, 0, copied end
end

end
