-- Runs the operations of a batch in order. Each stands alone: its answer depends only on the state that those
-- before it left. All that they will need is read first, in a few commands for the whole batch.

-- Where an operation keeps its reservation id and its idempotency key (its place in the array; nil: it has none).
local RESERVATION_ID = {extend = 4, commit = 4, release = 4, cancel = 4, fulfil = 4, reserve = 4, order = 4}
local KEY = {extend = 5, commit = 5, release = 5, cancel = 5, fulfil = 5, receive = 4, adjust = 4, count = 4}
local TAG, OPERATION_FINGERPRINT = 1, 2

local function prefetch(operations)
  local ids, keys, fields, wanted, seen = {}, {}, {}, {}, {}
  local function want_stock(sku, location)
    local field = stock_field(sku, location)
    if not wanted[field] then
      wanted[field] = {sku, location}
      fields[#fields + 1] = field
    end
  end
  for _, operation in ipairs(operations) do
    local tag = operation[TAG]
    if tag == 'reserve' or tag == 'order' then
      for _, line in ipairs(operation[6]) do want_stock(line[1], line[2]) end
      -- Without a fingerprint the id is the server's own and new: there is nothing to look up.
      if operation[OPERATION_FINGERPRINT] ~= '' then ids[#ids + 1] = operation[4] end
    elseif RESERVATION_ID[tag] then
      ids[#ids + 1] = operation[4]
    else
      want_stock(operation[5], operation[6])
    end
    local key = KEY[tag] and operation[KEY[tag]]
    if key and key ~= '' then keys[#keys + 1] = key end
  end
  if #ids > 0 then
    load_reservations(ids)
    for _, id in ipairs(ids) do
      local record = reservations[id].record
      for _, line in ipairs(record and record[LINES] or {}) do want_stock(line[LINE_SKU], line[LINE_LOCATION]) end
    end
  end
  if #keys > 0 then load_keys(keys) end
  load_stock(fields, wanted)
end

local function answer(handlers, operation)
  local tag = operation[TAG]
  local key = KEY[tag] and operation[KEY[tag]] or ''
  local first = key ~= '' and remembered[key]
  if first then
    if first[1] ~= operation[OPERATION_FINGERPRINT] then return refused('id_reused') end
    local replay = first[3]
    return {replay[1], true, replay[3], replay[4]}
  end
  local result = handlers[tag](operation)
  if key ~= '' and (result[1] == 'changed' or result[1] == 'stock_changed') then
    -- Packed and unpacked: the answer shares tables with records that later operations of this batch may change.
    remember(key, operation[OPERATION_FINGERPRINT], RESERVATION_ID[tag] and operation[4] or '', unpack_msg(pack(result)))
  end
  return result
end

local function run(handlers)
  local operations = unpack_msg(ARGV[2])
  prefetch(operations)
  local answers = {}
  for i = 1, #operations do
    -- Packed at once: a later operation of the batch may change the record that this answer shows.
    answers[i] = pack(answer(handlers, operations[i]))
  end
  write()
  return answers
end
