-- The reservation records that a call reads and changes.
--
-- record: [state, created_ms, deadline_ms, ttl_ms, seq, channel, actor, fingerprint, lines, order_ref, customer_ref,
--          flags, notes, open, channel_lines, quota]
-- line:   [sku, location, quantity, requested, held, committed, first_available, first_seq, fulfilled, released,
--          expired, returned], then of those that had to wait for units or have no location: waiting, owed,
--          first_waiting, mode, promise_on; then of those that were mapped: text (what they had in place of a SKU); of
--         those that were edited: edited (units by which edits have changed quantity and requested, signed)
-- A line without a location counts in no bucket, see lib/unstocked.lua.
-- Values at the end may be left out where they are empty or zero: most records are short-lived and never need them.
-- first_available: the units that were available to the reservation's channel after the line was reserved.
-- Lines that operations/relocate.lua or edit.lua added stand at the end; their first_available and first_seq are 0.
-- open:   [group, numbers of the lines, whether they were bound]: lines whose location is chosen again when the address
--         is known, see operations/bind.lua; left out where no line was ever open.
-- channel_lines: see lib/channel_lines.lua; left out where no line was named by a channel's key.
-- quota: the key whose quota it counts for, see lib/quotas.lua; left out where there is none.
-- At any time quantity = held + committed + fulfilled + released + expired + waiting + owed, and returned <= fulfilled.
-- waiting: units that the line waits for and that will be held; owed: that will be committed; see lib/backorders.lua.

-- As server/domain/limits.py has them. The location is that of a line without one, where it has the units.
local RECORD_LINES_MAX, DEFAULT_LOCATION = 200, 'main'

-- In a reserve or order the lines stand last and flat, three fields each: SKU (replaced by its stock entry in
-- lib/batch.lua), location, quantity. LOCATION_OF and QUANTITY_OF are counted from the SKU.
local LINES_AT, LINE_LENGTH, LOCATION_OF, QUANTITY_OF = Reserve.lines, 3, 1, 2

-- How what a new reservation leaves begins in MessagePack. It is put together from packed parts, by
-- lib/new_reservation.lua or lib/short_way.lua: tables that are made only to be packed would cost as much as all the
-- rest of a reserve.
local HEADS = {
  -- The answer ["changed", false, record]: an array of three values (\147), a string of seven bytes (\167), false
  -- (\194). The record follows as it is stored, so that it is packed only once.
  answer = '\147\167changed\194',
  -- The change in the journal: an array of three, a string of seven (\167) or five (\165) bytes, the operation.
  change = {reserve = '\147\167reserve', order = '\147\165order'},
  -- A record of nine values and a line of eight, without the optional ones at their end.
  record = '\153', line = '\152',
}

-- The place at which the last line of the reserve or order at fields[at] begins.
local function last_line(fields, at)
  return at + LINES_AT + LINE_LENGTH * (fields[at + Reserve.line_count] - 1)
end

-- entry: {id, record (nil: unknown), packed (the record of a reservation made in this call, see record_of),
--         was_live, was_ended, had_deadline, changed, counted (nil: for no quota, see lib/quotas.lua)}

-- Unpacks a record and adds the values that were left out.
local function unpack_record(packed)
  local record = unpack_msg(packed)
  record[Record.order_ref] = record[Record.order_ref] or ''
  record[Record.customer_ref] = record[Record.customer_ref] or ''
  record[Record.flags] = record[Record.flags] or NONE
  record[Record.notes] = record[Record.notes] or NONE
  for _, line in ipairs(record[Record.lines]) do
    for counter = Line.fulfilled, Line.returned do line[counter] = line[counter] or 0 end
  end
  return record
end

-- packed: the record, or false where there is none. Then the entry is small: most are of ids that are new, and need no
-- more than two fields.
local function new_reservation_entry(id, packed, live)
  local entry
  if packed then
    local record = unpack_record(packed)
    entry = {
      id = id, record = record, packed = nil, changed = false, was_live = live, was_ended = not live,
      had_deadline = record[Record.deadline_ms] > 0,
    }
    if record[Record.quota] then entry.counted = quotas.units_of(record) end
  else
    entry = {id = id, packed = nil}
  end
  reservations[id] = entry
  return entry
