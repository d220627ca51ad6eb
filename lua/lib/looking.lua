-- How far one call looks: a SKU can be at thousands of places, and a call reads so many of them that it takes some
-- 2 ms, whatever its questions name. A question that needs more is answered as far as the call came, and goes on from
-- there in the next call.
--
-- search: what one question looks at: {skus, location ('': all), from, number, at, found}
--   from    how many places in the list of the first SKU it begins behind, 0 at first. A list of places only grows, at
--           its end, and a rename changes one where it stands, so that place stays
--   number  the SKU that it is at, and at: how many places of its list were looked at; behind the last SKU, it is
--           complete. byte: where it goes on in the bytes of that list, nil: that is to be looked for
--   found   the stock entries of each SKU that was begun

local looking = {PLACES_PER_CALL = 500}

do

local LIST_BYTES_MAX = 1000000 -- of lists of places, each read as a whole
local RECORD_BYTES_MAX = 60000 -- of records: with all allocations or lines that one can have, some 3 ms
local SCANNED_AT_ONCE = 8 -- records of one HSCAN: 200 lines each take some 2 ms
local NAMES_SOUGHT_MAX = 8 -- SKUs whose bytes are looked for in a record: each costs a part of what unpacking does
local lists, list_bytes_left, places_left, is_cut

-- Begins a call.
function looking.begin()
  lists, list_bytes_left, places_left, is_cut = {}, LIST_BYTES_MAX, looking.PLACES_PER_CALL, false
end

-- Makes a search. location: '' for all; from: 0 at first, then where the answer before stopped.
function looking.search(skus, location, from)
  return {skus = skus, location = place_rules.current(location), from = from, number = 1, at = from, found = {}}
end

-- The places that the call may still read.
function looking.left()
  return places_left
end

-- The packed list of the places of a SKU, false where it has none; nil: this call has read too many bytes of them.
function looking.list_of(sku)
  local list = lists[sku]
  if list ~= nil then return list end
  if list_bytes_left <= 0 then return nil end
  list = call('HGET', SKUS, sku)
  if not list then
    local name = aliases.current(sku)
    list = name ~= sku and call('HGET', SKUS, name)
  end
  lists[sku] = list
  if list then list_bytes_left = list_bytes_left - #list end
  return list
end

-- Registers the records of a SKU, up to most. Returns how many, or nil where its list could not be read.
local function look_at_sku(search, sku, most)
  if search.location ~= '' then
    search.found[search.number], search.number = {want_stock(sku, search.location)}, search.number + 1
    return 1
  end
  local list = looking.list_of(sku)
  if list == nil then return nil end
  local entries = search.found[search.number] or {}
  local names, byte = NONE, nil
  if list and search.at <= packed_lists.length(list) then
    names, byte = packed_lists.slice(list, search.byte or packed_lists.place_of(list, search.at), most)
  end
  for i = 2, #names do entries[#entries + 1] = want_stock(sku, names[i]) end
  search.found[search.number], search.byte = entries, byte
  if byte then search.at = search.at + #names - 1 else search.number, search.at = search.number + 1, 0 end
  return max(1, #names - 1) -- to look for one that is unknown is work, too
end

-- Goes on with a search: registers the records that it needs, up to most.
function looking.go_on(search, most)
  local left = min(most, places_left)
  while left > 0 and search.number <= #search.skus do
    local looked = look_at_sku(search, search.skus[search.number], left)
    if not looked then return end
    left, places_left = left - looked, places_left - looked
  end
end

-- Takes the places of pairs of a SKU and a location, as far as there is room. Returns their entries, which have the
-- bytes of their records then.
function looking.take_pairs(pairs_, most)
  local entries = {}
  for i = 1, min(#pairs_, most, places_left) do entries[i] = want_stock(pairs_[i][1], pairs_[i][2]) end
  places_left = places_left - #entries
  return entries
end

-- Reads the registered records, as many as there is room for; the others are marked.
function looking.load()
  local entries, fields, bytes = unread_stock, {}, 0
  for i = 1, #entries do fields[i] = entries[i].field end
  local packed_records, fitting = aliases.records(fields), #entries
  for i = 1, #entries do
    entries[i].bytes = packed_records[i] and #packed_records[i] or 0
    bytes = bytes + entries[i].bytes
    if bytes > RECORD_BYTES_MAX then
      fitting = max(1, i - 1)
      break
    end
  end
  for i = #entries, fitting + 1, -1 do entries[i].is_unread, entries[i], is_cut = true, nil, true end
  set_records(entries, packed_records)
  unread_stock = {}
end

-- How many of entries were read, from the first on.
function looking.read_of(entries)
  for i = 1, is_cut and #entries or 0 do
    if entries[i].is_unread then return i - 1 end
  end
  return #entries
end

-- Takes a search back to the first record that was not read. Returns where it goes on in the list of the last SKU that
-- it found, 0 where that one is complete.
function looking.finish(search)
  for number = 1, is_cut and #search.found or 0 do
    local entries = search.found[number]
    local read, at = looking.read_of(entries), number == 1 and search.from or 0
    if read < #entries then
      at = at + read
      for i = #entries, read + 1, -1 do entries[i] = nil end
      for i = #search.found, at > 0 and number + 1 or number, -1 do search.found[i] = nil end
      return at
    end
  end
  return search.number <= #search.skus and search.at or 0
end

-- The levels of one SKU as a copy needs them, see functions/read.lua.
function looking.bare_levels(entries)
  local levels = {}
  for _, entry in ipairs(entries) do
    if entry.record then
      levels[#levels + 1] = {
        entry.location, entry.available, entry.record[Stock.seq], place_rules.is_closed(entry.location),
        allocations.unpacked(entry.record) or false,
      }
    end
  end
  return levels
end

-- Returns whether a packed record can have a line of one of these SKUs. It is to be unpacked then: the bytes of a name
-- stand in it as they are, and may stand in another name as well. With many SKUs any record can.
function looking.may_name(packed_record, skus)
  if #skus > NAMES_SOUGHT_MAX then return true end
  for i = 1, #skus do
    if packed_record:find(skus[i], 1, true) then return true end
  end
  return false
end

-- Looks through a slice of a hash, a few records at a time, so that records of many lines make it a shorter one.
-- Returns {NOW_MS, next cursor, field, record, …} of those that fit(field, record) says; records in MessagePack.
function looking.scan(key, cursor, count, fit)
  local reply, looked, bytes = {NOW_MS, cursor}, 0, 0
  repeat
    local at_once = min(count - looked, SCANNED_AT_ONCE)
    local page = call('HSCAN', key, reply[2], 'COUNT', at_once)
    local found = page[2]
    reply[2], looked = page[1], looked + max(at_once, #found / 2) -- to look where nothing stands is work, too
    for i = 1, #found, 2 do
      bytes = bytes + #found[i + 1]
      if fit(found[i], found[i + 1]) then
        reply[#reply + 1] = found[i]
        reply[#reply + 1] = found[i + 1]
      end
    end
  until page[1] == '0' or looked >= count or bytes >= RECORD_BYTES_MAX
  return reply
end

end
