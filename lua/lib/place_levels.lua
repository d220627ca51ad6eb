-- Reads what lies at the places of an order, see lib/places_of_order.lua.

do

-- Bytes of the records that one operation looks at, which are read some at a time: as many as 1,500 have with a rule
-- for backorders, or 130 with 32 allocations, which take as long. Places that were named are those that count, so they
-- may have more: 200, as many as a reservation has lines, have room with allocations as well.
local RECORD_BYTES_MAX, NAMED_BYTES_MAX, RECORDS_AT_A_TIME = 100000, 250000, 125

-- The units at a place of a want by its record. An entry is made only where there is more to it than buckets.
local function units_of(want, i, packed_record, channel)
  local at, on_hand, held, committed, damaged, quality_control, safety = unpack_some(packed_record, Stock.seq, 1)
  if at < 0 then return on_hand - damaged - quality_control - safety - held - committed end
  -- Where places have other names, the record may be another one's.
  local entry = (aliases.are_moving() or places_now().names) and stock_entry(want.sku, want.names[i])
    or stock_entry_of(want.sku, want.names[i], packed_record)
  return places_of_order.shown_at(entry, channel)
end

-- Reads records until they have too many bytes. Returns them, and whether all were read.
local function read_records(fields)
  local packed_records, bytes_left = {}, work.among and NAMED_BYTES_MAX or RECORD_BYTES_MAX
  for first = 1, #fields, RECORDS_AT_A_TIME do
    if bytes_left < 0 then return packed_records, false end
    local last = min(#fields, first + RECORDS_AT_A_TIME - 1)
    local some = aliases.records({unpack(fields, first, last)})
    for i = 1, #some do
      packed_records[first + i - 1] = some[i]
      bytes_left = bytes_left - (some[i] and #some[i] or 0)
    end
  end
  return packed_records, bytes_left >= 0
end

-- Reads the units of each want at its places. Most of the many records are not needed later, so they get no entry.
-- Returns whether all were read.
function places_of_order.read_levels(order)
  local unread = {}
  for _, want in ipairs(order.wants) do
    local names, fields = want.names, want.fields
    local prefix = want.sku .. '\0'
    for i = 1, #names do
      local field = prefix .. names[i]
      fields[i] = field
      if not (stock[field] or aliases.lies_at and aliases.entry_at(field)) then unread[#unread + 1] = field end
    end
  end
  local packed_records, are_all = read_records(unread)
  if not are_all then return false end
  local at = 0
  for _, want in ipairs(order.wants) do
    local left, fields = want.left, want.fields
    for i = 1, #fields do
      if not (stock[fields[i]] or aliases.lies_at and aliases.entry_at(fields[i])) then
        at = at + 1
        local packed_record = packed_records[at]
        left[i] = packed_record and units_of(want, i, packed_record, order.channel) or 0
      end
    end
  end
  return true
end

end
