-- What was booked of channels' orders, by channel and order number: the record is written by the script that has the
-- effect. The hot path declares no such hash.
--
-- hash orders   channel \0 number -> [version, state, [reservation id, …], touched_ms, …], see
--               server/domain/booked_orders.py
--
-- Two things stand in front of an operation:
--   noted     field, expected version, the new record (packed), whether reservations are as they were seen:
--             [[id, seen], …]. Intake books a step: the operation runs if nothing has moved, and the record is written
--             if it had an effect. Else the answer is the refusal order_moved, and nothing changed.
--   numbered  channel, number, and for a commit the names of the configured channels, each between zero bytes (a table
--             of them would cost more than the commit). A reserve, order or commit that names the number of an order.
--             Where intake has booked it, the answer is order_known; else its reservation is added to the record, so
--             that intake adopts it.

local order_notes = {}

do

-- Places of the fields, counted from the tag; and how many stand in front of the operation.
local TOMBSTONES_AT, LIKENESS_AT, ORDERS_AT = 11, 12, 13 -- places in KEYS
local AMONG_LENGTH = 3 -- see operations/among.lua
local NOTED_AT, NOTED_LENGTH = {field = 1, version = 2, record = 3, seen = 4}, 5
local NUMBERED_AT, NUMBERED_LENGTH = {channel = 1, number = 2, channels = 3}, 4
local HEAD_BYTES, HEAD_FIELDS = 1, 4 -- of a record, whose first values are read alone
local POSTED = 'posted'
local RESERVATIONS_MAX = 60 -- that one number is known to have
local SEEN_LINES_MAX = 2000 -- of reservations that a step compares: some 2 ms
-- How the answer of an operation that had an effect begins, behind the head of its array.
local CHANGED, CHANGED_NOW = '\167changed', '\167changed\194'
local NOTED = '\171order_noted'
-- How the record begins of a number that one reservation names: an array of four values (\148), the version 1, a string
-- of six bytes (\166), an array of one value (\145). To make a table and pack it would cost as much as all the rest.
local FIRST_POSTED = '\148\1\166' .. POSTED .. '\145'

local key -- of the hash
local records -- field -> packed record, or false; nil: not read
local changes -- {field, packed record, …}
local wanted -- fields that the call needs
local packed_now -- NOW_MS, or nil: not packed yet
local commits -- {fields, at, …} of those whose reservation knows the channel, once it is read

-- Runs the batch of a function that declares the hash. keys: behind the partition's, see functions/mutate_noting.lua.
function order_notes.run(args, keys)
  tombstones.key, key = keys[TOMBSTONES_AT], keys[ORDERS_AT]
  records, changes, wanted, commits, packed_now = {}, {}, {}, {}, nil
  likeness.begin(keys[LIKENESS_AT])
  local answers = run(args)
  likeness.write()
  flush('HSET', key, changes)
  return answers
end

