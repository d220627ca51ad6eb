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

local expire_due

do

-- Reads the due holds that the call has not read yet, as many as it may end, and the stock of their lines.
local function load_due(due, lines_max)
  local unread = {}
  for _, id in ipairs(due) do
    if not reservations[id] then unread[#unread + 1] = id end
  end
  load_reservations(unread, lines_max)
  for i = 1, #unread do
    local entry = reservations[unread[i]]
    if not entry then break end
    local record = entry.record
    for _, line in ipairs(record and record[Record.lines] or NONE) do
      want_stock(line[Line.sku], line[Line.location])
    end
  end
  load_stock()
end

-- Ends due holds, the longest overdue first and once per call: at most LIMITS.expire_max, and until they have lines_max
-- lines (nil: as many as beside the operations of a batch). Returns their latenesses (ms).
function expire_due(lines_max)
  local lateness_ms = {}
  if has_expired_due then return lateness_ms end
  has_expired_due, orphans = true, {}
  local due = call('ZRANGEBYSCORE', DEADLINES, 0, NOW_MS, 'LIMIT', 0, LIMITS.expire_max)
  more_are_due = #due == LIMITS.expire_max
  load_due(due, lines_max or work.ended_beside_max())
  local lines_left = lines_max or work.ended_beside_max()
  for _, id in ipairs(due) do
    local entry = reservations[id]
    if not entry or lines_left <= 0 then
      more_are_due = true
      break
    end
    if entry.record then
      if allocated then lines_left = lines_left - work.lines_of(entry.record) end
      lateness_ms[#lateness_ms + 1] = expire_if_due(entry)
    else
      -- A deadline without a record has no units to release. Left in the set, it would be due for ever.
      orphans[#orphans + 1] = id
    end
  end
  return lateness_ms
end

end
