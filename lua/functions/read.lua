-- read: answers a batch of questions about availability, stock and reservations. Flag no-writes.
--
-- KEYS  the ten keys of one partition, see lib/context.lua
-- ARGV  [1] limits  [2] questions, their five fields as MessagePack values one after the other:
--         "availability", [sku, …], location or "", channel or "" (available to any channel), from
--         "sums", the same: what is available at all of these locations together
--         "levels", [sku, …], "", "", from: what a process keeps of them as a copy
--         "stock", [sku], location or "", "", from
--         "reservation", id, "", "", 0
--         "places", [sku, …], "", "", 0: where they are known
--         "units", [[sku, location], …], "", channel, 0: what it can reserve there
--         "stocked", [sku, …], "", channel, from: the places that an order of it may be taken from
--       from: where to go on in the list of the first SKU, 0 at first; see lib/looking.lua
-- Reply for each question, in order, MessagePack; units and seq are integers:
--   availability  [now_ms, [[[location, available, seq], …], …], version of the places, seq, from]: for each SKU its
--                 locations; none where it is unknown. At a closed location nothing is available, see lib/places.lua
--   sums          [now_ms, [[available, newest seq, locations], …], version of the places, seq, from]
--   levels        [now_ms, [[name now, [[location, units, seq, is closed, allocations or false], …]], …], version of
--                 the places, seq, from, is anything being renamed, has any location an old name]: units are those that
--                 are not reserved, also where they are set aside or the location is closed
--   stock         [now_ms, [[sku, location, on_hand, held, committed, damaged, quality_control, safety, seq,
--                 allocations or false, backorder], …], version of the places, [location, …]: those of them that are
--                 closed, seq, from, -1: nothing was read]; allocations and backorder are left out where there are none
--   reservation   [now_ms, record or nil], see lib/reservations.lua
--   places        [now_ms, [[location, …], …]]: for each SKU
--   stocked       [now_ms, [[looked (places), known [location, …], open [location, …], [[location, units, may wait],
--                 …]], …], version of the places, seq, from]: for each SKU the first two that are known and that may be
--                 taken from, and all of the latter that have units or are short, or where units may be waited for
--   units         [now_ms, [units, …], bytes of the records]: 0 where the SKU is not known, negative: a shortage
-- A question that needs more than one call reads is answered as far as this one came. There are fewer SKUs or units
-- then than were asked for, or none; where from is not 0, the last SKU goes on there. seq is the partition's last one.

local QUESTION_LENGTH = 5 -- fields of one question

local function questions_in(packed)
  local fields, questions = {unpack_msg(packed)}, {}
  for at = 1, #fields, QUESTION_LENGTH do
    local kind, about, location, channel, from = unpack(fields, at, at + QUESTION_LENGTH - 1)
    local question = {kind = kind, about = about, channel = channel}
    if kind == 'availability' or kind == 'sums' or kind == 'stock' or kind == 'levels' then
      question.search = looking.search(about, location, from)
    elseif kind == 'stocked' then
      question.places = looking.search(about, location, from)
    end
    questions[#questions + 1] = question
  end
  return questions
end

-- Looks for all questions, first an equal share for each, so that one with many places leaves room for the others.
local function look(questions)
  local share = max(1, floor(looking.PLACES_PER_CALL / #questions))
  for _, question in ipairs(questions) do
    if question.search then looking.go_on(question.search, share)
    elseif question.kind == 'units' then question.entries = looking.take_pairs(question.about, share) end
  end
  for _, question in ipairs(questions) do
    if question.search then looking.go_on(question.search, looking.left()) end
  end
  looking.load()
end

local function location_levels(entries, channel)
  local levels = {}
  for _, entry in ipairs(entries) do
    if entry.record then
      levels[#levels + 1] = {entry.location, shown_units(entry, channel), entry.record[Stock.seq]}
    end
  end
  return levels
end

local function sum_of(entries, channel)
  local units, seq, count = 0, 0, 0
  for _, entry in ipairs(entries) do
    if entry.record then
      units, seq, count = units + shown_units(entry, channel), max(seq, entry.record[Stock.seq]), count + 1
    end
  end
  return {units, seq, count}
end

-- The answer about availability. shown(entries, channel): of one SKU.
local function about_each(question, shown)
  local search, found = question.search, {}
  local from = looking.finish(search)
  for i, entries in ipairs(search.found) do found[i] = shown(entries, question.channel) end
  return {NOW_MS, found, places_version(), partition_seq(), from}
end

-- The same for a copy: nothing in it depends on who asks, and all that can change it stands in the journal.
local function about_levels(question)
  local answer, now, skus = about_each(question, looking.bare_levels), places_now(), question.search.skus
  for i, levels in ipairs(answer[2]) do answer[2][i] = {aliases.name_of(skus[i]), levels} end
  answer[6], answer[7] = aliases.are_moving() or now.moving ~= nil, now.names ~= nil
  return answer
end

local function about_stock(question)
  local levels, closed, closed_now = {}, {}, places_now().closed or NONE
  local from, entries = looking.finish(question.search), question.search.found[1]
  for _, entry in ipairs(entries or NONE) do
    if entry.record then
      local level = stock_level(aliases.name_of(entry.sku), entry.location, entry.record)
      levels[#levels + 1] = allocations.unpacked_level(level)
      if closed_now[entry.location] then closed[#closed + 1] = entry.location end
    end
  end
  if not entries then from = -1 end
  return pack({NOW_MS, levels, places_version(), closed, partition_seq(), from})
end

-- The answer about places. The locations are already packed as they stand.
local function about_places(skus)
  local lists = {}
  for i, sku in ipairs(skus) do
    local list = looking.list_of(sku)
    if list == nil then break end
    lists[i] = list or array_of(0)
  end
  return array_of(2) .. pack(NOW_MS) .. array_of(#lists) .. concat(lists)
end

local function about_units(question)
  local units, entries, bytes = {}, question.entries, 0
  for i = 1, looking.read_of(entries) do
    units[i] = entries[i].record and reservable(entries[i], question.channel) or 0
    bytes = bytes + (entries[i].bytes or 0)
  end
  return pack({NOW_MS, units, bytes})
end

-- The answer about a reservation. The record is already packed as it stands.
local function about_reservation(id)
  local record = call('HGET', RESERVATIONS, id) or call('HGET', ENDED, id)
  return array_of(2) .. pack(NOW_MS) .. (record or pack(nil))
end

local function read(args)
  local questions, answers = questions_in(args[2]), {}
  looking.begin()
  look(questions)
  places_of_order.answer_stocked(questions, answers)
  for i, question in ipairs(questions) do
    local kind = question.kind
    if kind == 'availability' then answers[i] = pack(about_each(question, location_levels))
    elseif kind == 'sums' then answers[i] = pack(about_each(question, sum_of))
    elseif kind == 'levels' then answers[i] = pack(about_levels(question))
    elseif kind == 'stock' then answers[i] = about_stock(question)
    elseif kind == 'places' then answers[i] = about_places(question.about)
    elseif kind == 'units' then answers[i] = about_units(question)
    elseif kind == 'reservation' then answers[i] = about_reservation(question.about) end
  end
  return answers
end

register('read', read, {'no-writes'})
