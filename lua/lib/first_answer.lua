-- The answer of a replay: what a reserve or order was answered at first, whatever has become of it since.

local first_answer

do

-- A line as it was at first. Returns also the units reserved then, and the seq after it, or 0 where it changed nothing.
local function first_line(line, is_order)
  local text, mode, edited = line[Line.text], line[Line.mode], line[Line.edited] or 0
  local sku, location, seq = line[Line.sku], line[Line.location], line[Line.first_seq]
  if text and text ~= '' then sku, location, mode = text, '', 'unmapped' end -- it was mapped since
  local quantity, missing = line[Line.quantity] - edited, line[Line.first_waiting] or 0
  local units = quantity - missing
  local first = {
    sku, location, quantity, line[Line.requested] - edited, is_order and 0 or units, is_order and units or 0,
    line[Line.first_available], seq,
  }
  if mode and mode ~= '' then backorders.set_waiting(first, is_order, missing, mode, line[Line.promise_on]) end
  return first, units, location ~= '' and quantity > 0 and seq or 0
end

-- The original answer, as a replay, rebuilt from the fields of a record that never change.
function first_answer(record)
  if tombstones.was_met_by(record) then return {'changed', true, record} end
  local is_order = record[Record.ttl_ms] == 0
  local lines, seq, reserved = {}, 0, 0
  for i, line in ipairs(record[Record.lines]) do
    if line[Line.first_seq] == 0 then break end -- a relocation or an edit added it and those behind it
    local units, seq_after
    lines[i], units, seq_after = first_line(line, is_order)
    seq, reserved = max(seq, seq_after), reserved + units
  end
  local first = {}
  for i = Record.state, Record.flags do first[i] = record[i] end
  local open = record[Record.open]
  if open then
    local lines = open[Open.lines]
    first[Record.notes], first[Record.open] = NONE, {open[Open.group], lines, #lines == 0}
  end
  if record[Record.channel_lines] then first[Record.channel_lines] = channel_lines.at_first(record) end
  first[Record.quota] = record[Record.quota]
  first[Record.state] = reserved == 0 and 'backordered' or is_order and 'committed' or 'held'
  first[Record.deadline_ms] = is_order and 0 or record[Record.created_ms] + record[Record.ttl_ms]
  first[Record.seq] = seq
  first[Record.lines] = lines
  return {'changed', true, first}
end

end
