-- Makes a new reservation: shared by operations/reserve.lua and operations/order.lua, which differ in one field.

-- places_of_order.resolve_lines(fields, at, last, accept_shortage) decides what lines get that cannot simply have all
-- units where they are. Returns the operation, whose lines have locations now: {fields, at, last, granted, missing},
-- see lib/lines_of_order.lua; or nil and the refusal.
local new_reservation

do

local FIRST_CHANGED, RECORD_OF_NINE, LINE_OF_EIGHT = HEADS.answer, HEADS.record, HEADS.line
local ZERO = '\0' -- the number 0 in MessagePack

-- Whether all units of all lines are available; lines of one stock entry are added up. False where a SKU is unknown.
local function all_available(fields, first, last)
  -- The usual case: one line, so there is nothing to add up.
  if first == last then return fields[first].available >= fields[first + QUANTITY_OF] end
  local enough = true
  for at = first, last, LINE_LENGTH do
    local entry = fields[at]
    local claimed = entry.claimed + fields[at + QUANTITY_OF]
    entry.claimed = claimed
    if entry.available < claimed then enough = false end
  end
  for at = first, last, LINE_LENGTH do fields[at].claimed = 0 end
  return enough
end

-- The lines as grant takes them, see lib/availability_check.lua.
local function lines_of(fields, first, last)
  local lines = {}
  for at = first, last, LINE_LENGTH do
    local entry = fields[at]
    lines[#lines + 1] = {entry = entry, units = fields[at + QUANTITY_OF]}
  end
  return lines
end

-- Whether the channel can reserve all units, where a record has allocations: it may have less than is available.
local function all_allowed(fields, first, last, channel)
  local _, short = grant(lines_of(fields, first, last), channel)
  return not short
end

-- The answer where the call has no room for the allocations at the places of the lines, or nil.
local function instead_of_allocated(fields, first, last)
  local entries = {}
  for at = first, last, LINE_LENGTH do entries[#entries + 1] = fields[at] end
  return work.take_allocations(entries)
end

-- The lines whose SKU is not known at their location, as refused takes them, or nil.
local function unknown_lines(lines)
  local unknown = nil
  for i, line in ipairs(lines) do
    if not line.entry.record then
      unknown = unknown or {}
      unknown[#unknown + 1] = {i, line.entry.sku, line.entry.location, line.units, 0}
    end
  end
  return unknown
end

-- Decides what a reservation that cannot have all units gets. Returns the units of each line, or nil and the refusal;
-- then the units that each line waits for, or nil where none does.
local function partial_grant(lines, channel, partial, accept_shortage)
  local unknown = unknown_lines(lines)
  if unknown then return nil, refused('unknown_sku', '', unknown) end
  expire_due()
  local granted, short = grant(lines, channel)
  if not short then return granted end
  if more_are_due then return nil, {'retry_after_expiry'} end
  if partial == 'backorder' then
    local missing = backorders.missing(lines, granted, channel)
    if missing then return granted, nil, missing end
    partial = false
  end
  if accept_shortage then
    for i, line in ipairs(lines) do granted[i] = line.units end
    return granted
  end
  local units = 0
  for _, granted_units in ipairs(granted) do units = units + granted_units end
  if not partial or units == 0 then return nil, refused('out_of_stock', '', short) end
  return granted
end

local function has_unnamed(fields, first, last)
  for at = first, last, LINE_LENGTH do
    if fields[at + LOCATION_OF] == '' then return true end
  end
  return false
end

-- Whether lines that name no location cannot simply be had at `main`, and the refusal where others name a closed one.
-- What a channel has sold already (accept_shortage) is booked at a closed location that is named, and short or not,
-- unless it is mirrored.
local function cannot_stay(fields, first, last, channel, accept_shortage)
  local now, short = places_now(), not accept_shortage and units_short() > 0
  if not (now.closed or now.limited or short) then return false, nil end
  local closed = now.closed and place_rules.closed_to(accept_shortage)
  local refusal = closed and refusal_of_closed(fields, first, last, closed) or nil
  return has_unnamed(fields, first, last) and (short or not may_take_from(DEFAULT_LOCATION, channel)), refusal
end

-- Whether an order whose SKUs lie at too many places to look at is left at `main`, which has all its units: that units
-- are short somewhere must not make it slow. Then more is promised than the sum that channels are shown.
local function may_stay(instead, fields, first, last, channel)
  return instead[1] == 'look_in_slices' and may_take_from(DEFAULT_LOCATION, channel)
    and not (backorder_queue and backorder_queue.backlog) and all_available(fields, first, last)
    and (not allocated or all_allowed(fields, first, last, channel))
end

-- The lines of an operation that was resolved, as range.refuse_short takes them.
local function lines_taken(made)
  local lines = lines_of(made.fields, made.at + LINES_AT, made.last)
  for i, line in ipairs(lines) do
    line.units = made.granted and made.granted[i] or line.units
    line.number = made.numbers and made.numbers[i]
  end
  return lines
end

-- As resolve_lines, before the range of counters is looked at.
local function resolve_counts(fields, at, last, accept_shortage)
  local first, channel, partial = at + LINES_AT, fields[at + Reserve.channel], fields[at + Reserve.partial]
  unstocked.take_out(fields, first, last, accept_shortage)
  if has_unnamed(fields, first, last) then return resolve_places(fields, at, accept_shortage) end
  local granted, refusal, missing = partial_grant(lines_of(fields, first, last), channel, partial, accept_shortage)
  if refusal then return nil, refusal end
  return {fields = fields, at = at, last = last, granted = granted, missing = missing}
end

function places_of_order.resolve_lines(fields, at, last, accept_shortage)
  if accept_shortage then note_short() end
  local made, refusal = resolve_counts(fields, at, last, accept_shortage)
  if made and accept_shortage then refusal = range.refuse_short(lines_taken(made)) end
  return made, refusal
end

-- state, created_ms, deadline_ms and ttl_ms, packed: the same for all of a call with this ttl_ms (0: an order).
local function record_start(ttl_ms)
  local state, deadline_ms = 'held', NOW_MS + ttl_ms
  if ttl_ms == 0 then state, deadline_ms = 'committed', 0 end
  local start = packed(state) .. pack(NOW_MS) .. pack(deadline_ms) .. packed(ttl_ms)
  record_starts[ttl_ms] = start
  return start
end

-- Reserves the units of each line: all, or those granted. Returns the lines of the record, packed; their newest seq,
-- packed; and the extra value of the journal, packed, or nil.
local function reserve_lines(fields, first, last, granted, is_order, channel)
  local packed_lines = array_of((last - first) / LINE_LENGTH + 1)
  local bucket, newest = is_order and Stock.committed or Stock.held, nil
  local after = allocated and {}
  for at = first, last, LINE_LENGTH do
    local entry, wanted = fields[at], fields[at + QUANTITY_OF]
    local sku, location = entry.sku, entry.location
    local units = granted and granted[(at - first) / LINE_LENGTH + 1] or wanted
    if units > 0 then reserve_units(entry, bucket, units) end
    local left = entry.available
    if after then left = allocations.follow_new(after, #after + 1, entry, channel, units, units) end
    local taken, seq = packed(units), pack(entry.record[Stock.seq])
    if units > 0 then newest = seq end
    local held, committed = taken, ZERO
    if is_order then held, committed = ZERO, taken end
    packed_lines = packed_lines .. LINE_OF_EIGHT .. string_of[#sku] .. sku .. string_of[#location] .. location
      .. taken .. (units == wanted and taken or packed(wanted)) .. held .. committed .. pack(left) .. seq
  end
  return packed_lines, newest, after and allocations.packed_after(after)
end

-- The optional values behind the lines of a record, and how many of them are to be stored: empty ones at the end are
-- left out. Most records have none; new_record checks that before it calls this.
local function tail_of(fields, at)
  local extras = record_extras or NONE
  local open, as_written = channel_lines.of_new(fields, at, extras.open)
  local quota = fields[at + Reserve.quota]
  if quota then open, as_written = channel_lines.without_hole(open, as_written) end
  local tail = {
    fields[at + Reserve.order_ref], fields[at + Reserve.customer_ref], fields[at + Reserve.flags] or NONE,
    extras.notes or NONE, open, as_written, quota and quotas.of(quota).key,
  }
  local last = quota and Record.quota or as_written and Record.channel_lines or open and Record.open
    or extras.notes and Record.notes or Record.flags
  return tail, last - Record.lines
end

-- Reserves the units. Returns the record, packed, and the extra value of the journal, packed, or nil.
local function new_record(fields, at, last, granted, ttl_ms)
  local fingerprint, actor = fields[at + Reserve.fingerprint], fields[at + Reserve.actor]
  local channel = fields[at + Reserve.channel]
  local packed_lines, seq, extra = reserve_lines(fields, at + LINES_AT, last, granted, ttl_ms == 0, channel)
  local array, rest = RECORD_OF_NINE, ''
  if fields[at + Reserve.order_ref] ~= '' or fields[at + Reserve.customer_ref] ~= '' or fields[at + Reserve.flags]
    or record_extras or fields[at + Reserve.channel_lines] or fields[at + Reserve.quota] then
    local tail, n = tail_of(fields, at)
    array, rest = array_of(Record.lines + n), pack(unpack(tail, 1, n))
  end
  return array .. (record_starts[ttl_ms] or record_start(ttl_ms)) .. seq .. string_of[#channel] .. channel
    .. string_of[#actor] .. actor .. string_of[#fingerprint] .. fingerprint .. packed_lines .. rest,
    extra
end

-- As new_record, for a reservation of which lines wait or count in no bucket; it is rare enough to be made from tables.
local function backorder_record(fields, at, last, granted, missing, ttl_ms)
  local id, channel, is_order = fields[at + Reserve.reservation_id], fields[at + Reserve.channel], ttl_ms == 0
  local flags = fields[at + Reserve.flags] or NONE
  local lines, reserved, seq, after = {}, 0, 0, allocated and {}
  for number = 1, #granted do
    local place = at + LINES_AT + LINE_LENGTH * (number - 1)
    local entry, units, waiting = fields[place], granted[number], missing[number]
    if units + waiting > 0 and not entry.unstocked then
      reserve_units(entry, is_order and Stock.committed or Stock.held, units)
      seq = last_seq
    end
    local left = entry.available
    if after then left = allocations.follow_new(after, number, entry, channel, units, units + waiting) end
    local line = {
      entry.sku, entry.location, units + waiting, fields[place + QUANTITY_OF], is_order and 0 or units,
      is_order and units or 0, left, entry.record[Stock.seq],
    }
    if entry.unstocked then unstocked.complete(line, entry, waiting, is_order)
    elseif waiting > 0 then backorders.enqueue(entry, line, id, number, flags, waiting, is_order) end
    lines[number], reserved = line, reserved + units
  end
  local state = reserved == 0 and 'backordered' or is_order and 'committed' or 'held'
  local record = {
    state, NOW_MS, is_order and 0 or NOW_MS + ttl_ms, ttl_ms, seq, channel, fields[at + Reserve.actor],
    fields[at + Reserve.fingerprint], lines,
  }
  local tail, n = tail_of(fields, at)
  for i = 1, n do record[Record.lines + i] = tail[i] end
  return pack(record), after and allocations.packed_after(after)
end

-- Makes a reservation of the fields at `at`, or returns the original answer of one that exists. last: place of its last
-- line. ttl_ms: 0 for an order. accept_shortage: of an order. Returns the packed answer.
function new_reservation(fields, at, last, ttl_ms, accept_shortage)
  local fingerprint, channel = fields[at + Reserve.fingerprint], fields[at + Reserve.channel]
  local id = fields[at + Reserve.reservation_id]
  local entry = fingerprint ~= '' and reservations[id]
  if entry == nil then return pack(work.wait()) end -- whether there is one was not read
  local earlier = entry and record_of(entry)
  if earlier then
    if tombstones.is(earlier) then return FIRST_CHANGED .. tombstones.meet(entry, fields, at, last, ttl_ms) end
    if not tombstones.is_same(earlier, fingerprint) then return pack(refused('id_reused', earlier[Record.state])) end
    return pack(first_answer(earlier))
  end
  local instead = allocated and instead_of_allocated(fields, at + LINES_AT, last)
  if instead then return pack(instead) end
  local first, granted, missing = at + LINES_AT, nil, nil
  local cannot, refusal = false, nil
  if not places then load_partition() end
  if not main_is_free then
    cannot, refusal = cannot_stay(fields, first, last, channel, accept_shortage)
    if refusal then return pack(refusal) end
  end
  if cannot or (backorder_queue and backorder_queue.backlog) or not all_available(fields, first, last)
    or allocated and not all_allowed(fields, first, last, channel) then
    local made
    made, refusal = places_of_order.resolve_lines(fields, at, last, accept_shortage)
    if allocated and not refusal then refusal = instead_of_allocated(made.fields, made.at + LINES_AT, made.last) end
    if not refusal then
      fields, at, last, granted = made.fields, made.at, made.last, made.granted
      missing = unstocked.set_owed(fields, at, granted, made.missing)
    elseif not may_stay(refusal, fields, first, last, channel) then
      return pack(refusal)
    end
  end
  local quota, units = fields[at + Reserve.quota], 0
  if quota then
    quota = quotas.of(quota)
    refusal, units = quotas.refusal_of_new(quota, fields, at, last, granted, missing)
    if refusal then return pack(refusal) end
  end
  local record, extra
  if missing then record, extra = backorder_record(fields, at, last, granted, missing, ttl_ms)
  else record, extra = new_record(fields, at, last, granted, ttl_ms) end
  journal_reservation(fields[at], id, record, extra)
  write_new(id, record, ttl_ms > 0 and NOW_MS + ttl_ms or 0)
  if quota then quotas.count(quota.key, fields[at + Reserve.customer_ref], units) end
  -- For a later request of this batch with the same id. Without a fingerprint the id is the server's own, so only a
  -- receipt of this batch can look it up: to fill the lines that wait.
  entry = entry or missing and new_reservation_entry(id, nil, false)
  if entry then entry.packed = record end
  return FIRST_CHANGED .. record
end

end
