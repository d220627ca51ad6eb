-- Allocations of channels at a (SKU, location): units of their own, which no other channel can reserve, or a cap on the
-- units that they can reserve of the common pool.
--
-- allocations: [[channel, kind, units, used], …], the eighth value of a stock record, where there are any
--   kind   "own" or "cap"
--   units  how many the channel has in all; units that it ships are subtracted
--   used   units of its live reservations here, held and committed; always their sum, see operations/allocate.lua
-- units - used, at least 0, is its rest: what the channel can still reserve of them. That of own units is set aside.
--
-- The list stays packed: a sale changes one allocation of up to 32, and to unpack, copy and pack all of them takes ten
-- times as long as the sale. So Stock.allocations of a record in memory is a string, MessagePack as it is stored.
--
-- available of a stock entry, in the journal and in a shortage, disregards allocations: a shortage is a reservation
-- that cannot be shipped, and units set aside are a plan. Where fewer units are available than are set aside, the
-- common pool is empty, and the channels share the units, first come, first served.
--
-- allocated (lib/context.lua): whether any record that the call has read has allocations, so that a call without
-- them looks at one variable. server/domain/allocations.py is the same arithmetic in Python.

do

local VALUES = 4 -- of one allocation
-- How an allocation begins in MessagePack, before its channel; and its kind, behind the channel.
local HEAD, KINDS = '\148', {'\163own', '\163cap'}
-- Places of the level in an answer, and of the allocations in a level: behind SKU and location.
local STOCK_CHANGED_LEVEL, IN_LEVEL = 3, 2 + Stock.allocations
local BEHIND_HEAD = 1 -- the place, in bytes counted from 0, of its first value, counted from its head
-- How a backorder rule begins, and what stands behind the channel of an allocation, but never behind a rule's mode.
local RULES, FALSE = {'\148\169backorder', '\148\168preorder'}, 194
-- So many allocations take as long as one line.
local PER_LINE = 12

local set_aside = {} -- list -> units set aside, of the lists of this call that were looked through

function allocations.begin()
  if next(set_aside) then set_aside = {} end
end

-- The place (from 1) in a packed record at which its backorder rule begins, its last value. The same bytes may stand in
-- the name of a channel, but then they are not followed by the last three values of the record.
local function place_of_rule(packed_record, from)
  for _, head in ipairs(RULES) do
    local first = packed_record:find(head, from, true)
    while first do
      local is_read, behind = pcall(unpack_some, packed_record, VALUES, first)
      if is_read and behind == -1 then return first end
      first = packed_record:find(head, first + 1, true)
    end
  end
  return nil
end

-- Adds to a record what stands behind its first seven values. at: how many bytes these have.
function allocations.add_rest(record, packed_record, at)
  local first, rule_at = at + 1, nil
  if packed_record:byte(first) == FALSE then
    record[Stock.allocations], rule_at = false, first + 1
    if rule_at > #packed_record then return end
  else
    rule_at = #record < packed_lists.measured(packed_record) - 1 and place_of_rule(packed_record, first) or nil
    record[Stock.allocations] = packed_record:sub(first, rule_at and rule_at - 1)
    allocated = true
  end
  if not rule_at then return end
  local _, rule = unpack_some(packed_record, 1, rule_at - 1)
  record[Stock.backorder] = rule
end

-- A record with allocations, packed.
function allocations.packed_record(record)
  local rule = record[Stock.backorder]
  return array_of(rule and Stock.backorder or Stock.allocations) .. pack(unpack(record, 1, Stock.seq))
    .. record[Stock.allocations] .. (rule and pack(rule) or '')
end

-- The allocations of a record as a table; false or nil: it has none.
function allocations.unpacked(record)
  local list = record[Stock.allocations]
  return list and unpack_msg(list)
end

-- A level, see stock_level in lib/stock.lua, with its allocations as a table.
function allocations.unpacked_level(level)
  local list = level[IN_LEVEL]
  level[IN_LEVEL] = list and unpack_msg(list)
  return level
end

