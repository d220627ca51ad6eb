-- What orders lack: the reserved units of a (SKU, location) that are not on the shelf, see lacks in lib/stock.lua.
--
-- The hash meta has the field "lacks \0 sku \0 location" -> units for each place that lacks any; lacking is their sum.
-- Both follow from the record and from the field as it stands, not from the record before: they are right again after
-- the next change of a place, whatever a release without them has changed there. functions/recount_lacking.lua looks
-- after the places that do not change.

do

-- The name of a place's field; field: of the hash stock.
function lacking.name_of(field)
  return 'lacks\0' .. field
end

-- Adds a change without lines for each entry that lacks more or fewer units than before the call. Whoever follows the
-- journal cannot work that out: it has the changes of safety stock, but not how much there is.
function lacking.journal(entries)
  for i = 1, #entries do
    local entry = entries[i]
    local was, now = entry.lacked or 0, lacks(entry.record)
    if was ~= now then
      change_count = change_count + 1
      change_parts[#change_parts + 1] = pack({'shortage', NOW_MS, 'system', '', '', '', NONE, {
        {'sku', entry.sku}, {'location', entry.location}, {'lacked', string.format('%.0f', was)},
        {'lacks', string.format('%.0f', now)}, {'available', string.format('%.0f', entry.available)},
        {'seq', string.format('%.0f', entry.record[Stock.seq])},
      }})
    end
  end
end

-- Writes the fields of places and their sum. fields: of the hash stock; units: what each place lacks. Returns by how
-- many units the sum was wrong, whatever their sign.
function lacking.set(fields, units)
  local names, kept, gone, delta, moved = {}, {}, {}, 0, 0
  for i = 1, #fields do names[i] = lacking.name_of(fields[i]) end
  local stored = hash_get_many(META, names)
  for i = 1, #fields do
    local was, now = tonumber(stored[i] or 0), units[i]
    delta, moved = delta + now - was, moved + math.abs(now - was)
    if now > 0 and now ~= was then push(kept, names[i], string.format('%.0f', now))
    elseif now == 0 and stored[i] then gone[#gone + 1] = names[i] end
  end
  flush('HSET', META, kept)
  flush('HDEL', META, gone)
  if delta ~= 0 then call('HINCRBY', META, 'lacking', string.format('%.0f', delta)) end
  return moved
end

-- The same for stock entries.
function lacking.write(entries)
  local fields, units = {}, {}
  for i = 1, #entries do fields[i], units[i] = entries[i].field, lacks(entries[i].record) end
  lacking.set(fields, units)
end

end
