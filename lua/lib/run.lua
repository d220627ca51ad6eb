-- Runs the operations of a batch in order. Each stands alone: its answer depends only on the state that those
-- before it left. All that they will need is read first, in a few commands for the whole batch.

-- Where an operation keeps its reservation id and its idempotency key (its place in the array; nil: it has none).
local TAG, OPERATION_FINGERPRINT = 1, 2
local RESERVATION_ID = {extend = 4, commit = 4, release = 4, cancel = 4, fulfil = 4}
local KEY = {extend = 5, commit = 5, release = 5, cancel = 5, fulfil = 5, receive = 4, adjust = 4, count = 4}

local function want_lines_of(ids)
  load_reservations(ids)
  for i = 1, #ids do
    local record = reservations[ids[i]].record
    local lines = record and record[LINES] or NONE
    for j = 1, #lines do want_stock(lines[j][LINE_SKU], lines[j][LINE_LOCATION]) end
  end
end

local function prefetch(operations)
  local ids, keys = {}, {}
  for i = 1, #operations do
    local operation = operations[i]
    local tag = operation[TAG]
    if tag == 'reserve' or tag == 'order' then
      local lines = operation[6]
      -- The entry goes into the line, so that its name is put together once only.
      for j = 1, #lines do lines[j][4] = want_stock(lines[j][1], lines[j][2]) end
      -- Without a fingerprint the id is the server's own and new: there is nothing to look up.
      if operation[OPERATION_FINGERPRINT] ~= '' then ids[#ids + 1] = operation[4] end
    else
      if RESERVATION_ID[tag] then ids[#ids + 1] = operation[4] else want_stock(operation[5], operation[6]) end
      local key = operation[KEY[tag]]
      if key ~= '' then keys[#keys + 1] = key end
    end
  end
  if #ids > 0 then want_lines_of(ids) end
  if #keys > 0 then load_keys(keys) end
  load_stock()
end

-- Runs one operation; gives its answer, packed. Packed at once, because a later operation of the batch may change the
-- record that this answer shows.
local function answer(handlers, operation)
  local tag = operation[TAG]
  local key = KEY[tag] and operation[KEY[tag]] or ''
  local first = key ~= '' and remembered[key]
  if first then
    if first[1] ~= operation[OPERATION_FINGERPRINT] then return pack(refused('id_reused')) end
    return first[3]
  end
  local result = handlers[tag](operation)
  if type(result) == 'string' then return result end
  if key ~= '' and (result[1] == 'changed' or result[1] == 'stock_changed') then
    remember(key, operation[OPERATION_FINGERPRINT], RESERVATION_ID[tag] and operation[4] or '', result)
  end
  return pack(result)
end

local function run(handlers, packed_operations)
  local operations = unpack_msg(packed_operations)
  prefetch(operations)
  local answers = {}
  for i = 1, #operations do answers[i] = answer(handlers, operations[i]) end
  write()
  return answers
end