end

-- The record, or nil. That of a reservation made in this call is unpacked here, since few operations need it. It is
-- written as live, with its deadline if it has one, before changes of it are.
local function record_of(entry)
  if not entry.record and entry.packed then
    entry.record = unpack_record(entry.packed)
    entry.was_live, entry.had_deadline = true, entry.record[Record.deadline_ms] > 0
    if entry.record[Record.quota] then entry.counted = quotas.units_of(entry.record) end
  end
  return entry.record
end

-- Reads many records, until there is enough for one call: until they have lines_max lines. Those that were not read
-- have no entry; the first one always has.
local load_reservations

do

-- Reads the records of ids[first] to ids[last]: the live ones, then those not found among the ended ones. Unpacks them
-- in their order until they have lines_max lines, and short ones behind them. Returns what work.read wants.
local function load_some(ids, first, last, lines_max)
  local live, missing = call('HMGET', RESERVATIONS, unpack(ids, first, last)), {}
  for i = first, last do
    if not live[i - first + 1] then missing[#missing + 1] = ids[i] end
  end
  local ended, at, bytes, lines = hash_get_many(ENDED, missing), 0, 0, 0
  for i = first, last do
    local id, packed, is_live = ids[i], live[i - first + 1], true
    if not packed then
      at, is_live = at + 1, false
      packed = ended[at]
    end
    if not reservations[id] and (not packed or lines < lines_max or work.is_short(#packed)) then
      local entry = new_reservation_entry(id, packed, is_live)
      if packed then
        bytes, lines = bytes + #packed, lines + #entry.record[Record.lines]
      end
    end
  end
  return bytes, lines
end

function load_reservations(ids, lines_max)
  local n = #ids
  if n == 0 then return end
  if n <= work.AT_A_TIME then
    load_some(ids, 1, n, lines_max)
    return
  end
  work.read(n, lines_max, function(first, last, left) return load_some(ids, first, last, left) end)
end

end

-- Registers a new record for writing. live_records, live_deadlines: the arguments of HSET and ZADD in lib/flush.lua.
local function write_new(id, packed, deadline_ms)
  local n = #live_records
  live_records[n + 1] = id
  live_records[n + 2] = packed
  if deadline_ms > 0 then
    n = #live_deadlines
    live_deadlines[n + 1] = deadline_ms
    live_deadlines[n + 2] = id
  end
end

-- Registers a changed record for writing.
local function mark_reservation(entry)
  if entry.changed then return end
  entry.changed = true
  changed_reservations[#changed_reservations + 1] = entry
end

-- Sets the state that follows from the lines, and the seq of the last journal line. ending: the state of a reservation
-- without live and shipped units.
local function derive_state(entry, ending, journal_lines)
  local held, committed, fulfilled, waiting, owed = 0, 0, 0, 0, 0
  local record = entry.record
  for _, line in ipairs(record[Record.lines]) do
    held = held + line[Line.held]
    committed = committed + line[Line.committed]
    fulfilled = fulfilled + line[Line.fulfilled]
    if line[Line.waiting] then waiting, owed = waiting + line[Line.waiting], owed + line[Line.owed] end
  end
  if held + waiting == 0 then record[Record.deadline_ms] = 0 end
  if held > 0 then record[Record.state] = 'held'
  elseif committed > 0 then record[Record.state] = 'committed'
  elseif waiting + owed > 0 then record[Record.state] = 'backordered'
  elseif fulfilled > 0 then record[Record.state] = 'fulfilled'
  else record[Record.state] = ending end
  -- Where only lines without a location have changed, no stock record has, and there is no seq.
  if #journal_lines > 0 then record[Record.seq] = last_seq end
  if entry.counted then quotas.follow(entry) end
  mark_reservation(entry)
end

-- The sum of one counter over all lines. counter: its place in a line.
local function total(record, counter)
  local units = 0
  local lines = record[Record.lines]
  for i = 1, #lines do units = units + (lines[i][counter] or 0) end
  return units
end
