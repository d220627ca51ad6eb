-- What a call did, as one stream entry: outbox and audit trail in one.
--
-- change: [operation, at_ms, actor, channel, reservation id or "", state or "", lines, notes]
-- line:   [line or 0, sku, location, d_on_hand, d_held, d_committed, d_damaged, d_quality_control, d_safety,
--          available after, seq], then where there are any: d_waiting, d_owed (see lib/backorders.lua), and the
--          allocations after (see lib/allocations.lua); all but names in units. Of a place that several lines of a
--          change are about, only the last has the allocations
-- notes:  [[name, value], …], both strings
--
-- The change of a reserve or order is [operation, reservation id, record]: the record is new and holds all of the
-- above, see lib/reservations.lua. The available units in its lines are those of its channel. So where a line's stock
-- record has allocations, a fourth value follows: for each line false or [available after, allocations after]. Of a
-- place that several lines are about, only the last has the allocations, and the others have an empty list.
-- server/store/journal/journal.py decodes both forms alike.
--
-- change_parts: the packed changes, each in one part, that of a reserve or order in four or five. change_count: how
-- many changes they are.

local journal, journal_reservation, journal_places

do

-- How the change of a reserve or order begins in MessagePack; that with the extra value is an array of four (\148).
local NEW_HEAD = HEADS.change
local NEW_HEAD_ALLOCATED = {reserve = '\148\167reserve', order = '\148\165order'}
-- The heads of a change, which has eight values, and of a line with allocations, which has fourteen.
local CHANGE_HEAD, ALLOCATED_HEAD = '\152', '\158'

-- The lines, packed. The allocations in them are packed already.
local function packed_lines_of(lines)
  local parts, seen = {}, {}
  for i = #lines, 1, -1 do
    local line = lines[i]
    local list = line[ChangeLine.allocations]
    if list then
      local field = line[ChangeLine.sku] .. '\0' .. line[ChangeLine.location]
      line[ChangeLine.allocations] = nil
      parts[i] = seen[field] and pack(line) or ALLOCATED_HEAD .. pack(unpack(line, 1, ChangeLine.d_owed)) .. list
      seen[field] = true
    else
      parts[i] = pack(line)
    end
  end
  return array_of(#lines) .. concat(parts)
end

-- The notes of a change by which a SKU may have got a stock record; the note new_sku names one that had none anywhere.
-- Of several in one change, as of a transfer, the last one is named.
local function with_new_sku(notes)
  local sku, is_first = work.new_place.sku, true
  work.new_place = nil
  for i = 1, #changed_stock do
    local other = changed_stock[i]
    if other.is_new and other.sku == sku and other.is_named then is_first = false end
    if other.is_new and other.sku == sku then other.is_named = true end
  end
  if not is_first or call('HSTRLEN', SKUS, sku) > 1 then return notes end -- one byte: an untracked one, without a place
  local all = {}
  for i, pair in ipairs(notes) do all[i] = pair end
  all[#all + 1] = {'new_sku', sku}
  return all
end

-- Adds a change, then fills lines that wait with units which it made available.
function journal(operation, actor, channel, id, state, lines, notes)
  change_count = change_count + 1
  if work.new_place then notes = with_new_sku(notes) end
  change_parts[#change_parts + 1] = allocated
    and CHANGE_HEAD .. pack(operation, NOW_MS, actor, channel, id, state) .. packed_lines_of(lines) .. pack(notes)
    or pack({operation, NOW_MS, actor, channel, id, state, lines, notes})
  if backorder_queue then backorders.fill() end
end

-- Adds the change by which locations were registered, closed or opened. notes: which ones; the version of the places is
-- added. server/store/repositories/locations.py reads them.
function journal_places(actor, notes)
  notes[#notes + 1] = {'places', places_now().version}
  journal('locations', actor, '', '', '', NONE, notes)
end

-- Adds the change of a reserve or order. extra: the fourth value, packed, or nil.
function journal_reservation(operation, id, packed_record, extra)
  change_count = change_count + 1
  local n = #change_parts
  change_parts[n + 1] = (extra and NEW_HEAD_ALLOCATED or NEW_HEAD)[operation]
  change_parts[n + 2] = string_of[#id]
  change_parts[n + 3] = id
  change_parts[n + 4] = packed_record
  if extra then change_parts[n + 5] = extra end
end

end
