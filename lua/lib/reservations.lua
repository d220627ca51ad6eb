-- The reservation records that a call touches, and where their life stands.
--
-- record: [state, created_ms, deadline_ms, ttl_ms, seq, channel, actor, fingerprint, order_ref, customer_ref,
--          flags, lines, notes]
-- line:   [sku, location, quantity, requested, held, committed, fulfilled, released, expired, returned,
--          first_available, first_seq]
-- At any time quantity = held + committed + fulfilled + released + expired.

local STATE, CREATED_MS, DEADLINE_MS, TTL_MS, RESERVATION_SEQ = 1, 2, 3, 4, 5
local CHANNEL, ACTOR, FINGERPRINT, ORDER_REF, CUSTOMER_REF, FLAGS, LINES, NOTES = 6, 7, 8, 9, 10, 11, 12, 13
local LINE_SKU, LINE_LOCATION, LINE_QUANTITY, LINE_REQUESTED = 1, 2, 3, 4
local LINE_HELD, LINE_COMMITTED, LINE_FULFILLED, LINE_RELEASED, LINE_EXPIRED = 5, 6, 7, 8, 9
local LINE_FIRST_AVAILABLE, LINE_FIRST_SEQ = 11, 12

-- entry: {id, record (nil: unknown), packed (the record as it will be written, if it is known already),
--         was_live, was_ended, had_deadline, changed}

local function new_reservation_entry(id, packed, live)
  local entry = {id = id}
  if packed then
    entry.record = unpack_msg(packed)
    entry.was_live = live
    entry.was_ended = not live
    entry.had_deadline = entry.record[DEADLINE_MS] > 0
  end
  reservations[id] = entry
  return entry
end

-- Reads many records at once: first among the live ones, then, for those not found, among the ended.
local function load_reservations(ids)
  local packed = hash_get_many(RESERVATIONS, ids)
  local missing = {}
  for i = 1, #ids do
    if packed[i] then new_reservation_entry(ids[i], packed[i], true) else missing[#missing + 1] = ids[i] end
  end
  packed = hash_get_many(ENDED, missing)
  for i = 1, #missing do new_reservation_entry(missing[i], packed[i], false) end
end

local function mark_reservation(entry)
  entry.packed = nil
  if entry.changed then return end
  entry.changed = true
  changed_reservations[#changed_reservations + 1] = entry
end

-- Sets the state that follows from the lines; ending: the state where nothing is promised any more.
local function settle_state(entry, ending)
  local held, committed, fulfilled = 0, 0, 0
  local record = entry.record
  for _, line in ipairs(record[LINES]) do
    held = held + line[LINE_HELD]
    committed = committed + line[LINE_COMMITTED]
    fulfilled = fulfilled + line[LINE_FULFILLED]
  end
  if held == 0 then record[DEADLINE_MS] = 0 end
  if held > 0 then record[STATE] = 'held'
  elseif committed > 0 then record[STATE] = 'committed'
  elseif fulfilled > 0 then record[STATE] = 'fulfilled'
  else record[STATE] = ending end
  record[RESERVATION_SEQ] = last_seq or record[RESERVATION_SEQ]
  mark_reservation(entry)
end

local function total(record, counter)
  local units = 0
  local lines = record[LINES]
  for i = 1, #lines do units = units + lines[i][counter] end
  return units
end
