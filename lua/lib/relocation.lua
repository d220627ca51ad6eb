-- Promised units that are to come from another location: what operations/relocate.lua and operations/bind.lua share.

local relocation = {}

do

-- The number of the line that moves have made for a (SKU, location), or nil. No reserve leaves a line without a seq.
local function moved_line(lines, sku, location)
  for number, line in ipairs(lines) do
    if line[Line.first_seq] == 0 and line[Line.sku] == sku and line[Line.location] == location then return number end
  end
  return nil
end

local function lines_after(lines, moves)
  local count, new = #lines, {}
  for _, move_of in ipairs(moves) do
    local entry = move_of.entry
    if not new[entry] and not moved_line(lines, entry.sku, entry.location) then
      new[entry] = true
      count = count + 1
    end
  end
  return count
end

-- moves: {number (of the line), units, entry (of the stock there), committed_only (else held units go first)}, …
-- Returns the journal lines, the stock entries that were touched, and the number of each move's new line.
function relocation.move_units(record, moves)
  local lines, journal_lines, entries, numbers = record[Record.lines], {}, {}, {}
  for _, move_of in ipairs(moves) do
    local number, units, there = move_of.number, move_of.units, move_of.entry
    local line, here = lines[number], stock_entry(lines[number][Line.sku], lines[number][Line.location])
    local held = move_of.committed_only and 0 or min(units, line[Line.held])
    local committed = units - held
    move(here, journal_lines, number, -held, -committed, 0, record[Record.channel])
    line[Line.held], line[Line.committed] = line[Line.held] - held, line[Line.committed] - committed
    line[Line.released] = line[Line.released] + units
    local new_number = moved_line(lines, there.sku, there.location)
    if not new_number then
      new_number = #lines + 1
      lines[new_number] = {there.sku, there.location, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}
    end
    local new = lines[new_number]
    move(there, journal_lines, new_number, held, committed, 0, record[Record.channel])
    new[Line.quantity], new[Line.requested] = new[Line.quantity] + units, new[Line.requested] + units
    new[Line.held], new[Line.committed] = new[Line.held] + held, new[Line.committed] + committed
    entries[#entries + 1] = here
    entries[#entries + 1] = there
    numbers[#numbers + 1] = new_number
  end
  return journal_lines, entries, numbers
end

-- Whether the record has room for the lines that moves add.
function relocation.fits(record, moves)
  return lines_after(record[Record.lines], moves) <= RECORD_LINES_MAX
end

end
