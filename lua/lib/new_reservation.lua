-- Makes a new reservation: what operations/reserve.lua and operations/order.lua share, which differ in one field only.
--
local new_reservation

do

-- What an answer ["changed", false, record] begins with in MessagePack: an array of three, a string of seven bytes,
-- false. The record follows as it is stored, so that it is packed only once.
local FIRST_CHANGED = '\147\167changed\194'

-- The answer of the first time, rebuilt from what never changes in a record.
local function first_answer(record)
  local is_order = record[Record.ttl_ms] == 0
  local lines, seq, there = {}, 0, 0
  for i, line in ipairs(record[Record.lines]) do
    if line[Line.first_seq] == 0 then break end -- a move added it, and those behind it
    local quantity, waited = line[Line.quantity], line[Line.first_waiting] or 0
    local units = quantity - waited
    lines[i] = {
      line[Line.sku], line[Line.location], quantity, line[Line.requested], is_order and 0 or units,
      is_order and units or 0, line[Line.first_available], line[Line.first_seq],
    }
    if waited > 0 then backorders.wait(lines[i], is_order, waited, line[Line.mode], line[Line.promise_on]) end
    seq, there = max(seq, line[Line.first_seq]), there + units
  end
  local first = {}
  for i = Record.state, Record.flags do first[i] = record[i] end
  local open = record[Record.open]
  if open then first[Record.notes], first[Record.open] = NONE, {open[Open.group], open[Open.lines], false} end
  first[Record.state] = there == 0 and 'backordered' or is_order and 'committed' or 'held'
  first[Record.deadline_ms] = is_order and 0 or record[Record.created_ms] + record[Record.ttl_ms]
  first[Record.seq] = seq
  first[Record.lines] = lines
  return {'changed', true, first}
end

-- Whether every line can have all that it wants; duplicates are added up. False also where a SKU is unknown: nothing is
-- available there.
local function all_there(fields, first, last)
  -- The usual case, and nothing to add up.
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

