-- What a call did, as one stream entry: outbox and audit trail in one.
--
-- change: [operation, at_ms, actor, channel, reservation id or "", state or "", lines, notes]
-- line:   [line or 0, sku, location, d_on_hand, d_held, d_committed, d_damaged, d_quality_control, d_safety,
--          available after, seq, then where there is any of it: d_waiting, d_owed of lines that wait for units, see
--          lib/backorders.lua, and the allocations after, see lib/allocations.lua]
-- notes:  [[name, value], …]
--
-- A reserve or order is [operation, reservation id, record]: its record, see lib/reservations.lua, is new and tells all
-- of the above. server/store/journal/journal.py turns both into the same. Where channels have something for themselves, its lines
-- tell what is left for this one, so a fourth value follows: for each line false, or [available after, allocations after].
--
-- change_parts: the changes, packed already, a promise in four parts or five; change_count: how many they are.

local journal, journal_promise

do

-- [operation, … of a promise in MessagePack: an array of three, the name.
local PROMISED = {reserve = '\147\167reserve', order = '\147\165order'}
local PROMISED_ALLOCATED = {reserve = '\148\167reserve', order = '\148\165order'}

function journal(operation, actor, channel, id, state, lines, notes)
  change_count = change_count + 1
  change_parts[#change_parts + 1] = pack({operation, NOW_MS, actor, channel, id, state, lines, notes})
  if waits then backorders.fill() end
end

-- behind: the fourth value, packed, or nil.
function journal_promise(operation, id, packed_record, behind)
  change_count = change_count + 1
  local n = #change_parts
  change_parts[n + 1] = (behind and PROMISED_ALLOCATED or PROMISED)[operation]
  change_parts[n + 2] = string_of[#id]
  change_parts[n + 3] = id
  change_parts[n + 4] = packed_record
  if behind then change_parts[n + 5] = behind end
end

end
