-- reserve: hold units until a deadline. order: reserve and commit in one step.
--
-- reserve [1 tag, 2 fingerprint, 3 actor, 4 reservation id, 5 channel, 6 lines [[sku, location, quantity], …],
--          7 ttl_ms, 8 partial, 9 order_ref, 10 customer_ref, 11 flags]
-- order   the same, but 7 accept_shortage (it is sold already: promise what is missing, too)
-- Effect  held (order: committed) grows by the quantity of each line; partial: by as much as there is
-- Answers changed · id_reused · unknown_sku · out_of_stock · again (more lapsed holds wait than may be ended here)

-- What an answer ["changed", false, record] begins with in MessagePack: an array of three, a string of seven bytes,
-- false. The record follows as it is stored, so that it is packed only once.
local FIRST_CHANGED = '\147\167changed\194'

-- The answer of the first time, rebuilt from what never changes in a record.
local function first_answer(record)
  local is_order = record[TTL_MS] == 0
  local lines, seq = {}, 0
  for i, line in ipairs(record[LINES]) do
    local quantity = line[LINE_QUANTITY]
    lines[i] = {
      line[LINE_SKU], line[LINE_LOCATION], quantity, line[LINE_REQUESTED], is_order and 0 or quantity,
      is_order and quantity or 0, line[LINE_FIRST_AVAILABLE], line[LINE_FIRST_SEQ],
    }
    seq = max(seq, line[LINE_FIRST_SEQ])
  end
  local first = {}
  for i = STATE, FLAGS do first[i] = record[i] end
  first[STATE] = is_order and 'committed' or 'held'
  first[DEADLINE_MS] = is_order and 0 or record[CREATED_MS] + record[TTL_MS]
  first[RESERVATION_SEQ] = seq
  first[LINES] = lines
  return {'changed', true, first}
end

-- Whether every line can have all that it wants; duplicates are added up. False also where a SKU is unknown.
local function all_there(lines)
  local enough = true
  for i = 1, #lines do
    local line = lines[i]
    local entry, units = line[4], line[3]
    if not entry.record or available(entry) - entry.claimed < units then enough = false end
    entry.claimed = entry.claimed + units
  end
  for i = 1, #lines do lines[i][4].claimed = 0 end
  return enough
end

local function unknown_lines(lines)
  local unknown = nil
  for i, line in ipairs(lines) do
    if not line[4].record then
      unknown = unknown or {}
      unknown[#unknown + 1] = {i, line[1], line[2], line[3], 0}
    end
  end
  return unknown
end

-- Decides what a promise that cannot have everything gets: the units of each line, or nil and the refusal.
local function settle_for(lines, partial, accept_shortage)
  local unknown = unknown_lines(lines)
  if unknown then return nil, refused('unknown_sku', '', unknown) end
  reap()
  local granted, short = grant(lines)
  if not short then return granted end
  if more_due then return nil, {'again'} end
  if accept_shortage then
    for i, line in ipairs(lines) do granted[i] = line[3] end
    return granted
  end
  local units = 0
  for _, granted_units in ipairs(granted) do units = units + granted_units end
  if not partial or units == 0 then return nil, refused('out_of_stock', '', short) end
  return granted
end

-- Takes the units, all that was wanted or what was granted. Returns the lines of the record and those of the journal.
local function take_units(lines, granted, is_order)
  local record_lines, journal_lines = {}, {}
  for i = 1, #lines do
    local line = lines[i]
    local entry, units = line[4], granted and granted[i] or line[3]
    local held, committed = units, 0
    if is_order then held, committed = 0, units end
    local seq = entry.record[SEQ]
    if units > 0 then seq = move(entry, journal_lines, i, held, committed, 0) end
    record_lines[i] = {line[1], line[2], units, line[3], held, committed, available(entry), seq}
  end
  return record_lines, journal_lines
end

-- Makes the record of a new promise; what is empty at its end is left out.
local function new_record(state, ttl_ms, fingerprint, actor, channel, lines, order_ref, customer_ref, flags)
  local deadline_ms = state == 'held' and NOW_MS + ttl_ms or 0
  if order_ref == '' and customer_ref == '' and #flags == 0 then
    return {state, NOW_MS, deadline_ms, ttl_ms, last_seq, channel, actor, fingerprint, lines}
  end
  return {
    state, NOW_MS, deadline_ms, ttl_ms, last_seq, channel, actor, fingerprint, lines, order_ref, customer_ref, flags,
  }
end

local function promise(
  is_order, ttl_ms, accept_shortage, fingerprint, actor, id, channel, lines, partial, order_ref, customer_ref, flags
)
  local entry = fingerprint ~= '' and reservations[id]
  if entry and entry.record then
    if entry.record[FINGERPRINT] ~= fingerprint then return refused('id_reused', entry.record[STATE]) end
    return first_answer(entry.record)
  end
  local granted, refusal = nil, nil
  if not all_there(lines) then
    granted, refusal = settle_for(lines, partial, accept_shortage)
    if refusal then return refusal end
  end
  local record_lines, journal_lines = take_units(lines, granted, is_order)
  local state = is_order and 'committed' or 'held'
  local record =
    new_record(state, ttl_ms, fingerprint, actor, channel, record_lines, order_ref, customer_ref, flags)
  local packed = pack(record)
  journal(
    is_order and 'order' or 'reserve', actor, channel, id, state, journal_lines,
    order_ref ~= '' and {{'order_ref', order_ref}} or NONE
  )
  if entry then
    entry.record = unpack_record(packed)
    mark_reservation(entry)
    entry.packed = packed
  else
    -- Its id is new, so nothing else in this batch can mean it.
    write_new(id, packed, record[DEADLINE_MS])
  end
  return FIRST_CHANGED .. packed
end

local function reserve(fingerprint, actor, id, channel, lines, ttl_ms, partial, order_ref, customer_ref, flags)
  return promise(
    false, ttl_ms, false, fingerprint, actor, id, channel, lines, partial, order_ref, customer_ref, flags
  )
end

local function order(fingerprint, actor, id, channel, lines, accept, partial, order_ref, customer_ref, flags)
  return promise(true, 0, accept, fingerprint, actor, id, channel, lines, partial, order_ref, customer_ref, flags)
end
