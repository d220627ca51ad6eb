-- Operations on a part of a reservation: which units of which lines are meant.

-- wanted: [[line, quantity], …] or empty for all that counter holds. counter: LINE_HELD, LINE_COMMITTED, …
-- spent: the counter of those of them that cannot be meant any more, or nil. waiting: the counter of those that are meant,
-- too, though they are not there yet (LINE_WAITING, LINE_OWED), or nil.
-- Returns {line number -> units}, or nil and the lines that ask for more than is left or do not exist.
local function select_parts(record, wanted, counter, spent, waiting)
  local parts = {}
  if #wanted == 0 then
    for number, line in ipairs(record[Record.lines]) do parts[number] = line[counter] + (waiting and line[waiting] or 0) end
    return parts
  end
  local excess = {}
  for _, want in ipairs(wanted) do -- a returned line begins as any other part does
    local number = want[LineQuantity.line]
    parts[number] = (parts[number] or 0) + want[LineQuantity.quantity]
  end
  for number, units in pairs(parts) do
    local line = record[Record.lines][number]
    local left = line and line[counter] - (spent and line[spent] or 0) + (waiting and line[waiting] or 0)
    if not line then
      excess[#excess + 1] = {number, '', '', units, 0}
    elseif units > left then
      excess[#excess + 1] = {number, line[Line.sku], line[Line.location], units, left}
    end
  end
  if #excess > 0 then
    table.sort(excess, function(a, b) return a[1] < b[1] end)
    return nil, excess
  end
  return parts
end

-- Adds a note to a record, if there is something to note.
local function note(record, name, value)
  if value == '' then return end
  if record[Record.notes] == NONE then record[Record.notes] = {} end
  table.insert(record[Record.notes], {name, value})
end

local function notes_of(pairs_)
  local notes = {}
  for _, pair in ipairs(pairs_) do
    if pair[2] ~= '' then notes[#notes + 1] = pair end
  end
  return notes
end

-- Why a reservation that holds nothing cannot be extended, released or committed.
local function nothing_held(record)
  local state = record[Record.state]
  if total(record, Line.expired) > 0 and state ~= 'cancelled' then return refused('expired', state) end
  if state == 'committed' or state == 'fulfilled' or state == 'backordered' then return refused('already_committed', state) end
  if state == 'released' then return refused('already_released', state) end
  return refused('not_held', state)
end

-- Moves the chosen units of each line from one of its counters to another, and in the stock by as many times the signs.
-- Returns the journal lines and the stock entries that were touched.
local function move_parts(record, parts, from, to, held_sign, committed_sign, on_hand_sign)
  local journal_lines, entries = {}, {}
  for number, line in ipairs(record[Record.lines]) do
    local units = parts[number] or 0
    if units > 0 then
      local entry = stock_entry(line[Line.sku], line[Line.location])
      entries[#entries + 1] = entry
      move(
        entry, journal_lines, number, held_sign * units, committed_sign * units, on_hand_sign * units, record[Record.channel]
      )
      line[from] = line[from] - units
      line[to] = line[to] + units
    end
  end
  return journal_lines, entries
end

-- Gives the chosen units of each line back, those that it waits for first: nobody has them yet. counter, waiting:
-- LINE_HELD, LINE_WAITING or LINE_COMMITTED, LINE_OWED. Returns what move_parts does.
local function give_back(entry, parts, counter, waiting)
  local journal_lines, entries, is_hold = {}, {}, counter == Line.held
  local channel = entry.record[Record.channel]
  for number, line in ipairs(entry.record[Record.lines]) do
    local units = parts[number] or 0
    if units > 0 then
      local stock_of_line = stock_entry(line[Line.sku], line[Line.location])
      local unmade = min(units, line[waiting] or 0)
      local back = units - unmade
      entries[#entries + 1] = stock_of_line
      move(stock_of_line, journal_lines, number, is_hold and -back or 0, is_hold and 0 or -back, 0, channel)
      line[counter] = line[counter] - back
      line[Line.released] = line[Line.released] + units
      if unmade > 0 then
        backorders.change(stock_of_line, journal_lines, entry, number, is_hold and -unmade or 0, is_hold and 0 or -unmade)
      end
    end
  end
  return journal_lines, entries
end
