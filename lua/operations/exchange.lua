-- exchange: shipped units are returned and a new reservation replaces them: both, or neither.
--
-- op      [1 tag, 2 fingerprint, 3 actor, 4 reservation id, 5 key, 6 lines, 7 reason, 8 allow_similar], as in a return,
--         then the replacement: a reserve or order, with an among, a source or both in front of it, or without
-- Effect  that of the return, then that of the replacement, which can have the restocked units. The journal gets two
--         changes, each with a note that names the other's reservation.
-- Answers exchanged · exchange_refused (which half, "return" or "promise", and its refusal)
--         · id_reused (of the key) · retry_after_expiry
--
-- Lua does not roll back: the state before the return is kept, and restored where the replacement is refused.

local AMONG_LENGTH = 3 -- see operations/among.lua

-- The place of the reserve or order itself, and that of the next operation.
local function replacement_at(fields, at)
  local start = at + SHAPES['return'].length
  if fields[start] == 'among' then start = start + AMONG_LENGTH end
  if fields[start] == 'source' then start = sourcing.reservation_at(fields, start) end
  return start, last_line(fields, start) + LINE_LENGTH
end

-- Removes the values of a list behind its first `length` ones.
local function cut(list, length)
  for i = #list, length + 1, -1 do list[i] = nil end
end

local function copy(list)
  local copied = {}
  for i = 1, #list do copied[i] = list[i] end
  return copied
end

local function returned_units(lines)
  local units = {}
  for number, line in ipairs(lines) do units[number] = line[Line.returned] end
  return units
end

-- What a return changes of a stock entry. noted: length of on_hand_changes.
local function stock_snapshot(entry)
  return {
    entry = entry, record = entry.record and copy(entry.record), available = entry.available,
    shortage = entry.shortage, is_new = entry.is_new, is_named = entry.is_named,
    noted = entry.on_hand_changes and #entry.on_hand_changes,
  }
end

-- Everything that a return changes, as it is before: of the reservation, of the stock records, and of the call.
local function snapshot(entry, wanted)
  local record = entry.record
  local before = {
    entry = entry, changed = entry.changed, reservations = #changed_reservations, stock = #changed_stock,
    parts = #change_parts, changes = change_count, seq = last_seq, state = record[Record.state],
    record_seq = record[Record.seq], deadline_ms = record[Record.deadline_ms], notes = copy(record[Record.notes]),
    returned = returned_units(record[Record.lines]), stock_entries = {}, names = likeness.mark(),
    pieces = channel_lines.returned_pieces(record),
  }
  for _, want in ipairs(channel_lines.expand_return(record, wanted) or NONE) do
    local line, location = record[Record.lines][want[ReturnedLine.line]], want[ReturnedLine.location]
    if line then
      local stock_of_line = stock_entry(line[Line.sku], location ~= '' and location or line[Line.location])
      before.stock_entries[#before.stock_entries + 1] = stock_snapshot(stock_of_line)
    end
  end
  return before
end

-- Restores what snapshot has returned.
local function restore(before)
  local entry = before.entry
  local record = entry.record
  entry.changed, last_seq, change_count = before.changed, before.seq, before.changes
  cut(changed_reservations, before.reservations)
  cut(changed_stock, before.stock)
  cut(change_parts, before.parts)
  likeness.undo(before.names)
  record[Record.state], record[Record.seq] = before.state, before.record_seq
  record[Record.deadline_ms] = before.deadline_ms
  record[Record.notes] = #before.notes > 0 and before.notes or NONE
  for number, units in ipairs(before.returned) do record[Record.lines][number][Line.returned] = units end
  channel_lines.restore_returned(record, before.pieces)
  for _, was in ipairs(before.stock_entries) do
    local changed_entry = was.entry
    changed_entry.record, changed_entry.available = was.record, was.available
    changed_entry.shortage, changed_entry.is_new, changed_entry.is_named = was.shortage, was.is_new, was.is_named
    if was.noted then cut(changed_entry.on_hand_changes, was.noted) else changed_entry.on_hand_changes = nil end
  end
end

-- Updates the availability in the return's answer: the replacement may have reserved units of the same records.
local function refresh_availability(availability, channel)
  for _, each in ipairs(availability) do
    local entry = stock_entry(each[Availability.sku], each[Availability.location])
    each[Availability.available] = shown_units(entry, channel)
    each[Availability.seq] = entry.record[Stock.seq]
  end
end

-- Makes the replacement, with what stands in front of it. Returns its answer.
local function make_replacement(fields, at, instead_of)
  record_extras = {notes = {{'exchange_of', instead_of}}}
  local result = work.run_at(fields, at + SHAPES['return'].length)
  record_extras = nil
  return unpack_msg(result)
end

-- The refusal of an exchange before the return runs, or nil. start: place of the replacement.
local function refusal_of(fields, entry, start)
  local id = fields[start + Reserve.reservation_id]
  local known = fields[start + Reserve.fingerprint] ~= '' and reservations[id]
  if not record_of(entry) then return {'exchange_refused', 'return', refused('unknown_reservation')} end
  expire_if_due(entry)
  expire_due() -- before the snapshot: what it expires stays expired where the return is undone
  if known and record_of(known) then
    return {'exchange_refused', 'promise', refused('id_reused', known.record[Record.state])}
  end
  return nil
end

local function replace_units(fields, at)
  local start, id = replacement_at(fields, at), fields[at + Return.reservation_id]
  local entry, new_id = reservations[id], fields[start + Reserve.reservation_id]
  local refusal = refusal_of(fields, entry, start)
  if refusal then return refusal end
  local before = snapshot(entry, fields[at + Return.lines])
  backorders.pause()
  local returned = operations['return'](fields, at, new_id)
  if returned[1] == 'refused' then
    backorders.resume()
    return {'exchange_refused', 'return', returned}
  end
  local made = make_replacement(fields, at, id)
  if made[1] ~= 'changed' then restore(before) end
  backorders.resume()
  if made[1] ~= 'changed' then
    return made[1] ~= 'refused' and made or {'exchange_refused', 'promise', made}
  end
  refresh_availability(returned[CHANGED_AVAILABILITY], entry.record[Record.channel])
  return {'exchanged', false, returned, made}
end

local function exchange(fields, at)
  local _, following = replacement_at(fields, at)
  local function handler() return replace_units(fields, at) end
  return answer(handler, fields, at, SHAPES['return']), following
end

composite('exchange', {
  run = exchange,
  prefetch = function(fields, at) return prefetch_keyed(fields, at, SHAPES['return']) end,
})
