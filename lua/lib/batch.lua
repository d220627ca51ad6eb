-- Runs the operations of a batch in order. Each stands alone: its answer depends only on the state that those
-- before it left. All that they will need is read first, in a few commands for the whole batch.
--
-- args[2] holds the fields of all operations one after the other, MessagePack values without arrays around them:
-- unpacked at once into one table, where an operation begins at its tag and FIELDS tells how many it has.

-- A handler is given these fields and where its operation begins: fields[at] is the tag. A promise (reserve, order) has
-- its lines behind its fields, and gives its answer packed, for most of that is the record as it is stored. Those of 0
-- fields belong to what stands behind them, and are told how to go on themselves: a source to a promise (see
-- lib/sourcing.lua), a bind to a commit or fulfil, an exchange to a promise, which may have a source before it.
local FIELDS = {
  extend = 6, commit = 8, release = 6, cancel = 7, fulfil = 9, receive = 8, adjust = 9, count = 10, move = 10,
  backorder = 9, allocate = 12, allocate_move = 12,
  ['return'] = 7, source = 0, relocate = 6, bind = 0, exchange = 0,
}
local HEADS = {bind = 6, exchange = 7} -- fields of a bind before its chunks, of an exchange before its promise
-- Places of the fields, counted from the tag.
local FINGERPRINT_AT = 1

local answer, sourced, run

do

local TARGET_AT, KEY_AT, SKU_AT, LOCATION_AT = 3, 4, 4, 5
local ON_RESERVATION = {
  extend = true, commit = true, release = true, cancel = true, fulfil = true, ['return'] = true,
  relocate = true, exchange = true,
}

local function want_lines_of(ids)
  load_reservations(ids)
  for i = 1, #ids do
    local record = reservations[ids[i]].record
    local lines = record and record[LINES] or NONE
    for j = 1, #lines do want_stock(lines[j][LINE_SKU], lines[j][LINE_LOCATION]) end
  end
end

-- The idempotency key of an operation, or nil. A promise has its id for that.
local function key_of(fields, at, tag)
  local key = fields[at + (ON_RESERVATION[tag] and KEY_AT or TARGET_AT)]
  return key ~= '' and key or nil
end

local function prefetch(fields)
  local ids, keys, at, n = {}, {}, 1, #fields
  while at <= n do
    local tag = fields[at]
    if tag == 'reserve' or tag == 'order' then
      local last = last_line(fields, at)
      -- The entry takes the place of the SKU, so that its name is put together once only.
      for j = at + LINES_AT, last, 3 do fields[j] = want_stock(fields[j], fields[j + 1]) end
      -- Without a fingerprint the id is the server's own and new: there is nothing to look up.
      if fields[at + FINGERPRINT_AT] ~= '' then ids[#ids + 1] = fields[at + TARGET_AT] end
      at = last + 3
    elseif tag == 'source' then
      at = sourcing.prefetch(fields, at)
    elseif tag == 'bind' then
      at = at + HEADS.bind + fields[at + HEADS.bind - 1]
    else
      if ON_RESERVATION[tag] then ids[#ids + 1] = fields[at + TARGET_AT]
      else want_stock(fields[at + SKU_AT], fields[at + LOCATION_AT]) end
      keys[#keys + 1] = key_of(fields, at, tag)
      at = at + (tag == 'exchange' and HEADS.exchange or FIELDS[tag])
    end
  end
  if #ids > 0 then want_lines_of(ids) end
  if #keys > 0 then load_keys(keys) end
  load_stock()
end

-- Runs one operation that may have a key; gives its answer, packed. Packed at once, because a later operation of the
-- batch may change the record that this answer shows.
function answer(handler, fields, at, tag)
  local key = key_of(fields, at, tag)
  local first = key and remembered[key]
  if first then
    if first[1] ~= fields[at + FINGERPRINT_AT] then return pack(refused('id_reused')) end
    return first[3]
  end
  local result = handler(fields, at)
  if key and result[2] == false then -- it took effect, now
    remember(key, fields[at + FINGERPRINT_AT], ON_RESERVATION[tag] and fields[at + TARGET_AT] or '', result)
  end
  return pack(result)
end

-- Plans a promise and runs it, unless there is no plan; gives its answer, packed, and where the next operation begins.
function sourced(handlers, fields, at)
  local promise = sourcing.promise_at(fields, at)
  local last, extras = last_line(fields, promise), record_extras
  local longer, refusal = sourcing.plan(fields, at)
  local result
  if refusal then result = pack(refusal)
  elseif longer then result = handlers[longer[1]](longer, 1, last_line(longer, 1))
  else result = handlers[fields[promise]](fields, promise, last) end
  record_extras = extras
  return result, last + 3
end

function run(handlers, args)
  local fields = {unpack_msg(args[2])}
  prefetch(fields)
  local answers, count, at, n = {}, 0, 1, #fields
  while at <= n do
    local tag = fields[at]
    local handler, length = handlers[tag], FIELDS[tag]
    count = count + 1
    if length and length > 0 then
      answers[count] = answer(handler, fields, at, tag)
      at = at + length
    elseif length then
      answers[count], at = (handlers[tag] or sourced)(handlers, fields, at)
    else
      local last = last_line(fields, at)
      answers[count] = handler(fields, at, last)
      at = last + 3
    end
  end
  write()
  return answers
end

end