-- An answer of any shape, packed.
function allocations.packed_answer(result)
  local level = result[1] == 'stock_changed' and result[STOCK_CHANGED_LEVEL]
  local list = level and level[IN_LEVEL]
  if not list then return pack(result) end
  local rule = level[IN_LEVEL + 1]
  return array_of(#result) .. pack(result[1], result[2]) .. array_of(rule and IN_LEVEL + 1 or IN_LEVEL)
    .. pack(unpack(level, 1, IN_LEVEL - 1)) .. list .. (rule and pack(rule) or '')
end

-- How many lines of work the allocations of an entry are, beside its own.
function allocations.weight(entry)
  local list = entry.record and entry.record[Stock.allocations]
  return list and floor(packed_lists.length(list) / PER_LINE) or 0
end

-- Where the allocation of a channel begins in a list (from 1), what its kind is, and in which place its units stand
-- (counted from 0); nil: it has none. The head of a value is no byte with which a character can go on, so the same
-- bytes are found nowhere else.
local function place_of(list, channel)
  local head = HEAD .. (string_of[#channel] .. channel)
  for i = 1, #KINDS do
    local first = list:find(head .. KINDS[i], 1, true)
    if first then return first, KINDS[i]:sub(2), first - 1 + #head + #KINDS[i] end
  end
  return nil
end

-- The kind, units and used of a channel's allocation, or nil.
local function of_channel(list, channel)
  if not channel then return nil end
  local first, kind, at = place_of(list, channel)
  if not first then return nil end
  local _, units, used = unpack_some(list, 2, at)
  return kind, units, used
end

-- The units of an allocation that its channel can still reserve.
function allocations.rest(allocation)
  return max(0, allocation[Allocation.units] - allocation[Allocation.used])
end

-- A channel's allocation, or nil.
function allocations.find(record, channel)
  local list = record[Stock.allocations]
  if not list then return nil end
  local kind, units, used = of_channel(list, channel)
  return kind and {channel, kind, units, used} or nil
end

-- The units of a list that are set aside for all channels together. Of each list it is looked through once.
local function units_set_aside(list)
  local known = set_aside[list]
  if known then return known end
  local count, at = packed_lists.measured(list)
  local sum, _, kind, units, used = 0, nil, nil, nil, nil
  for _ = 1, count do
    at, _, kind, units, used = unpack_some(list, VALUES, at + BEHIND_HEAD)
    if kind == 'own' and units > used then sum = sum + units - used end
  end
  set_aside[list] = sum
  return sum
end

-- The units of an entry that a channel (nil: one without an allocation) can reserve before its cap, and the rest of its
-- cap, or nil. waiting: units of the common pool that are kept for lines that wait.
local function reach(entry, channel, waiting)
  local free, list = entry.available, entry.record and entry.record[Stock.allocations]
  if not list or free <= 0 then return free - waiting end
  local kind, units, used = of_channel(list, channel)
  local rest = kind and max(0, units - used)
  local own = kind == 'own' and rest or 0
  return max(free - (units_set_aside(list) - own) - waiting, min(own, free), 0), kind == 'cap' and rest or nil
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
  local list = record[Stock.allocations]
  if not list or (reserved == 0 and on_hand >= 0) then return end
  local first, kind, at = place_of(list, channel)
  if not first then return end
  local behind, units, used = unpack_some(list, 2, at)
  local units_now, used_now = on_hand < 0 and max(0, units + on_hand) or units, used + reserved
  local changed_list = list:sub(1, at) .. pack(units_now, used_now) .. (behind >= 0 and list:sub(behind + 1) or '')
  local aside = set_aside[list]
  if aside and kind == 'own' then aside = aside - max(0, units - used) + max(0, units_now - used_now) end
  set_aside[changed_list], record[Stock.allocations] = aside, changed_list
end

-- Follows what a new line reserves at its entry, and notes for the journal what is left: `after` has {entry, available,
-- quantity} for each line. quantity: its units and those that it waits for. Returns what is left for the channel.
function allocations.follow_new(after, number, entry, channel, units, quantity)
  allocations.follow(entry.record, channel, units, 0)
  after[number] = {entry, entry.available, quantity}
  return allocations.left(entry, channel)
end

-- The fourth value of a new reservation in the journal, see lib/journal.lua, packed; nil where no line's entry has
-- allocations.
function allocations.packed_after(after)
  local parts, seen, has_any = {}, {}, false
  for number = #after, 1, -1 do
    local entry, available_after, quantity = unpack(after[number])
    local list = entry.record[Stock.allocations]
    if list then
      -- A line of a partial reservation that got nothing is no change, so nobody would read the list in it.
      local has_list = quantity > 0 and not seen[entry]
      parts[number], has_any = array_of(2) .. pack(available_after) .. (has_list and list or array_of(0)), true
      seen[entry] = seen[entry] or has_list
    else
      parts[number] = pack(false)
    end
  end
  return has_any and array_of(#after) .. concat(parts) or nil
end

-- Adds the allocations, where there are any, to the last of the journal lines: packed, see lib/journal.lua.
function allocations.add_to_journal_line(record, journal_lines)
  local line, list = journal_lines[#journal_lines], record[Stock.allocations]
  if not list then return end
  line[ChangeLine.d_waiting], line[ChangeLine.d_owed], line[ChangeLine.allocations] = 0, 0, list
end

end
