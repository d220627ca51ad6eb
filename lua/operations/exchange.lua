-- exchange: shipped units come back and the customer is promised others instead: both, or neither.
--
-- op      [1 tag, 2 fingerprint, 3 actor, 4 reservation id, 5 key, 6 lines, 7 reason], all as in a return, then the
--         promise: a reserve or order, with a source before it or without
-- Effect  that of the return, then that of the promise, for which what came back to be sold again is there already. Two
--         changes in the journal, each with a note that names the other's reservation
-- Answers exchanged · exchange_refused: which half ("return" or "promise"), and as what
--         · id_reused (of the key) · retry_after_expiry

-- Where the promise itself begins, and what stands behind it.
local function promise_in(fields, at)
  local promise = at + SHAPES['return'].length
  if fields[promise] == 'source' then promise = sourcing.promise_at(fields, promise) end
  return promise, last_line(fields, promise) + LINE_LENGTH
end

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

local function record_as_it_is(record)
  local copied = copy(record)
  copied[Stock.allocations] = allocations.copy(record) or record[Stock.allocations]
  return copied
end

local function place_as_it_is(entry)
  return {
    entry = entry, record = entry.record and record_as_it_is(entry.record), available = entry.available,
    shortage = entry.shortage, is_new = entry.is_new, noted = entry.on_hand_changes and #entry.on_hand_changes,
  }
end

-- Everything that a return changes, as it is before. A script has no way back but to put all of it back.
local function as_it_is(entry, wanted)
  local record = entry.record
  local before = {
    entry = entry, changed = entry.changed, reservations = #changed_reservations, stock = #changed_stock,
    parts = #change_parts, changes = change_count, seq = last_seq, state = record[Record.state],
    record_seq = record[Record.seq], deadline_ms = record[Record.deadline_ms], notes = copy(record[Record.notes]),
    returned = returned_units(record[Record.lines]), places = {},
  }
  for _, want in ipairs(wanted) do
    local line, location = record[Record.lines][want[ReturnedLine.line]], want[ReturnedLine.location]
    if line then
      local place = stock_entry(line[Line.sku], location ~= '' and location or line[Line.location])
      before.places[#before.places + 1] = place_as_it_is(place)
    end
  end
  return before
end

local function put_back(before)
  local entry = before.entry
  local record = entry.record
  entry.changed, last_seq, change_count = before.changed, before.seq, before.changes
  cut(changed_reservations, before.reservations)
  cut(changed_stock, before.stock)
  cut(change_parts, before.parts)
  record[Record.state], record[Record.seq], record[Record.deadline_ms] = before.state, before.record_seq, before.deadline_ms
  record[Record.notes] = #before.notes > 0 and before.notes or NONE
  for number, units in ipairs(before.returned) do record[Record.lines][number][Line.returned] = units end
  for _, was in ipairs(before.places) do
    local place = was.entry
    place.record, place.available, place.shortage, place.is_new = was.record, was.available, was.shortage, was.is_new
    if was.noted then cut(place.on_hand_changes, was.noted) else place.on_hand_changes = nil end
  end
end

-- The promise takes from what the return has left: tells what is available to the channel of that after both.
local function told_anew(availability, channel)
  for _, each in ipairs(availability) do
    local entry = stock_entry(each[Availability.sku], each[Availability.location])
    each[Availability.available] = allocated and allocations.left(entry, channel) or entry.available
    each[Availability.seq] = entry.record[Stock.seq]
  end
end

-- Makes the promise; gives its answer.
local function promised(fields, at, instead_of)
  local first, promise = at + SHAPES['return'].length, promise_in(fields, at)
  record_extras = {notes = {{'exchange_of', instead_of}}}
  local result
  if first == promise then result = operations[fields[first]](fields, first, last_line(fields, first))
  else result = sourced(fields, first) end
  record_extras = nil
  return unpack_msg(result)
end

local function both(fields, at)
  local promise, id = promise_in(fields, at), fields[at + Return.reservation_id]
  local entry, new_id = reservations[id], fields[promise + Reserve.reservation_id]
  local known = fields[promise + Reserve.fingerprint] ~= '' and reservations[new_id]
  if not record_of(entry) then return {'exchange_refused', 'return', refused('unknown_reservation')} end
  expire_if_due(entry)
  expire_due() -- now, so that what the promise may need of it is not undone with the return
  if known and record_of(known) then
    return {'exchange_refused', 'promise', refused('id_reused', known.record[Record.state])}
  end
  local before = as_it_is(entry, fields[at + Return.lines])
  backorders.pause()
  local returned = operations['return'](fields, at, new_id)
  if returned[1] == 'refused' then
    backorders.go_on()
    return {'exchange_refused', 'return', returned}
  end
  local made = promised(fields, at, id)
  if made[1] ~= 'changed' then put_back(before) end
  backorders.go_on()
  if made[1] ~= 'changed' then
    return made[1] == 'retry_after_expiry' and made or {'exchange_refused', 'promise', made}
  end
  told_anew(returned[4], entry.record[Record.channel])
  return {'exchanged', false, returned, made}
end

local function exchange(fields, at)
  local _, following = promise_in(fields, at)
  local function handler() return both(fields, at) end
  return answer(handler, fields, at, SHAPES['return']), following
end

composite('exchange', {
  run = exchange,
  prefetch = function(fields, at) return prefetch_keyed(fields, at, SHAPES['return']) end,
})
