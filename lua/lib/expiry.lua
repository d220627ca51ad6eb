-- Where a hold is ended because its deadline has passed: by the sweeper, by any operation that meets a lapsed
-- reservation, and by any that runs short of units.

-- orphans: deadlines without a record. more_are_due: more lapsed holds wait than one call may end; has_expired_due: this call has
-- ended all that it may.

-- Ends the hold if its deadline has passed. Returns how late that was (ms), or nil.
local function expire_if_due(entry)
  local record = entry.record
  local deadline_ms = record[Record.deadline_ms]
  if deadline_ms == 0 or deadline_ms > NOW_MS then return nil end
  local journal_lines = {}
  for number, line in ipairs(record[Record.lines]) do
    local held, waiting = line[Line.held], line[Line.waiting] or 0
    if held + waiting > 0 then
      local stock_of_line = stock_entry(line[Line.sku], line[Line.location])
      move(stock_of_line, journal_lines, number, -held, 0, 0, record[Record.channel])
      line[Line.held] = 0
      line[Line.expired] = line[Line.expired] + held + waiting
      if waiting > 0 then backorders.change(stock_of_line, journal_lines, entry, number, -waiting, 0) end
    end
  end
  settle_state(entry, 'expired')
  journal('expire', 'system', record[Record.channel], entry.id, record[Record.state], journal_lines, NONE)
  return NOW_MS - deadline_ms
end

-- Ends what is due, longest overdue first, at most EXPIRE_BATCH_MAX holds and once a call. Returns the latenesses (ms).
local function expire_due()
  local lateness_ms = {}
  if has_expired_due then return lateness_ms end
  has_expired_due, orphans = true, {}
  local due = call('ZRANGEBYSCORE', DEADLINES, 0, NOW_MS, 'LIMIT', 0, EXPIRE_BATCH_MAX)
  more_are_due = #due == EXPIRE_BATCH_MAX
  local unread = {}
  for _, id in ipairs(due) do
    if not reservations[id] then unread[#unread + 1] = id end
  end
  load_reservations(unread)
  for _, id in ipairs(due) do
    local entry = reservations[id]
    if entry.record then
      lateness_ms[#lateness_ms + 1] = expire_if_due(entry)
    else
      -- The set and the records disagree, so there is nothing to give back. Left there, it would be due for ever.
      orphans[#orphans + 1] = id
    end
  end
  return lateness_ms
end
