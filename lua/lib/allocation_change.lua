-- Changes a channel's allocation at a (SKU, location): shared by operations/allocate.lua and allocate_move.lua.
--
-- No record holds how many units a channel without an allocation has reserved here: each reserve would pay for such an
-- index. So the caller counts them (used) as of a journal entry (seen_id), and the changes since are added here. With
-- no count ("") or too many changes, the answer is allocation_usage_unknown; see
-- server/store/repositories/allocations.py.

local allocation_change = {}

do

local ALLOCATIONS_MAX = 32 -- channels at one (SKU, location): the record is read and written with each sale

local ENTRIES_MAX = 64 -- journal entries since seen_id that one call looks through; an entry holds at most a batch

-- The change of a reserve or order has three or four values, and its record is the third; see lib/journal.lua.
local NEW_FIELDS_MAX, NEW_RECORD = 4, 3

local ENTRY_FIELDS, FIRST_VALUE = 2, 2 -- XRANGE: [entry id, ["e", the packed changes]]

-- Returns the channel of a change and its lines: {{sku, location, units (by which the reserved units grew)}, …}.
local function lines_of(change)
  local lines = {}
  if #change <= NEW_FIELDS_MAX then
    local record = change[NEW_RECORD]
    for i, line in ipairs(record[Record.lines]) do
      lines[i] = {sku = line[Line.sku], location = line[Line.location], units = line[Line.held] + line[Line.committed]}
    end
    return record[Record.channel], lines
  end
  for i, line in ipairs(change[Change.lines]) do
    local units = line[ChangeLine.d_held] + line[ChangeLine.d_committed]
    lines[i] = {sku = line[ChangeLine.sku], location = line[ChangeLine.location], units = units}
  end
  return change[Change.channel], lines
end

-- The units by which a list of changes moved what a channel has reserved of a stock entry.
local function used_in(changes, entry, channel)
  local units = 0
  for _, change in ipairs(changes) do
    local of_channel, lines = lines_of(change)
    for _, line in ipairs(of_channel == channel and lines or NONE) do
      if aliases.are_of(entry, line.sku, line.location) then units = units + line.units end
    end
  end
  return units
end

-- The units that a channel has reserved of a stock entry, or nil where that is not known. seen_id, used: see above.
function allocation_change.used_by(entry, channel, seen_id, used)
  local record = entry.record
  local known = allocations.find(record, channel)
  if known then return known[Allocation.used] end
  if record[Stock.held] + record[Stock.committed] == 0 then return 0 end
  if seen_id == '' then return nil end
  local since = call('XRANGE', JOURNAL, '(' .. seen_id, '+', 'COUNT', ENTRIES_MAX)
  if #since == ENTRIES_MAX then return nil end
  for _, found in ipairs(since) do
    used = used + used_in(unpack_msg(found[ENTRY_FIELDS][FIRST_VALUE]), entry, channel)
  end
  -- The changes of this call are not in the journal yet.
  return used + used_in(unpack_msg(array_of(change_count) .. concat(change_parts)), entry, channel)
end

-- Sets a channel's allocation; kind nil: removes it.
function allocation_change.set(record, channel, kind, units, used)
  local list, place = allocations.unpacked(record) or {}, nil
  for i, allocation in ipairs(list) do
    if allocation[Allocation.channel] == channel then place = i end
  end
  if kind then
    list[place or #list + 1] = {channel, kind, units, used}
  elseif place then
    table.remove(list, place)
  end
  record[Stock.allocations] = #list > 0 and pack(list) or nil
  -- Without allocations false stands before a backorder: an array in MessagePack has no holes.
  if #list == 0 and record[Stock.backorder] ~= nil then record[Stock.allocations] = false end
end

-- Adds the change to the journal. No bucket changes, but what is left for each channel does.
function allocation_change.journal(entry, operation, actor, channel, notes)
  local journal_lines = {}
  change_buckets(entry, journal_lines, NO_DELTAS)
  journal(operation, actor, channel, '', '', journal_lines, notes_of(notes))
end

-- Whether a channel without an allocation here cannot get one, because there are as many as there may be.
function allocation_change.is_full(record, channel)
  return not allocations.find(record, channel) and packed_lists.length(record[Stock.allocations]) >= ALLOCATIONS_MAX
end

-- Returns by how many units more would be set aside, how many may be, and how many the channel has reserved or set
-- aside already; nil: the reserved units are not known.
function allocation_change.set_aside_by(entry, channel, kind, units, seen_id, used)
  local reserved = allocation_change.used_by(entry, channel, seen_id, used)
  if not reserved then return nil end
  local known = allocations.find(entry.record, channel)
  local before = known and known[Allocation.kind] == 'own' and allocations.rest(known) or 0
  local after = kind == 'own' and max(0, units - reserved) or 0
  return after - before, max(0, reservable(entry, nil)), reserved + before
end

end
