-- list_shortages: looks through a slice of the stock for what orders lack, or of the live reservations for those with
-- units there. Flag no-writes.
--
-- KEYS  the ten keys of one partition, see lib/context.lua
-- ARGV  [1] limits  [2] MessagePack [cursor, count, fields]
--         cursor  "0" at first
--         count   how many to look at, roughly; fewer where they have many lines or allocations
--         fields  of the stock hash: look for reservations with units there; empty: look through the stock
-- Reply [now_ms, next cursor ("0" at the end), field, record, …] of the stock,
--       or [now_ms, next cursor, id, record, …] of the reservations; records in MessagePack
--
-- Filtering here keeps the others off the wire.

local function is_short(_, packed_record)
  return lacks(stock_record(packed_record)) > 0
end

-- Returns a test for records with live units at one of the wanted stock fields, which are of these SKUs.
local function has_units_at(wanted, skus)
  return function(_, packed_record)
    if not looking.may_name(packed_record, skus) then return false end
    for _, line in ipairs(unpack_msg(packed_record)[Record.lines]) do
      if line[Line.held] + line[Line.committed] > 0 and wanted[line[Line.sku] .. '\0' .. line[Line.location]] then
        return true
      end
    end
    return false
  end
end

local function list_shortages(args)
  local cursor, count, fields_wanted = unpack(unpack_msg(args[2]))
  local wanted, skus = {}, {}
  for _, field in ipairs(fields_wanted) do
    wanted[field], skus[#skus + 1] = true, field:match('^%Z*')
  end
  local key, fits = STOCK, is_short
  if #fields_wanted > 0 then key, fits = RESERVATIONS, has_units_at(wanted, skus) end
  return looking.scan(key, cursor, count, fits)
end

register('list_shortages', list_shortages, {'no-writes'})
