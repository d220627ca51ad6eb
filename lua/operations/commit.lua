-- commit: turn held units into ordered ones.
--
-- Fields  Commit in server/domain/operations/reservations.py; no lines: all of them
-- Effect  held - and committed +, and a backorder becomes one of an order. What is not named is released, or kept until
--         its deadline (keep_remainder). After the deadline the units are taken anew if they are there.
-- Answers changed · unknown_reservation · exceeds_remaining · expired (and the units are gone) · retry_after_expiry
--         · already_committed · already_released · not_held

-- Takes units anew that were lost at the deadline.
local function commit_late(entry, parts)
  local record, lines, numbers, entries = entry.record, {}, {}, {}
  for number, line in ipairs(record[Record.lines]) do
    local units = parts[number] or 0
    if units > 0 then
      local stock_of_line = stock_entry(line[Line.sku], line[Line.location])
      numbers[#numbers + 1] = number
      entries[#entries + 1] = stock_of_line
      lines[#lines + 1] = {entry = stock_of_line, units = units}
    end
  end
  local _, short = grant(lines, record[Record.channel])
  if short then
    expire_due()
    _, short = grant(lines, record[Record.channel])
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

local function commit_held(entry, parts, keep_remainder)
  local record, journal_lines, entries = entry.record, {}, {}
  for number, line in ipairs(record[Record.lines]) do
    local waiting, held = line[Line.waiting] or 0, line[Line.held]
    local units = min(parts[number] or 0, held) -- those that are there come first
    local owed = (parts[number] or 0) - units
    local released = keep_remainder and 0 or held - units
    local unmade = keep_remainder and 0 or waiting - owed
    if units + released + owed + unmade > 0 then
      local stock_of_line = stock_entry(line[Line.sku], line[Line.location])
      entries[#entries + 1] = stock_of_line
      move(stock_of_line, journal_lines, number, -(units + released), units, 0, record[Record.channel])
      line[Line.held] = held - units - released
      line[Line.committed] = line[Line.committed] + units
      line[Line.released] = line[Line.released] + released + unmade
      if owed + unmade > 0 then backorders.change(stock_of_line, journal_lines, entry, number, -(owed + unmade), owed) end
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
    -- What lapsed before a cancel stays gone: a cancelled order does not come back.
    if total(record, Line.expired) == 0 or record[Record.state] == 'cancelled' then return nothing_held(record) end
    counter, commit_parts = Line.expired, commit_late
  end
  local parts, excess = select_parts(record, wanted, counter, nil, counter == Line.held and Line.waiting or nil)
  if not parts then return refused('exceeds_remaining', record[Record.state], excess) end
  local journal_lines, refusal, entries = commit_parts(entry, parts, keep_remainder)
  if refusal then return refusal end
  note(record, 'order_ref', order_ref)
  settle_state(entry, 'expired')
  journal('commit', actor, record[Record.channel], entry.id, record[Record.state], journal_lines, notes_of({{'order_ref', order_ref}}))
  return changed(record, entries)
end

operation('commit', commit)
