-- commit: turn held units into ordered ones.
--
-- op      [1 tag, 2 fingerprint, 3 actor, 4 reservation id, 5 key, 6 lines [[line, quantity], …] (empty: all),
--          7 keep_remainder, 8 order_ref]
-- Effect  held - and committed +, and what is waited for is waited for as an order; what is not named is released, or
--         kept until its deadline (keep_remainder). After the deadline the units are taken anew if they are there.
-- Answers changed · unknown_reservation · exceeds_remaining · expired (and the units are gone) · retry_after_expiry
--         · already_committed · already_released · not_held

local commit

do

-- Takes units anew that were lost at the deadline.
local function commit_late(entry, parts)
  local record, lines, numbers, entries = entry.record, {}, {}, {}
  for number, line in ipairs(record[LINES]) do
    local units = parts[number] or 0
    if units > 0 then
      local stock_of_line = stock_entry(line[LINE_SKU], line[LINE_LOCATION])
      numbers[#numbers + 1] = number
      entries[#entries + 1] = stock_of_line
      lines[#lines + 1] = {line[LINE_SKU], line[LINE_LOCATION], units, stock_of_line}
    end
  end
  local _, short = grant(lines, record[CHANNEL])
  if short then
    expire_due()
    _, short = grant(lines, record[CHANNEL])
  end
  if short then
    if more_are_due then return nil, {'retry_after_expiry'} end
    for _, refusal in ipairs(short) do refusal[1] = numbers[refusal[1]] end
    return nil, refused('expired', record[STATE], short)
  end
  local journal_lines = {}
  for i, number in ipairs(numbers) do
    local line, units = record[LINES][number], lines[i][3]
    move(entries[i], journal_lines, number, 0, units, 0, record[CHANNEL])
    line[LINE_EXPIRED] = line[LINE_EXPIRED] - units
    line[LINE_COMMITTED] = line[LINE_COMMITTED] + units
  end
  return journal_lines, nil, entries
end

local function commit_held(entry, parts, keep_remainder)
  local record, journal_lines, entries = entry.record, {}, {}
  for number, line in ipairs(record[LINES]) do
    local waiting, held = line[LINE_WAITING] or 0, line[LINE_HELD]
    local units = min(parts[number] or 0, held) -- those that are there come first
    local owed = (parts[number] or 0) - units
    local released = keep_remainder and 0 or held - units
    local unmade = keep_remainder and 0 or waiting - owed
    if units + released + owed + unmade > 0 then
      local stock_of_line = stock_entry(line[LINE_SKU], line[LINE_LOCATION])
      entries[#entries + 1] = stock_of_line
      move(stock_of_line, journal_lines, number, -(units + released), units, 0, record[CHANNEL])
      line[LINE_HELD] = held - units - released
      line[LINE_COMMITTED] = line[LINE_COMMITTED] + units
      line[LINE_RELEASED] = line[LINE_RELEASED] + released + unmade
      if owed + unmade > 0 then backorders.change(stock_of_line, journal_lines, entry, number, -(owed + unmade), owed) end
    end
  end
  return journal_lines, nil, entries
end

function commit(fields, at)
  local actor, id, wanted = fields[at + 2], fields[at + 3], fields[at + 5]
  local keep_remainder, order_ref = fields[at + 6], fields[at + 7]
  local entry = reservations[id]
  local record = entry.record
  if not record then return refused('unknown_reservation') end
  expire_if_due(entry)
  local counter, commit_parts = LINE_HELD, commit_held
  if total(record, LINE_HELD) + total(record, LINE_WAITING) == 0 then
    -- What lapsed before a cancel stays gone: a cancelled order does not come back.
    if total(record, LINE_EXPIRED) == 0 or record[STATE] == 'cancelled' then return nothing_held(record) end
    counter, commit_parts = LINE_EXPIRED, commit_late
  end
  local parts, excess = select_parts(record, wanted, counter, nil, counter == LINE_HELD and LINE_WAITING or nil)
  if not parts then return refused('exceeds_remaining', record[STATE], excess) end
  local journal_lines, refusal, entries = commit_parts(entry, parts, keep_remainder)
  if refusal then return refusal end
  note(record, 'order_ref', order_ref)
  settle_state(entry, 'expired')
  journal('commit', actor, record[CHANNEL], entry.id, record[STATE], journal_lines, notes_of({{'order_ref', order_ref}}))
  return changed(record, entries)
end

end
