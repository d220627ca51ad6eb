-- Moves reserved units to lines at other locations: shared by operations/relocate.lua, bind.lua and map_lines.lua.
--
-- moves: {{number (of the line), units, entry (of the stock at the destination), committed_only (whether only committed
--        units move; else held units move first)}, …}

local relocation = {}

do

-- The numbers of the lines that earlier moves added, by the field of their stock: a line keeps the names that it was
-- made with, so one whose SKU or location was renamed since is found by where its stock lies now. Only such lines have
-- first_seq 0.
function relocation.moved_lines(lines)
  local moved = {}
  for number, line in ipairs(lines) do
    if line[Line.first_seq] == 0 then
      local field = stock_entry(line[Line.sku], line[Line.location]).field
      moved[field] = moved[field] or number
    end
  end
  return moved
end

-- The number of lines that a record has after the moves.
local function lines_after(lines, moves)
  local count, new, moved = #lines, {}, relocation.moved_lines(lines)
  for _, move_of in ipairs(moves) do
    local entry = move_of.entry
    if not new[entry] and not moved[entry.field] then
      new[entry] = true
      count = count + 1
    end
  end
  return count
end

-- Moves the units of one move out of its line. Returns how many of them were held and how many committed.
local function take_out(record, move_of, here, journal_lines)
  local number, units = move_of.number, move_of.units
  local line = record[Record.lines][number]
  local held = move_of.committed_only and 0 or min(units, line[Line.held])
  local committed = units - held
  move(here, journal_lines, number, -held, -committed, 0, record[Record.channel])
  line[Line.held], line[Line.committed] = line[Line.held] - held, line[Line.committed] - committed
  line[Line.released] = line[Line.released] + units
  return held, committed
end

-- Adds held and committed units to the line at the destination, which is made where there is none. Returns its number.
-- moved: as moved_lines returns it, once for all of an operation.
function relocation.put_in(record, there, journal_lines, held, committed, moved)
  local lines, units = record[Record.lines], held + committed
  local number = moved[there.field]
  if not number then
    number = #lines + 1
    moved[there.field] = number
    -- SKU and location, then the ten counters from quantity to returned.
    lines[number] = {there.sku, there.location, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}
  end
  local line = lines[number]
  move(there, journal_lines, number, held, committed, 0, record[Record.channel])
  line[Line.quantity], line[Line.requested] = line[Line.quantity] + units, line[Line.requested] + units
  line[Line.held], line[Line.committed] = line[Line.held] + held, line[Line.committed] + committed
  return number
end

-- Returns the journal lines, the stock entries that changed, and the number of each move's line at the destination.
function relocation.move_units(record, moves)
  local journal_lines, entries, numbers = {}, {}, {}
  local moved = relocation.moved_lines(record[Record.lines])
  for _, move_of in ipairs(moves) do
    local line, there = record[Record.lines][move_of.number], move_of.entry
    local here = stock_entry(line[Line.sku], line[Line.location])
    local held, committed = take_out(record, move_of, here, journal_lines)
    numbers[#numbers + 1] = relocation.put_in(record, there, journal_lines, held, committed, moved)
    entries[#entries + 1] = here
    entries[#entries + 1] = there
  end
  return journal_lines, entries, numbers
end

-- Counts the allocations at the destinations of moves. Returns nil, or the answer where the call has no room for them.
function relocation.take_allocations(record, moves)
  if not allocated then return nil end
  local entries = {}
  for i, move_of in ipairs(moves) do entries[i] = move_of.entry end
  return work.take_allocations(entries, work.lines_of(record))
end

-- Whether a record has room for the lines that the moves add.
function relocation.fits(record, moves)
  return lines_after(record[Record.lines], moves) <= RECORD_LINES_MAX
end

end
