-- commit: turns held units into ordered ones.
--
-- Fields  Commit in server/domain/operations/reservations.py; no lines: all of them; a text in place of a line is the
--         channel's key or a SKU, see lib/channel_lines.lua
-- Effect  held -, committed +; units that a line waits for become owed. Other units are released, or (keep_remainder)
--         kept until the deadline. After the deadline the units are reserved again if they are available.
-- Answers changed · unknown_reservation · exceeds_remaining · expired (and the units are not available)
--         · retry_after_expiry · already_committed · already_released · not_held

-- The parts of lines that expired: lines as grant takes them, their numbers, and their stock entries.
local function lines_to_reserve(record, parts)
  local lines, numbers, entries = {}, {}, {}
  for number, line in ipairs(record[Record.lines]) do
    local units = parts[number] or 0
    if units > 0 then
      local stock_of_line = stock_entry(line[Line.sku], line[Line.location])
      numbers[#numbers + 1] = number
      entries[#entries + 1] = stock_of_line
      lines[#lines + 1] = {entry = stock_of_line, units = units}
    end
  end
  return lines, numbers, entries
end

-- The lines that cannot have their units again, as refused takes them, or nil: their location is closed by now, or too
-- few are available.
local function lines_lacking(lines, channel)
  local closed, lacking_lines = places_now().closed, nil
  for i, line in ipairs(closed and lines or NONE) do
    local entry = line.entry
    if closed[entry.location] then
      lacking_lines = lacking_lines or {}
      lacking_lines[#lacking_lines + 1] = {i, entry.sku, entry.location, line.units, 0}
    end
  end
  if lacking_lines then return lacking_lines end
  local _, short = grant(lines, channel)
  return short
end

-- Reserves units again that expired at the deadline. Returns the journal lines, the refusal and the stock entries.
local function commit_late(entry, parts)
  local record = entry.record
  local lines, numbers, entries = lines_to_reserve(record, parts)
  local short = lines_lacking(lines, record[Record.channel])
  if short then
    expire_due()
    short = lines_lacking(lines, record[Record.channel])
  end
  if short then
    if more_are_due then return nil, {'retry_after_expiry'} end
    for _, refusal in ipairs(short) do
      refusal[LineRefusal.line] = numbers[refusal[LineRefusal.line]]
    end
    return nil, refused('expired', record[Record.state], short)
  end
  local journal_lines = {}
  for i, number in ipairs(numbers) do
    local line, units = record[Record.lines][number], lines[i].units
    move(entries[i], journal_lines, number, 0, units, 0, record[Record.channel])
    line[Line.expired] = line[Line.expired] - units
    line[Line.committed] = line[Line.committed] + units
  end
  return journal_lines, nil, entries
end

-- Commits held units and those that lines wait for. Returns the journal lines, nil and the stock entries.
local function commit_held(entry, parts, keep_remainder)
  local record, journal_lines, entries = entry.record, {}, {}
  for number, line in ipairs(record[Record.lines]) do
    local waiting, held = line[Line.waiting] or 0, line[Line.held]
    local units = min(parts[number] or 0, held) -- held units before those that the line waits for
    local owed = (parts[number] or 0) - units
    local released = keep_remainder and 0 or held - units
    local dropped = keep_remainder and 0 or waiting - owed -- of the units that the line waits for
    if units + released + owed + dropped > 0 then
      local stock_of_line = stock_entry(line[Line.sku], line[Line.location])
      entries[#entries + 1] = stock_of_line
      move(stock_of_line, journal_lines, number, -(units + released), units, 0, record[Record.channel])
      line[Line.held] = held - units - released
      line[Line.committed] = line[Line.committed] + units
      line[Line.released] = line[Line.released] + released + dropped
      if owed + dropped > 0 then
        backorders.change(stock_of_line, journal_lines, entry, number, -(owed + dropped), owed)
      end
    end
  end
  return journal_lines, nil, entries
end

local function commit(fields, at)
  local actor, id, wanted = fields[at + Commit.actor], fields[at + Commit.reservation_id], fields[at + Commit.lines]
  local keep_remainder, order_ref = fields[at + Commit.keep_remainder], fields[at + Commit.order_ref]
  local entry = reservations[id]
  local record = entry.record
  if not record then return refused('unknown_reservation') end
  expire_if_due(entry)
  local counter, commit_parts = Line.held, commit_held
  if total(record, Line.held) + total(record, Line.waiting) == 0 then
    -- Units that expired before a cancel are not committed: a cancelled order stays cancelled.
    if total(record, Line.expired) == 0 or record[Record.state] == 'cancelled' then return nothing_held(record) end
    counter, commit_parts = Line.expired, commit_late
  end
  local waiting = counter == Line.held and Line.waiting or nil
  local parts, excess = channel_lines.select_parts(record, wanted, counter, waiting)
  if not parts then return refused('exceeds_remaining', record[Record.state], excess) end
  local journal_lines, refusal, entries = commit_parts(entry, parts, keep_remainder)
  if refusal then return refusal end
  note(record, 'order_ref', order_ref)
  derive_state(entry, 'expired', journal_lines)
  local notes = notes_of({{'order_ref', order_ref}})
  journal('commit', actor, record[Record.channel], entry.id, record[Record.state], journal_lines, notes)
  return changed(record, entries)
end

operation('commit', commit)
