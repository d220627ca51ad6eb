-- Operations on a part of a reservation: which units of which lines are meant, and how they change line and stock.
--
-- parts: {line number -> units}

-- wanted: [[line, quantity], …], or empty for all units of the counter. Places in a line:
--   counter  of the units that are meant, such as Line.held
--   spent    of those among them that are no longer available to the operation, such as Line.returned, or nil
--   waiting  of units that the line waits for and that are meant as well (Line.waiting or Line.owed), or nil
-- Returns the parts, or nil and the lines that request more units than are left or do not exist.
local function select_parts(record, wanted, counter, spent, waiting)
  local parts = {}
  if #wanted == 0 then
    for number, line in ipairs(record[Record.lines]) do
      parts[number] = line[counter] + (waiting and line[waiting] or 0)
    end
    return parts
  end
  local excess = {}
  for _, want in ipairs(wanted) do -- a ReturnedLine begins with the same two fields
    local number = want[LineQuantity.line]
    parts[number] = (parts[number] or 0) + want[LineQuantity.quantity]
  end
  for number, units in pairs(parts) do
    local line = record[Record.lines][number]
    local left = line and line[counter] - (spent and line[spent] or 0) + (waiting and line[waiting] or 0)
    if not line then
      excess[#excess + 1] = {number, '', '', units, 0, 'line', '', #record[Record.lines]}
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

-- Adds a note to a record, unless its value is "".
local function note(record, name, value)
  if value == '' then return end
  if record[Record.notes] == NONE then record[Record.notes] = {} end
  table.insert(record[Record.notes], {name, value})
end

-- The pairs {name, value} whose value is not "", as the journal takes them.
local function notes_of(pairs_)
  local notes = {}
  for _, pair in ipairs(pairs_) do
    if pair[2] ~= '' then notes[#notes + 1] = pair end
  end
  return notes
end

-- The refusal to extend, release or commit a reservation without held units.
local function nothing_held(record)
  local state = record[Record.state]
  if total(record, Line.expired) > 0 and state ~= 'cancelled' then return refused('expired', state) end
  local is_ordered = state == 'committed' or state == 'fulfilled' or state == 'backordered'
  if is_ordered then return refused('already_committed', state) end
  if state == 'released' then return refused('already_released', state) end
  return refused('not_held', state)
end

-- Moves the deadline of a hold to ttl_ms from now, never back. life_max_ms: how long it may be held at most, counted
-- from when it was made; 0: as long as any.
local function move_deadline(record, ttl_ms, life_max_ms)
  local longest_ms = life_max_ms > 0 and min(life_max_ms, LIMITS.life_max_ms) or LIMITS.life_max_ms
  local deadline_ms = min(NOW_MS + ttl_ms, record[Record.created_ms] + longest_ms)
  record[Record.deadline_ms] = max(record[Record.deadline_ms], deadline_ms)
end

-- Moves the units of each part from one counter of its line to another. The stock's held, committed and on_hand change
-- by the units times their sign (-1, 0 or 1). Returns the journal lines and the stock entries that changed.
local function move_parts(record, parts, from, to, held_sign, committed_sign, on_hand_sign)
  local journal_lines, entries = {}, {}
  for number, line in ipairs(record[Record.lines]) do
    local units = parts[number] or 0
    if units > 0 then
      local entry = stock_entry(line[Line.sku], line[Line.location])
      entries[#entries + 1] = entry
      move(
        entry, journal_lines, number, held_sign * units, committed_sign * units, on_hand_sign * units,
        record[Record.channel]
      )
      line[from] = line[from] - units
      line[to] = line[to] + units
    end
  end
  return journal_lines, entries
end

-- Releases the units of each part; those that the line waits for first, since none are reserved for them. counter and
-- waiting: Line.held and Line.waiting, or Line.committed and Line.owed. Returns what move_parts does.
local function release_units(entry, parts, counter, waiting)
  local journal_lines, entries, is_hold = {}, {}, counter == Line.held
  local channel = entry.record[Record.channel]
  for number, line in ipairs(entry.record[Record.lines]) do
    local units = parts[number] or 0
    if units > 0 then
      local stock_of_line = stock_entry(line[Line.sku], line[Line.location])
      local waited = min(units, line[waiting] or 0)
      local released = units - waited
      entries[#entries + 1] = stock_of_line
      move(stock_of_line, journal_lines, number, is_hold and -released or 0, is_hold and 0 or -released, 0, channel)
      line[counter] = line[counter] - released
      line[Line.released] = line[Line.released] + units
      if waited > 0 then
        local d_waiting, d_owed = is_hold and -waited or 0, is_hold and 0 or -waited
        backorders.change(stock_of_line, journal_lines, entry, number, d_waiting, d_owed)
      end
    end
  end
  return journal_lines, entries
end
