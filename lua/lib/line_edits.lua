-- How many units the lines of a reservation have, and how that changes; for operations/edit.lua.
--
-- target: {place (of the element in the request), sku (as it is called now), location (that it or its line names),
--          numbers (of the lines that it is about), is_free (it names a SKU only), quantity (units that these lines are
--          to have), delta (by how many that changes them), shipped (units of them that were shipped)}
-- cuts:   number of a line -> {counter -> units that it loses}
--
-- The quantity and requested of a line change by what an edit adds or takes. Of a line that the reserve or order itself
-- made, edited has the sum, so that lib/first_answer.lua knows what both were at first.

local line_edits = {}

do

-- Units that are not there yet are taken first.
local CUT_FIRST = {Line.waiting, Line.owed, Line.held, Line.committed}

-- The units of a line that are reserved, waited for or shipped.
local function units_of(line)
  return line[Line.held] + line[Line.committed] + line[Line.fulfilled] + (line[Line.waiting] or 0)
    + (line[Line.owed] or 0)
end

-- By how many units that count for a quota a hold becomes larger. raises: see operations/edit.lua.
function line_edits.growth(record, raises, cuts)
  local units = 0
  for _, raise in ipairs(raises) do
    if not raise.is_owed and not raise.entry.unstocked then units = units + raise.units end
  end
  for number, of_line in pairs(cuts) do
    if record[Record.lines][number][Line.location] ~= '' then
      units = units - (of_line[Line.held] or 0) - (of_line[Line.waiting] or 0)
    end
  end
  return units
end

-- Lines as those of an order. lines: {{sku, location (or ""), units}, …}
function line_edits.as_order(channel, accept_shortage, lines)
  local fields = {}
  for place = 1, LINES_AT do fields[place] = '' end
  fields[1 + Order.channel], fields[1 + Order.accept_shortage] = channel, accept_shortage
  fields[1 + Order.partial], fields[1 + Order.quota], fields[1 + Order.line_count] = false, false, #lines
  for i, line in ipairs(lines) do
    local at, location = 1 + LINES_AT + LINE_LENGTH * (i - 1), line.location
    fields[at] = stock_entry(line.sku, location == '' and DEFAULT_LOCATION or location)
    fields[at + LOCATION_OF], fields[at + QUANTITY_OF] = location, line.units
  end
  return fields
end