-- Adds the fields that the commits of the call need, now that their reservations are read.
local function want_of_commits()
  for i = 1, #commits, 2 do
    local fields, at = commits[i], commits[i + 1]
    local entry = reservations[fields[order_notes.operation_at(fields, at + NUMBERED_LENGTH) + Commit.reservation_id]]
    local record = entry and entry.record
    if record then wanted[#wanted + 1] = record[Record.channel] .. '\0' .. fields[at + NUMBERED_AT.number] end
  end
  commits = {}
end

local function read(field)
  if #commits > 0 then want_of_commits() end
  if #wanted > 0 then
    for i, packed in ipairs(hash_get_many(key, wanted)) do records[wanted[i]] = packed end
    wanted = {}
  end
  if records[field] == nil then records[field] = call('HGET', key, field) end
  return records[field]
end

-- The first values of a record, or nil.
local function head_of(field)
  local packed = read(field)
  if not packed then return nil end
  local _, version, state, ids, touched_ms = unpack_some(packed, HEAD_FIELDS, HEAD_BYTES)
  return {[Booked.version] = version, [Booked.state] = state, [Booked.reservations] = ids,
    [Booked.touched_ms] = touched_ms}
end

local function set(field, packed)
  records[field] = packed
  push(changes, field, packed)
end

-- The place of the reserve, order or other operation itself, behind what stands in front of it.
function order_notes.operation_at(fields, at)
  local tag = fields[at]
  if tag == 'named' then return order_notes.operation_at(fields, likeness.behind(fields, at)) end
  if tag == 'source' then return sourcing.reservation_at(fields, at) end
  if tag == 'among' then return order_notes.operation_at(fields, at + AMONG_LENGTH) end
  if tag == 'bind' then return order_notes.bound_at(fields, at) end
  return at
end

-- The place of the next operation.
function order_notes.following(fields, at)
  local own = order_notes.operation_at(fields, at)
  local shape = SHAPES[fields[own]]
  if shape.line_count then return last_line(fields, own) + LINE_LENGTH end
  return own + shape.length
end

-- What a reservation has of each kind of units; server/domain/order_progress.py makes the same.
local function seen_of(record)
  return string.format(
    '%.0f:%.0f:%.0f:%.0f:%.0f:%.0f:%.0f:%.0f:%.0f', record[Record.seq], total(record, Line.held),
    total(record, Line.committed), total(record, Line.fulfilled), total(record, Line.released),
    total(record, Line.expired), total(record, Line.returned), total(record, Line.waiting), total(record, Line.owed)
  )
end

-- Whether a reservation is not as it was seen. Those that the operation is not about are read here.
local function has_moved(fields, at)
  local head, unread = head_of(fields[at + NOTED_AT.field]), {}
  if (head and head[Booked.version] or 0) ~= fields[at + NOTED_AT.version] then return true end
  local seen = fields[at + NOTED_AT.seen]
  for _, each in ipairs(seen) do
    if reservations[each[1]] == nil then unread[#unread + 1] = each[1] end
  end
  load_reservations(unread, SEEN_LINES_MAX)
  for _, each in ipairs(seen) do
    local entry = reservations[each[1]]
    local record = entry and record_of(entry)
    if not record or seen_of(record) ~= each[2] then return true end
  end
  return false
end

-- Runs the step of an order's booking, and writes the record with it. Returns its answer, packed, and where the next
-- operation begins.
local function noted(fields, at)
  local start, field = at + NOTED_LENGTH, fields[at + NOTED_AT.field]
  if has_moved(fields, at) then return pack(refused('order_moved')), order_notes.following(fields, start) end
  local result, after = work.run_at(fields, start)
  if result:sub(2, 1 + #CHANGED) == CHANGED or result:sub(2, 1 + #NOTED) == NOTED then
    set(field, fields[at + NOTED_AT.record])
  end
  return result, after
end

-- Adds a reservation to the record of a number that intake has not booked.
local function add(field, head, id)
  if not head then
    packed_now = packed_now or pack(NOW_MS)
    local first = string_of[#id]
    set(field, FIRST_POSTED .. (first and first .. id or pack(id)) .. packed_now)
    return
  end
  local ids = head[Booked.reservations]
  for _, each in ipairs(ids) do
    if each == id then return end
  end
  if #ids >= RESERVATIONS_MAX then return end
  ids[#ids + 1] = id
  set(field, pack({head[Booked.version] + 1, POSTED, ids, NOW_MS}))
end

local function is_among(ids, id)
  for _, each in ipairs(ids) do
    if each == id then return true end
  end
  return false
end

-- Whether intake has booked the order, and not by this reservation; or this one's hold ended, and it was booked anew.
local function is_known_otherwise(head, id, record)
  if not head or head[Booked.state] == POSTED then return false end
  if not is_among(head[Booked.reservations], id) then return true end
  return record ~= nil and total(record, Line.held) == 0 and total(record, Line.expired) > 0
end

local function order_known(head)
  return refused('order_known', '', {{0, '', '', 0, 0, '', head[Booked.reservations][1] or ''}})
end

-- The channel of the order that the operation names, or nil: then it enters no index. Also whether the operation is a
-- repeat of one that was carried out, and the record of its reservation.
local function subject(fields, at, own)
  local id = fields[own + Reserve.reservation_id]
  local entry = reservations[id]
  local record = entry and record_of(entry)
  if fields[own] ~= 'commit' then
    local is_unread = not entry and fields[own + Reserve.fingerprint] ~= ''
    return fields[at + NUMBERED_AT.channel], is_unread or record ~= nil, nil
  end
  if record then expire_if_due(entry) end
  local channel = record and record[Record.channel]
  local is_listed = channel and fields[at + NUMBERED_AT.channels]:find('\0' .. channel .. '\0', 1, true)
  local idempotency_key = fields[own + Commit.key]
  return is_listed and channel or nil, idempotency_key ~= '' and remembered[idempotency_key] ~= false, record
end

-- Runs a reserve, order or commit that names the number of an order.
local function numbered(fields, at)
  local start = at + NUMBERED_LENGTH
  local own = order_notes.operation_at(fields, start)
  local id = fields[own + Reserve.reservation_id]
  local channel, is_repeat, record = subject(fields, at, own)
  if not channel or is_repeat then return work.run_at(fields, start) end
  local field = channel .. '\0' .. fields[at + NUMBERED_AT.number]
  local head = head_of(field)
  if is_known_otherwise(head, id, record) then return pack(order_known(head)), order_notes.following(fields, start) end
  local result, after = work.run_at(fields, start)
  local is_new = result:sub(2, 1 + #CHANGED_NOW) == CHANGED_NOW
  if is_new and (not head or head[Booked.state] == POSTED) then add(field, head, id) end
  return result, after
end

composite('noted', {
  run = noted,
  prefetch = function(fields, at)
    wanted[#wanted + 1] = fields[at + NOTED_AT.field]
    return at + NOTED_LENGTH
  end,
})
composite('numbered', {
  run = numbered,
  prefetch = function(fields, at)
    local channel = fields[at + NUMBERED_AT.channel]
    if channel ~= '' then wanted[#wanted + 1] = channel .. '\0' .. fields[at + NUMBERED_AT.number]
    else push(commits, fields, at) end
    return at + NUMBERED_LENGTH
  end,
})

end
