-- reserve: hold units until a deadline. order: reserve and commit in one step.
--
-- reserve [1 tag, 2 fingerprint, 3 actor, 4 reservation id, 5 channel, 6 lines [[sku, location, quantity], …],
--          7 ttl_ms, 8 partial, 9 order_ref, 10 customer_ref, 11 flags]
-- order   the same, but 7 accept_shortage (it is sold already: promise what is missing, too)
-- Effect  held (order: committed) grows by the quantity of each line; partial: by as much as there is
-- Answers changed · id_reused · unknown_sku · out_of_stock · again (more lapsed holds wait than may be ended here)

-- The answer of the first time, rebuilt from what never changes in a record.
local function first_answer(record)
  local is_order = record[TTL_MS] == 0
  local lines, availability, place = {}, {}, {}
  for i, line in ipairs(record[LINES]) do
    local quantity = line[LINE_QUANTITY]
    lines[i] = {
      line[LINE_SKU], line[LINE_LOCATION], quantity, line[4], is_order and 0 or quantity,
      is_order and quantity or 0, 0, 0, 0, 0, line[LINE_FIRST_AVAILABLE], line[LINE_FIRST_SEQ],
    }
    local field = stock_field(line[LINE_SKU], line[LINE_LOCATION])
    if not place[field] then
      availability[#availability + 1] = true
      place[field] = #availability
    end
    availability[place[field]] =
      {line[LINE_SKU], line[LINE_LOCATION], line[LINE_FIRST_AVAILABLE], line[LINE_FIRST_SEQ]}
  end
  local first = {}
  for i = 1, LINES - 1 do first[i] = record[i] end
  first[STATE] = is_order and 'committed' or 'held'
  first[DEADLINE_MS] = is_order and 0 or record[CREATED_MS] + record[TTL_MS]
  first[RESERVATION_SEQ] = 0
  for _, line in ipairs(lines) do first[RESERVATION_SEQ] = math.max(first[RESERVATION_SEQ], line[LINE_FIRST_SEQ]) end
  first[LINES] = lines
  first[NOTES] = {}
  return {'changed', true, first, availability}
end

-- Finds the stock of each line. Returns the entries, and the lines whose SKU is not known there, or nil.
local function find_stock(lines)
  local entries, unknown = {}, nil
  for i, line in ipairs(lines) do
    local entry = stock_entry(line[1], line[2])
    entries[i] = entry
    if not entry.record then
      unknown = unknown or {}
      unknown[#unknown + 1] = {i, line[1], line[2], line[3], 0}
    end
  end
  return entries, unknown
end

-- Takes the granted units. Returns the lines of the record and those of the journal.
local function take(lines, entries, granted, is_order)
  local record_lines, journal_lines = {}, {}
  for i, line in ipairs(lines) do
    local entry, units = entries[i], granted[i]
    local held, committed = units, 0
    if is_order then held, committed = 0, units end
    local seq = entry.record[SEQ]
    if units > 0 then seq = move(entry, journal_lines, i, held, committed, 0) end
    record_lines[i] =
      {line[1], line[2], units, line[3], held, committed, 0, 0, 0, 0, available(entry), seq}
  end
  return record_lines, journal_lines
end

local function promise(op, is_order, ttl_ms, accept_shortage)
  local id, lines, partial = op[4], op[6], op[8]
  local existing = op[2] ~= '' and reservations[id]
  if existing and existing.record then
    if existing.record[FINGERPRINT] ~= op[2] then return refused('id_reused', existing.record[STATE]) end
    return first_answer(existing.record)
  end

  local entries, unknown = find_stock(lines)
  if unknown then return refused('unknown_sku', '', unknown) end
  local granted, short = grant(lines, entries)
  if short then
    reap()
    granted, short = grant(lines, entries)
  end
  if short then
    if more_due then return {'again'} end
    if accept_shortage then
      for i, line in ipairs(lines) do granted[i] = line[3] end
    else
      local units = 0
      for _, granted_units in ipairs(granted) do units = units + granted_units end
      if not partial or units == 0 then return refused('out_of_stock', '', short) end
    end
  end

  local record_lines, journal_lines = take(lines, entries, granted, is_order)
  local state = is_order and 'committed' or 'held'
  local record = {
    state, NOW_MS, is_order and 0 or NOW_MS + ttl_ms, ttl_ms, last_seq, op[5], op[3], op[2], op[9], op[10],
    op[11], record_lines, {},
  }
  local entry = existing or new_reservation_entry(id, nil, false)
  entry.record = record
  mark_reservation(entry)
  journal(op[1], op[3], op[5], id, state, journal_lines, op[9] ~= '' and {{'order_ref', op[9]}} or {})
  return changed(record, entries)
end

local function reserve(op)
  return promise(op, false, op[7], false)
end

local function order(op)
  return promise(op, true, 0, op[7])
end
