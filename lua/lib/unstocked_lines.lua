-- Lines of a reserve or order that count in no bucket, see lib/unstocked.lua.
--
-- Their SKU's stock entry is replaced by one that stands in for a record, with their mode, and their location by false:
-- they are lines that have their location, and all units there.

do

-- Reads what the SKUs are that have no stock record where their lines want them: SKU -> mode, or nil where there is no
-- such line. of_line(line): the SKU of a line that is meant, or nil.
local function modes_of(fields, first, last, accept_shortage, of_line)
  local skus, modes = {}, nil
  for line = first, last, LINE_LENGTH do skus[#skus + 1] = of_line(line) end
  if #skus == 0 then return nil end
  local known = unstocked.count_locations(skus)
  for _, sku in ipairs(skus) do
    local mode = unstocked.mode_of(known[sku], accept_shortage)
    if mode then
      modes = modes or {}
      modes[sku] = mode
    end
  end
  return modes
end

local function replace(fields, first, last, modes, of_line)
  for line = first, last, LINE_LENGTH do
    local sku = of_line(line)
    if sku and modes[sku] then
      local entry = stock_entry(sku, '')
      entry.mode = modes[sku]
      fields[line], fields[line + LOCATION_OF] = entry, false
    end
  end
end

-- A line that names a location where its SKU is not, though it is elsewhere, names none from now on: what is sold
-- already is not lost for a wrong location.
local function free_of_location(fields, first, last)
  for line = first, last, LINE_LENGTH do
    if not fields[line].record and fields[line + LOCATION_OF] ~= '' then
      fields[line], fields[line + LOCATION_OF] = stock_entry(fields[line].sku, DEFAULT_LOCATION), ''
    end
  end
end

-- Takes the lines out of those that want stock. unknown: SKU -> true, of lines without a location that are unknown
-- wherever they may be taken from; nil: lines are meant whose stock entry has no record. Returns whether there are any.
function unstocked.take_out(fields, first, last, accept_shortage, unknown)
  local function of_line(line)
    local sku = fields[line].sku
    if unknown then return fields[line + LOCATION_OF] == '' and unknown[sku] and sku or nil end
    return not fields[line].record and sku or nil
  end
  local modes = modes_of(fields, first, last, accept_shortage, of_line)
  if modes then replace(fields, first, last, modes, of_line) end
  if accept_shortage and not unknown then free_of_location(fields, first, last) end
  return modes ~= nil
end

-- The units of unmapped lines are owed instead of granted. Returns the units that each line waits for: missing, or nil
-- where no line waits or counts in no bucket.
function unstocked.set_owed(fields, at, granted, missing)
  for number = 1, #granted do
    local place = at + LINES_AT + LINE_LENGTH * (number - 1)
    local entry = fields[place]
    if entry.unstocked and not missing then
      missing = {}
      for i = 1, #granted do missing[i] = 0 end
    end
    if entry.unstocked and entry.mode == 'unmapped' then
      granted[number], missing[number] = 0, fields[place + QUANTITY_OF]
    end
  end
  return missing
end

-- Completes the line of a new record. owed: its units that are.
function unstocked.complete(line, entry, owed, is_order)
  line[Line.first_available], line[Line.first_seq] = 0, unstocked.FIRST_SEQ
  backorders.set_waiting(line, is_order, owed, entry.mode, '')
  if owed > 0 then unstocked.count(1) end
end

end