-- Asks what the SKUs of lines and of a request are called now.
local function ask_names(record, wanted)
  local skus = {}
  for i, line in ipairs(record[Record.lines]) do skus[i] = line[Line.sku] end
  for _, want in ipairs(wanted) do skus[#skus + 1] = want[LineEdit.sku] end
  aliases.ask(skus)
end

-- The numbers of the lines by their SKU, as it is called now.
local function numbers_by_sku(record)
  local by_sku = {}
  for number, line in ipairs(record[Record.lines]) do
    local sku = aliases.name_of(line[Line.sku])
    by_sku[sku] = by_sku[sku] or {}
    by_sku[sku][#by_sku[sku] + 1] = number
  end
  return by_sku
end

-- Those among some lines that are at a location ("": wherever they are); a line that counts in no bucket is everywhere.
local function at_location(record, numbers, location)
  local found, now = {}, place_rules.current(location)
  for _, number in ipairs(numbers) do
    local of_line = place_rules.current(record[Record.lines][number][Line.location])
    if location == '' or of_line == now or of_line == '' then found[#found + 1] = number end
  end
  return found
end

-- The target of an element, or nil where it names a line that is not there.
local function target_of(record, want, place, by_sku)
  local number, sku, location = want[LineEdit.line], want[LineEdit.sku], want[LineEdit.location]
  local numbers, units, shipped = nil, 0, 0
  if number > 0 then
    local line = record[Record.lines][number]
    if not line then return nil end
    sku, location, numbers = aliases.name_of(line[Line.sku]), line[Line.location], {number}
  else
    sku = aliases.name_of(sku)
    numbers = at_location(record, by_sku[sku] or NONE, location)
  end
  for _, each in ipairs(numbers) do
    local line = record[Record.lines][each]
    units, shipped = units + units_of(line), shipped + line[Line.fulfilled]
  end
  local quantity = want[LineEdit.quantity]
  location = place_rules.current(location)
  return {
    place = place, sku = sku, location = location, numbers = numbers, is_free = number == 0 and location == '',
    quantity = quantity, delta = quantity - units, shipped = shipped,
  }
end

-- Whether a target is about what one before it is about. seen: SKUs, numbers of lines, and fields of the hash stock.
local function is_named_twice(target, seen)
  local sku, field, twice = target.sku, target.sku .. '\0' .. target.location, false
  if seen[sku] == 'free' or target.is_free and seen[sku] then twice = true end
  if #target.numbers == 0 and seen[field] then twice = true end
  for _, number in ipairs(target.numbers) do
    twice, seen[number] = twice or seen[number] ~= nil, true
  end
  seen[sku], seen[field] = target.is_free and 'free' or seen[sku] or 'named', true
  return twice
end

-- Adds the units that the lines of a target lose to the cuts: those of its last lines first.
local function add_cuts(record, target, cuts)
  local left = -target.delta
  for _, counter in ipairs(CUT_FIRST) do
    for i = #target.numbers, 1, -1 do
      local number = target.numbers[i]
      local units = min(left, record[Record.lines][number][counter] or 0)
      if units > 0 then
        cuts[number] = cuts[number] or {}
        cuts[number][counter], left = units, left - units
      end
    end
  end
end

-- Returns the targets of a request and the cuts of their lines; or nil and the refusal.
function line_edits.read(record, wanted)
  ask_names(record, wanted)
  local by_sku, seen, targets, cuts = numbers_by_sku(record), {}, {}, {}
  local missing, twice, below, state = {}, {}, {}, record[Record.state]
  for place, want in ipairs(wanted) do
    local target = target_of(record, want, place, by_sku)
    if not target then
      missing[#missing + 1] = {place, '', '', want[LineEdit.quantity], 0, 'line', '', #record[Record.lines]}
    else
      local line = {place, target.sku, target.location, target.quantity, target.shipped}
      if is_named_twice(target, seen) then twice[#twice + 1] = line end
      if target.quantity < target.shipped then below[#below + 1] = line end
      targets[place] = target
    end
  end
  if #missing > 0 then return nil, refused('exceeds_remaining', state, missing) end
  if #twice > 0 then return nil, refused('named_twice', state, twice) end
  if #below > 0 then return nil, refused('below_shipped', state, below) end
  for _, target in ipairs(targets) do
    if target.delta < 0 then add_cuts(record, target, cuts) end
  end
  return targets, cuts
end

-- The units that a reservation has after the targets are reached.
function line_edits.units_after(record, targets)
  local units = 0
  for _, line in ipairs(record[Record.lines]) do units = units + units_of(line) end
  for _, target in ipairs(targets) do units = units + target.delta end
  return units
end

-- Changes what a line is for; units: signed.
function line_edits.change_quantity(line, units)
  line[Line.quantity], line[Line.requested] = line[Line.quantity] + units, line[Line.requested] + units
  if line[Line.first_seq] == 0 then return end -- it is in no first answer
  for counter = Line.waiting, Line.first_waiting do line[counter] = line[counter] or 0 end
  for text = Line.mode, Line.text do line[text] = line[text] or '' end
  line[Line.edited] = (line[Line.edited] or 0) + units
end

-- Takes the units out of the lines. Adds to the journal lines and the stock entries that changed.
function line_edits.apply_cuts(reservation, cuts, journal_lines, entries)
  local record = reservation.record
  for number, line in ipairs(record[Record.lines]) do
    local of_line = cuts[number]
    if of_line then
      local held, committed = of_line[Line.held] or 0, of_line[Line.committed] or 0
      local waiting, owed = of_line[Line.waiting] or 0, of_line[Line.owed] or 0
      local entry = stock_entry(line[Line.sku], line[Line.location])
      move(entry, journal_lines, number, -held, -committed, 0, record[Record.channel])
      line[Line.held], line[Line.committed] = line[Line.held] - held, line[Line.committed] - committed
      if waiting + owed > 0 then backorders.change(entry, journal_lines, reservation, number, -waiting, -owed) end
      line_edits.change_quantity(line, -held - committed - waiting - owed)
      entries[#entries + 1] = entry
    end
  end
end

-- Adds units to a line, which is made where there is none. raise: see operations/edit.lua.
function line_edits.apply_raise(record, raise, is_hold, journal_lines)
  local lines, entry, units = record[Record.lines], raise.entry, raise.units
  local number = raise.number or #lines + 1
  if not raise.number then
    -- SKU and location, then the ten counters from quantity to returned.
    lines[number] = {entry.sku, entry.location, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}
    if entry.unstocked then backorders.set_waiting(lines[number], false, 0, entry.mode, '') end
  end
  local line = lines[number]
  if raise.is_owed then
    if line[Line.owed] == 0 then unstocked.count(1) end
    line[Line.owed] = line[Line.owed] + units
  else
    local counter = is_hold and Line.held or Line.committed
    move(entry, journal_lines, number, is_hold and units or 0, is_hold and 0 or units, 0, record[Record.channel])
    line[counter] = line[counter] + units
  end
  line_edits.change_quantity(line, units)
end

end
