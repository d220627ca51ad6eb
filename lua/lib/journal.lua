-- What a call did, as one stream entry: outbox and audit trail in one.
--
-- change: [operation, at_ms, actor, channel, reservation id or "", state or "", lines, notes]
-- line:   [line or 0, sku, location, d_on_hand, d_held, d_committed, d_damaged, d_quality_control, d_safety,
--          available after, seq, and of lines that wait for units: d_waiting, d_owed, see lib/backorders.lua]
-- notes:  [[name, value], …]
--
-- A reserve or order is [operation, reservation id, record]: its record, see lib/reservations.lua, is new and tells all
-- of the above. server/store/journal.py turns both into the same.
--
-- change_parts: the changes, packed already, a promise in four parts; change_count: how many they are.

-- [operation, … of a promise in MessagePack: an array of three, the name.
local PROMISED = {reserve = '\147\167reserve', order = '\147\165order'}

local function journal(operation, actor, channel, id, state, lines, notes)
  change_count = change_count + 1
  change_parts[#change_parts + 1] = pack({operation, NOW_MS, actor, channel, id, state, lines, notes})
  if waits then backorders.fill() end
end

local function journal_promise(operation, id, packed_record)
  change_count = change_count + 1
  local n = #change_parts
  change_parts[n + 1] = PROMISED[operation]
  change_parts[n + 2] = string_of[#id]
  change_parts[n + 3] = id
  change_parts[n + 4] = packed_record
end
