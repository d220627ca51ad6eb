-- Ends holds whose deadline has passed: for maintenance, for an operation on such a reservation, and for an operation
-- that runs short of units.
--
-- orphans          ids of deadlines without a record, which are deleted at the end
-- more_are_due     more holds are due than one call may end
-- has_expired_due  this call has ended all that it may

-- Ends a hold if its deadline has passed. Returns now minus its deadline (ms), or nil.
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
  derive_state(entry, 'expired', journal_lines)
  journal('expire', 'system', record[Record.channel], entry.id, record[Record.state], journal_lines, NONE)
  return NOW_MS - deadline_ms
end

-- Ends due holds, the longest overdue first, at most EXPIRE_BATCH_MAX and once per call. Returns their latenesses (ms).
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
      -- A deadline without a record has no units to release. Left in the set, it would be due for ever.
      orphans[#orphans + 1] = id
    end
  end
  return lateness_ms
end