-- The lines as grant takes them.
local function lines_of(fields, first, last)
  local lines = {}
  for at = first, last, LINE_LENGTH do
    local entry = fields[at]
    lines[#lines + 1] = {entry = entry, units = fields[at + QUANTITY_OF]}
  end
  return lines
end

-- As all_there, which was asked first, where channels have something for themselves: one may have less than there is.
local function all_allowed(fields, first, last, channel)
  local _, short = grant(lines_of(fields, first, last), channel)
  return not short
end

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

-- Decides what a promise that cannot have everything gets: the units of each line, or nil and the refusal; and how many
-- units each line waits for, or nil where none does.
local function settle_for(lines, channel, partial, accept_shortage)
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

-- The record of a new promise is put together from packed parts rather than packed from tables: tables made only to be
-- packed would cost as much as all else that a reserve does.

-- Arrays in MessagePack: a record without what may be left out at its end, and a line without the same.
local RECORD_OF_NINE, LINE_OF_EIGHT = '\153', '\152'
local ZERO = '\0'

-- state, created_ms, deadline_ms, ttl_ms, packed: the same for all of a call that have this ttl (0: an order).
local function record_start(ttl_ms)
  local state, deadline_ms = 'held', NOW_MS + ttl_ms
  if ttl_ms == 0 then state, deadline_ms = 'committed', 0 end
  local start = packed(state) .. pack(NOW_MS) .. pack(deadline_ms) .. packed(ttl_ms)
  record_starts[ttl_ms] = start
  return start
end

-- What the journal has to know of a line whose own figure is what is left for its channel; packed.
local function behind_line(entry)
  if not entry.record[Stock.allocations] then return pack(false) end
  return pack({entry.available, entry.record[Stock.allocations]})
end

-- Takes the units, all that was wanted or what was granted. Gives the lines of the record and the newest seq, packed, and
-- what the journal is to know beside them, or nil.
local function take_units(fields, first, last, granted, is_order, channel)
  local packed_lines, bucket, newest = array_of((last - first) / LINE_LENGTH + 1), is_order and Stock.committed or Stock.held, nil
  local behind, is_told = packed_lines, false
  for at = first, last, LINE_LENGTH do
    local entry, location, wanted = fields[at], fields[at + LOCATION_OF], fields[at + QUANTITY_OF]
    local sku, units = entry.sku, granted and granted[(at - first) / LINE_LENGTH + 1] or wanted
    if units > 0 then take_from(entry, bucket, units) end
    local left = entry.available
    if allocated then
      allocations.follow(entry.record, channel, units, 0)
      behind, left = behind .. behind_line(entry), allocations.left(entry, channel)
      is_told = is_told or entry.record[Stock.allocations]
    end
    local taken, seq = packed(units), pack(entry.record[Stock.seq])
    if units > 0 then newest = seq end
    local held, committed = taken, ZERO
    if is_order then held, committed = ZERO, taken end
    packed_lines = packed_lines .. LINE_OF_EIGHT .. string_of[#sku] .. sku .. string_of[#location] .. location .. taken
      .. (units == wanted and taken or packed(wanted)) .. held .. committed .. pack(left) .. seq
  end
  return packed_lines, newest, is_told and behind or nil
end

-- What stands behind the lines of a record, and how many of it are to be written: the rest may be left out. Most records
-- have nothing there; new_record asks before it calls this.
local function tail_of(fields, at)
  local extras = record_extras or NONE
  local tail = {
    fields[at + Reserve.order_ref], fields[at + Reserve.customer_ref], fields[at + Reserve.flags] or NONE,
    extras.notes or NONE, extras.open,
  }
  local last = extras.open and Record.open or extras.notes and Record.notes or Record.flags
  return tail, last - Record.lines
end

-- Takes the units and gives the record, packed; and what the journal is to know beside it, or nil.
local function new_record(fields, at, last, granted, ttl_ms)
  local fingerprint, actor = fields[at + Reserve.fingerprint], fields[at + Reserve.actor]
  local channel = fields[at + Reserve.channel]
  local packed_lines, seq, behind = take_units(fields, at + LINES_AT, last, granted, ttl_ms == 0, channel)
  local array, rest = RECORD_OF_NINE, ''
  if fields[at + Reserve.order_ref] ~= '' or fields[at + Reserve.customer_ref] ~= '' or fields[at + Reserve.flags]
    or record_extras then
    local tail, n = tail_of(fields, at)
    array, rest = array_of(Record.lines + n), pack(unpack(tail, 1, n))
  end
  return array .. (record_starts[ttl_ms] or record_start(ttl_ms)) .. seq .. string_of[#channel] .. channel
    .. string_of[#actor] .. actor .. string_of[#fingerprint] .. fingerprint .. packed_lines .. rest, behind
end

-- As new_record, for a promise of which something has to wait; rare enough to be made from tables.
local function waiting_record(fields, at, last, granted, missing, ttl_ms)
  local id, channel, is_order = fields[at + Reserve.reservation_id], fields[at + Reserve.channel], ttl_ms == 0
  local flags = fields[at + Reserve.flags] or NONE
  local lines, there, behind, is_told = {}, 0, array_of(#granted), false
  for number = 1, #granted do
    local place = at + LINES_AT + LINE_LENGTH * (number - 1)
    local entry, units, waited = fields[place], granted[number], missing[number]
    take_from(entry, is_order and Stock.committed or Stock.held, units)
    local left = entry.available
    if allocated then
      allocations.follow(entry.record, channel, units, 0)
      behind, left = behind .. behind_line(entry), allocations.left(entry, channel)
      is_told = is_told or entry.record[Stock.allocations]
    end
    local line = {
      entry.sku, entry.location, units + waited, fields[place + QUANTITY_OF], is_order and 0 or units,
      is_order and units or 0, left, entry.record[Stock.seq],
    }
    if waited > 0 then backorders.join(entry, line, id, number, flags, waited, is_order) end
    lines[number], there = line, there + units
  end
  local state = there == 0 and 'backordered' or is_order and 'committed' or 'held'
  local record = {
    state, NOW_MS, is_order and 0 or NOW_MS + ttl_ms, ttl_ms, last_seq, channel, fields[at + Reserve.actor],
    fields[at + Reserve.fingerprint], lines,
  }
  local tail, n = tail_of(fields, at)
  for i = 1, n do record[Record.lines + i] = tail[i] end
  return pack(record), is_told and behind or nil
end

function new_reservation(fields, at, last, ttl_ms, accept_shortage)
  local fingerprint, channel = fields[at + Reserve.fingerprint], fields[at + Reserve.channel]
  local id = fields[at + Reserve.reservation_id]
  local entry = fingerprint ~= '' and reservations[id]
  local earlier = entry and record_of(entry)
  if earlier then
    if earlier[Record.fingerprint] ~= fingerprint then return pack(refused('id_reused', earlier[Record.state])) end
    return pack(first_answer(earlier))
  end
  local granted, refusal, missing = nil, nil, nil
  local first = at + LINES_AT
  if (waits and waits.backlog) or not all_there(fields, first, last)
    or allocated and not all_allowed(fields, first, last, channel) then
    local partial = fields[at + Reserve.partial]
    granted, refusal, missing = settle_for(lines_of(fields, first, last), channel, partial, accept_shortage)
    if refusal then return pack(refusal) end
  end
  local record, behind
  if missing then record, behind = waiting_record(fields, at, last, granted, missing, ttl_ms)
  else record, behind = new_record(fields, at, last, granted, ttl_ms) end
  journal_promise(fields[at], id, record, behind)
  write_new(id, record, ttl_ms > 0 and NOW_MS + ttl_ms or 0)
  -- For the next one of this batch with the same id. Without a fingerprint the id is new, and nobody else can mean it.
  -- Unless it waits: then a receipt of this batch can.
  entry = entry or missing and new_reservation_entry(id, nil, false)
  if entry then entry.packed = record end
  return FIRST_CHANGED .. record
end

end
