-- Where an order of a channel could be taken from, of SKUs at thousands of places: as far as one call comes. See
-- functions/read.lua for the answer, and lib/looking.lua for how far that is.
--
-- Most of the many records are needed once and have nothing but buckets, so they get no entry.

do

local NAMED = 2 -- of the places that are known, and of those that may be taken from
-- Places that all questions of a call look at: some 1.5 ms. An order may need 300 such calls, and others are served
-- between them.
local PLACES_MAX = 500
-- Records that are read at a time, and how many bytes of them end a question: 32 allocations take as long as ten
-- records.
local AT_A_TIME, BYTES_MAX = 100, 60000
local LOOKED, KNOWN, OPEN, STOCKED = 1, 2, 3, 4 -- places in a part, which is about one SKU

-- The units that a channel is shown by a record, and those that may still be waited for.
local function units_of(packed_record, channel)
  local at, on_hand, held, committed, damaged, quality_control, safety = unpack_some(packed_record, Stock.seq, 1)
  if at < 0 then return on_hand - damaged - quality_control - safety - held - committed, 0 end
  local entry = {available = 0, claimed = 0}
  set_records({entry}, {packed_record})
  local rule = entry.record[Stock.backorder]
  local waits = rule and max(0, rule[Backorder.limit] - rule[Backorder.waiting]) or 0
  return places_of_order.shown_at(entry, channel), waits
end

-- Adds places to a part. names: from [2] on. Returns how many bytes their records have.
local function add_places(part, sku, names, channel, closed, own)
  local fields, bytes, count = {}, 0, #names - 1
  for i = 1, count do fields[i] = sku .. '\0' .. names[i + 1] end
  local packed_records = aliases.records(fields)
  local known, open, found, renamed = part[KNOWN], part[OPEN], part[STOCKED], places_now().names or NONE
  for i = 1, count do
    local packed_record, name = packed_records[i], renamed[names[i + 1]] or names[i + 1]
    if packed_record then
      bytes = bytes + #packed_record
      if #known < NAMED then known[#known + 1] = name end
      if not (closed[name] or own and not own[name]) then
        if #open < NAMED then open[#open + 1] = name end
        local units, waits = units_of(packed_record, channel)
        if units ~= 0 or waits > 0 then found[#found + 1] = {name, units, waits} end
      end
    end
  end
  part[LOOKED] = part[LOOKED] + count
  return bytes
end

-- Looks at the places of a search, at most so many. Returns the parts, where to go on in the last one, and how many.
local function look(search, channel, most)
  local closed, own = places_now().closed or NONE, place_rules.own(channel)
  local parts, number, at, byte, bytes, looked = {}, 1, search.from, nil, 0, 0
  while number <= #search.skus and looked < most and bytes < BYTES_MAX do
    local sku = search.skus[number]
    local list = looking.list_of(sku)
    if list == nil then break end
    local names = NONE
    if list and at <= packed_lists.length(list) then
      names, byte = packed_lists.slice(list, byte or packed_lists.place_of(list, at), min(AT_A_TIME, most - looked))
    end
    parts[number] = parts[number] or {0, {}, {}, {}}
    if #names > 1 then bytes = bytes + add_places(parts[number], sku, names, channel, closed, own) end
    looked = looked + max(1, #names - 1) -- to look for one that is unknown is work, too
    if byte then at = at + #names - 1 else number, at = number + 1, 0 end
  end
  if at > 0 and not parts[1] then parts[1] = {0, {}, {}, {}} end -- it goes on there
  return parts, at, looked
end

-- Answers the questions of a call that have a search for such places: each gets an equal share of what is left.
function places_of_order.answer_stocked(questions, answers)
  local asked, left = 0, min(PLACES_MAX, looking.left())
  for _, question in ipairs(questions) do asked = asked + (question.places and 1 or 0) end
  for i, question in ipairs(questions) do
    if question.places then
      local parts, from, looked = look(question.places, question.channel, max(1, floor(left / asked)))
      answers[i] = pack({NOW_MS, parts, places_version(), partition_seq(), from})
      asked, left = asked - 1, left - looked
    end
  end
end

end
