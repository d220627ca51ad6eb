-- Changes what a channel has for itself at a (SKU, location): what operations/allocate.lua and allocate_move.lua share.
--
-- How much a channel without an allocation has promised here stands nowhere, and an index would be paid for by every
-- reserve. So whoever asks has counted it, as of when seen_id was the journal's last entry; what happened since is added
-- here. If nothing was counted ("") or too much happened, the answer is allocation_usage_unknown; see
-- server/store/repositories/allocations.py.

local allocation_change = {}

do

local ALLOCATIONS_MAX = 32 -- channels at one (SKU, location): the record is read and written with each sale

local ENTRIES_MAX = 64 -- of the journal that are looked through for what happened since; an entry holds a batch at most

-- A reserve or order stands in the journal with its record, anything else with its lines, see lib/journal.lua.
local PROMISE_FIELDS_MAX, PROMISE_RECORD = 4, 3

-- The channel of a change, and for each of its lines its SKU, location, and by how much what is promised there grew.
local function lines_of(change)
  local lines = {}
  if #change <= PROMISE_FIELDS_MAX then
    local record = change[PROMISE_RECORD]
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

-- By how much the changes of one entry moved what a channel has promised of a stock entry.
local function promised_in(changes, entry, channel)
  local units = 0
  for _, change in ipairs(changes) do
    local of_channel, lines = lines_of(change)
    for _, line in ipairs(of_channel == channel and lines or NONE) do
      if line.sku == entry.sku and line.location == entry.location then units = units + line.units end
    end
  end
  return units
end

-- The units that a channel has promised here, or nil: not known.
function allocation_change.promised_by(entry, channel, seen_id, used)
  local record = entry.record
  local known = allocations.find(record, channel)
  if known then return known[Allocation.used] end
  if record[Stock.held] + record[Stock.committed] == 0 then return 0 end
  if seen_id == '' then return nil end
  local since = call('XRANGE', JOURNAL, '(' .. seen_id, '+', 'COUNT', ENTRIES_MAX)
  if #since == ENTRIES_MAX then return nil end
  for _, found in ipairs(since) do used = used + promised_in(unpack_msg(found[2][2]), entry, channel) end
  -- What this very call did is not in the journal yet.
  return used + promised_in(unpack_msg(array_of(change_count) .. concat(change_parts)), entry, channel)
end

-- Sets a channel's allocation; nil as kind: takes it away.
function allocation_change.set(record, channel, kind, units, used)
  local list = record[Stock.allocations] or {}
  local _, place = allocations.find(record, channel)
  if kind then
    list[place or #list + 1] = {channel, kind, units, used}
  elseif place then
    table.remove(list, place)
  end
  record[Stock.allocations] = #list > 0 and list or nil
  if #list == 0 and record[Stock.backorder] ~= nil then record[Stock.allocations] = false end -- no hole before what follows
end

-- Writes the change down: nothing moves, but what is left for whom does.
function allocation_change.journal(entry, operation, actor, channel, notes)
  local journal_lines = {}
  change_buckets(entry, journal_lines, {0, 0, 0, 0, 0, 0})
  journal(operation, actor, channel, '', '', journal_lines, notes_of(notes))
end

function allocation_change.is_full(record, channel)
  return not allocations.find(record, channel) and #(record[Stock.allocations] or NONE) >= ALLOCATIONS_MAX
end

-- By how many units more would be set aside, and how many may be; nil: how much is used is not known.
function allocation_change.set_aside_by(entry, channel, kind, units, seen_id, used)
  local promised = allocation_change.promised_by(entry, channel, seen_id, used)
  if not promised then return nil end
  local known = allocations.find(entry.record, channel)
  local before = known and known[Allocation.kind] == 'own' and allocations.rest(known) or 0
  local after = kind == 'own' and max(0, units - promised) or 0
  return after - before, max(0, promisable(entry, nil)), promised + before
end

end
