-- read: answers a batch of questions about availability, stock and reservations. Flag no-writes.
--
-- KEYS  the ten keys of one partition, see lib/context.lua
-- ARGV  [1] limits  [2] questions, their four fields as MessagePack values one after the other:
--         "availability", [sku, …], location or "", channel or "" (available to any channel)
--         "stock", sku, "", ""
--         "reservation", id, "", ""
--         "places", [sku, …], "", "": where they are known
--         "units", [[sku, location], …], "", channel: what it can reserve there
-- Reply for each question, in order, MessagePack; units and seq are integers:
--   availability  [now_ms, [[[location, available, seq], …], …], version of the places]: for each SKU its locations;
--                 none where it is unknown. At a closed location nothing is available, see lib/places.lua
--   stock         [now_ms, [[sku, location, on_hand, held, committed, damaged, quality_control, safety, seq,
--                 allocations or false, backorder], …], version of the places, [location, …]: those of them that are
--                 closed]; allocations and backorder are left out where there are none
--   reservation   [now_ms, record or nil], see lib/reservations.lua
--   places        [now_ms, [[location, …], …]]: for each SKU
--   units         [now_ms, [units, …]]: 0 where the SKU is not known, negative: a shortage

local QUESTION_LENGTH = 4 -- fields of one question

-- Reads the locations of all SKUs that the questions are about: sku -> {location, …}.
local function all_locations(questions)
  local skus, seen = {}, {}
  local function want(sku)
    if seen[sku] then return end
    seen[sku] = true
    skus[#skus + 1] = sku
  end
  for _, question in ipairs(questions) do
    if question.kind == 'availability' then
      for _, sku in ipairs(question.about) do want(sku) end
    elseif question.kind == 'stock' then
      want(question.about)
    end
  end
  local packed, locations = hash_get_many(SKUS, skus), {}
  for i, sku in ipairs(skus) do locations[sku] = packed[i] and unpack_msg(packed[i]) or {} end
  return locations
end

local function load_levels(locations)
  for sku, names in pairs(locations) do
    for _, location in ipairs(names) do want_stock(sku, location) end
  end
  load_stock()
end

local function location_levels(sku, wanted, channel, names)
  local levels = {}
  for _, location in ipairs(names) do
    if wanted == '' or wanted == location then
      local entry = stock_entry(sku, location)
      levels[#levels + 1] = {location, shown_units(entry, channel), entry.record[Stock.seq]}
    end
  end
  return levels
end

local function stock_levels(sku, names)
  local levels = {}
  for i, location in ipairs(names) do
    levels[i] = stock_level(sku, location, stock_entry(sku, location).record)
  end
  return levels
end

local function closed_among(names)
  local closed, found = places_now().closed, {}
  if not closed then return found end
  for _, location in ipairs(names) do
    if closed[location] then found[#found + 1] = location end
  end
  return found
end

-- The answer about places. The locations are already packed as they stand.
local function packed_places(skus)
  local packed_names = hash_get_many(SKUS, skus)
  for i = 1, #skus do packed_names[i] = packed_names[i] or array_of(0) end
  return array_of(2) .. pack(NOW_MS) .. array_of(#skus) .. concat(packed_names)
end

local function units_at(pairs_, channel)
  local entries, units = {}, {}
  for i, pair in ipairs(pairs_) do entries[i] = want_stock(pair[1], pair[2]) end
  load_stock()
  for i, entry in ipairs(entries) do units[i] = entry.record and reservable(entry, channel) or 0 end
  return units
end

local function read_reservation(id)
  local packed = call('HGET', RESERVATIONS, id) or call('HGET', ENDED, id)
  return packed and unpack_msg(packed) or nil
end

local function read(args)
  local fields, questions = {unpack_msg(args[2])}, {}
  for at = 1, #fields, QUESTION_LENGTH do
    local kind, about, location, channel = unpack(fields, at, at + QUESTION_LENGTH - 1)
    questions[#questions + 1] = {kind = kind, about = about, location = location, channel = channel}
  end
  local locations = all_locations(questions)
  load_levels(locations)
  local answers = {}
  for i, question in ipairs(questions) do
    local kind, name = question.kind, question.about
    if kind == 'availability' then
      local found = {}
      for j, sku in ipairs(name) do
        found[j] = location_levels(sku, question.location, question.channel, locations[sku])
      end
      answers[i] = pack({NOW_MS, found, places_version()})
    elseif kind == 'stock' then
      local names = locations[name]
      answers[i] = pack({NOW_MS, stock_levels(name, names), places_version(), closed_among(names)})
    elseif kind == 'places' then
      answers[i] = packed_places(name)
    elseif kind == 'units' then
      answers[i] = pack({NOW_MS, units_at(name, question.channel)})
    else
      answers[i] = pack({NOW_MS, read_reservation(name)})
    end
  end
  return answers
end

register('read', read, {'no-writes'})
