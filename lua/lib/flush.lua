-- Writes everything that a call has changed, at its end. Nothing is written before: Lua does not roll back.

-- Calls a variadic command in chunks; with no arguments it is not called.
local function flush(command, key, args)
  local n = #args
  for first = 1, n, CHUNK do
    call(command, key, unpack(args, first, min(first + CHUNK - 1, n)))
  end
end

local function push(args, a, b)
  args[#args + 1] = a
  args[#args + 1] = b
end

local write

do

-- The changed entries that are or were short of units, or nil; and by how many units the shortage changes.
local function short_entries()
  local entries, delta = nil, 0
  for i = 1, #changed_stock do
    local entry = changed_stock[i]
    if entry.available < 0 or entry.shortage > 0 then
      entries = entries or {}
      entries[#entries + 1] = entry
      delta = delta + shortage(entry) - entry.shortage
    end
  end
  return entries, delta
end

local function write_stock()
  local records, new_places = {}, nil
  for i = 1, #changed_stock do
    local entry = changed_stock[i]
    records[2 * i - 1] = entry.field
    records[2 * i] = allocated and entry.record[Stock.allocations] and allocations.packed_record(entry.record)
      or pack(entry.record)
    if entry.is_new then
      new_places = new_places or {}
      new_places[entry.sku] = new_places[entry.sku] or {}
      new_places[entry.sku][#new_places[entry.sku] + 1] = entry.location
    end
    if entry.on_hand_changes then write_on_hand_log(entry) end
  end
  flush('HSET', STOCK, records)
  for sku, locations in pairs(new_places or NONE) do
    call('HSET', SKUS, sku, packed_lists.extended(call('HGET', SKUS, sku), locations))
  end
  if #changed_stock > 0 then call('HSET', META, 'seq', last_seq) end
  if unmapped_lines ~= 0 then call('HINCRBY', META, 'unmapped', unmapped_lines) end
end

-- How long a record that has ended is kept.
local function kept_ms(record)
  if record[Record.state] == 'fulfilled' then return LIMITS.fulfilled_ms end
  return tombstones.is(record) and LIMITS.idempotency_ms or LIMITS.ended_ms
end

-- Writes records that existed before, or that are new and were changed in this call. live and deadlines hold those of
-- new reservations already. Records that end are deleted after those are written, for they may be among them.
local function write_changed(live, deadlines)
  local ended, revived, gone, done, forget = {}, {}, {}, {}, {}
  for i = 1, #changed_reservations do
    local entry = changed_reservations[i]
    local id, record = entry.id, entry.record
    local state = record[Record.state]
    if state == 'held' or state == 'committed' or state == 'backordered' then
      push(live, id, pack(record))
      if entry.was_ended then revived[#revived + 1] = id end
    else
      push(ended, id, pack(record))
      push(forget, NOW_MS + kept_ms(record), 'r' .. id)
      if entry.was_live then gone[#gone + 1] = id end
    end
    if record[Record.deadline_ms] > 0 then push(deadlines, record[Record.deadline_ms], id)
    elseif entry.had_deadline then done[#done + 1] = id end
  end
  flush('ZADD', DEADLINES, deadlines)
  flush('HSET', RESERVATIONS, live)
  flush('ZREM', DEADLINES, done)
  flush('HSET', ENDED, ended)
  flush('HDEL', RESERVATIONS, gone)
  flush('ZADD', FORGET, forget)
  for i = 1, #revived do
    call('HDEL', ENDED, revived[i])
    call('ZREM', FORGET, 'r' .. revived[i])
  end
end

local function write_reservations()
  -- First, for a new reservation of this call may have the id of an orphan.
  flush('ZREM', DEADLINES, orphans)
  if #changed_reservations > 0 then
    write_changed(live_records, live_deadlines)
    return
  end
  flush('ZADD', DEADLINES, live_deadlines)
  flush('HSET', RESERVATIONS, live_records)
end

local function write_keys()
  local kept, forget = {}, {}
  for _, key in ipairs(new_keys) do
    push(kept, key, pack(remembered[key]))
    push(forget, NOW_MS + LIMITS.idempotency_ms, 'k' .. key)
  end
  flush('HSET', IDEMPOTENCY, kept)
  flush('ZADD', FORGET, forget)
end

-- Writes the journal entry, stock, reservations, backorder queue and idempotency keys.
function write()
  local short, shortage_delta = short_entries()
  if short then lacking.journal(short) end
  if change_count > 0 then call('XADD', JOURNAL, '*', 'e', array_of(change_count) .. concat(change_parts)) end
  if aliases.moved then aliases.write() end
  write_stock()
  if short then
    if shortage_delta ~= 0 then call('HINCRBY', META, 'shortage', string.format('%.0f', shortage_delta)) end
    lacking.write(short)
  end
  write_reservations()
  if backorder_queue then backorders.write() end
  if #new_keys > 0 then write_keys() end
  if quotas.moved then quotas.write() end
  if tombstones.made or tombstones.met then tombstones.write() end
  if counts.call then counts.write() end
end

end
