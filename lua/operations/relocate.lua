-- relocate: promised units are to come from another location.
--
-- op      [1 tag, 2 fingerprint, 3 actor, 4 reservation id, 5 key,
--          6 moves [[line, quantity (0: all that it has promised), to, whether that is closed], …]]
-- Effect  of the line: held first, then committed -, released +; at the destination both +, in a line at the end of the
--         record that was made by this or an earlier move. What lies there already stays. The deadline stays.
-- Answers changed · unknown_reservation · expired · not_held · exceeds_remaining · location_closed · unknown_sku
--         · too_many_lines · out_of_stock · retry_after_expiry

local relocate, relocation = nil, {}

do

-- What is to be moved: [[line number, units, stock entry there], …], or nil and the refusal.
local function read_moves(record, wanted)
  local moves, gone = {}, {}
  local excess, closed, unknown = {}, {}, {}
  for _, want in ipairs(wanted) do
    local number, units, to = want[1], want[2], want[3]
    local line = record[LINES][number]
    if not line then
      excess[#excess + 1] = {number, '', to, units, 0}
    else
      local left = line[LINE_HELD] + line[LINE_COMMITTED] - (gone[number] or 0)
      if units == 0 then units = left end
      local told = {number, line[LINE_SKU], to, units, 0}
      if units > left or units == 0 then
        excess[#excess + 1] = {number, line[LINE_SKU], line[LINE_LOCATION], max(units, 1), left}
      elseif line[LINE_LOCATION] ~= to then
        local entry = stock_entry(line[LINE_SKU], to)
        if want[4] then closed[#closed + 1] = told
        elseif not entry.record then unknown[#unknown + 1] = told end
        gone[number] = (gone[number] or 0) + units
        moves[#moves + 1] = {number, units, entry}
      end
    end
  end
  if #excess > 0 then return nil, refused('exceeds_remaining', record[STATE], excess) end
  if #closed > 0 then return nil, refused('location_closed', record[STATE], closed) end
  if #unknown > 0 then return nil, refused('unknown_sku', record[STATE], unknown) end
  return moves
end

-- The number of the line that moves have made for a (SKU, location), or nil. No reserve leaves a line without a seq.
local function moved_line(lines, sku, location)
  for number, line in ipairs(lines) do
    if line[LINE_FIRST_SEQ] == 0 and line[LINE_SKU] == sku and line[LINE_LOCATION] == location then return number end
  end
  return nil
end

local function lines_after(lines, moves)
  local count, new = #lines, {}
  for _, move_of in ipairs(moves) do
    local entry = move_of[3]
    if not new[entry] and not moved_line(lines, entry.sku, entry.location) then
      new[entry] = true
      count = count + 1
    end
  end
  return count
end

-- Why the destinations cannot take it, or nil.
local function shortage_there(record, moves)
  local wanted = {}
  for i, move_of in ipairs(moves) do wanted[i] = {move_of[3].sku, move_of[3].location, move_of[2], move_of[3]} end
  local _, short = grant(wanted, record[CHANNEL])
  if short then
    expire_due()
    _, short = grant(wanted, record[CHANNEL])
  end
  if not short then return nil end
  if more_are_due then return {'retry_after_expiry'} end
  for _, line in ipairs(short) do line[1] = moves[line[1]][1] end
  return refused('out_of_stock', record[STATE], short)
end

-- moves: [[line number, units, stock entry there, whether only ordered units are meant], …]; else held ones go first.
-- Returns the journal lines, the stock entries that were touched, and the number of each move's new line.
local function move_units(record, moves)
  local lines, journal_lines, entries, numbers = record[LINES], {}, {}, {}
  for _, move_of in ipairs(moves) do
    local number, units, there = move_of[1], move_of[2], move_of[3]
    local line, here = lines[number], stock_entry(lines[number][LINE_SKU], lines[number][LINE_LOCATION])
    local held = move_of[4] and 0 or min(units, line[LINE_HELD])
    local committed = units - held
    move(here, journal_lines, number, -held, -committed, 0, record[CHANNEL])
    line[LINE_HELD], line[LINE_COMMITTED] = line[LINE_HELD] - held, line[LINE_COMMITTED] - committed
    line[LINE_RELEASED] = line[LINE_RELEASED] + units
    local new_number = moved_line(lines, there.sku, there.location)
    if not new_number then
      new_number = #lines + 1
      lines[new_number] = {there.sku, there.location, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}
    end
    local new = lines[new_number]
    move(there, journal_lines, new_number, held, committed, 0, record[CHANNEL])
    new[LINE_QUANTITY], new[LINE_REQUESTED] = new[LINE_QUANTITY] + units, new[LINE_REQUESTED] + units
    new[LINE_HELD], new[LINE_COMMITTED] = new[LINE_HELD] + held, new[LINE_COMMITTED] + committed
    entries[#entries + 1] = here
    entries[#entries + 1] = there
    numbers[#numbers + 1] = new_number
  end
  return journal_lines, entries, numbers
end

relocation.move_units = move_units

-- Whether the record has room for the lines that moves add.
function relocation.fits(record, moves)
  return lines_after(record[LINES], moves) <= RECORD_LINES_MAX
end

function relocate(fields, at)
  local actor, id, wanted = fields[at + 2], fields[at + 3], fields[at + 5]
  local entry = reservations[id]
  local record = record_of(entry) -- a promise of this very batch is there, too
  if not record then return refused('unknown_reservation') end
  expire_if_due(entry)
  local state = record[STATE]
  if total(record, LINE_HELD) + total(record, LINE_COMMITTED) == 0 then
    return refused(state == 'expired' and 'expired' or 'not_held', state)
  end
  local moves, refusal = read_moves(record, wanted)
  if refusal then return refusal end
  if not relocation.fits(record, moves) then return refused('too_many_lines', state) end
  refusal = shortage_there(record, moves)
  if refusal then return refusal end
  if #moves == 0 then return changed(record, NONE) end
  local journal_lines, entries = move_units(record, moves)
  settle_state(entry, state)
  journal('relocate', actor, record[CHANNEL], entry.id, record[STATE], journal_lines, NONE)
  return changed(record, entries)
end

end
