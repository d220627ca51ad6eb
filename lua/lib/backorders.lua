-- Those who wait for units that are not there yet: who may, in which order, and that what comes goes to them first.
--
-- Whether one may is said for each (SKU, location), in the place BACKORDER of its stock record:
--   [mode ("preorder": nothing was there yet; "backorder": it is sold out), limit (units that may be waited for),
--    promise_on ("2026-12-01", or "": no day is told), waiting (units that are waited for now)]
-- Units that are waited for are in no bucket, and what is available does not know them. A line counts them as waiting
-- (they will be held) or as owed (they will be committed).
--
-- The queue has one member for each line that waits: sku \0 location \0 class \0 seq \0 line \0 id
--   class  0: the reservation is flagged vip, 1: it is not
--   seq    the one of the promise, 16 digits: older is smaller. line: 3 digits
-- All have the same score, so they stand in the order of their bytes: by place, by class, the oldest first.
--
-- waits: {todo (entries at which something changed), pending (entry -> is in todo), left (lines that this call may still
--         fill), joined (entry -> its new members), added (all new members), gone (member -> has left), filling,
--         paused (what comes free is kept back), backlog (units are there that somebody waits for)}

do

local FILL_MAX = 100 -- lines that one call fills: some 3 ms
-- Where line and id stand in what follows a member's place: "1 \0 seq \0 line \0 id".
local NUMBER_FROM, NUMBER_TO, ID_FROM = 20, 22, 24

local function known()
  if not waits then
    waits = {
      todo = {}, pending = {}, left = FILL_MAX, joined = {}, added = {}, gone = {}, filling = false,
      backlog = false, paused = false, backlog_before = false,
    }
  end
  return waits
end

-- Whether there is something for those who wait: units that are set aside for channels are not.
local function is_fillable(entry)
  local backorder = entry.record[Stock.backorder]
  if not backorder or backorder[Backorder.waiting] == 0 then return false end
  return (allocated and allocations.common(entry) or entry.available) > 0
end

-- A record that was read: more waited there than one call could fill.
function backorders.look(entry)
  if BACKORDERS and is_fillable(entry) then known().backlog = true end
end

-- Something changes at an entry: who waits there may get something by it.
function backorders.touch(entry)
  if not BACKORDERS or entry.record[Stock.backorder][Backorder.waiting] == 0 then return end
  local state = known()
  if state.pending[entry] then return end
  state.pending[entry] = true
  if state.paused then state.backlog = true end
  state.todo[#state.todo + 1] = entry
end

-- Sets what holds for an entry. Without a limit and with nobody waiting, nothing is left of it.
function backorders.set(entry, mode, limit, promise_on, waiting)
  local record = entry.record
  if limit > 0 or waiting ~= 0 then
    record[Stock.seq + 1] = record[Stock.seq + 1] or false
    record[Stock.backorder] = {mode, limit, promise_on, waiting}
  else
    record[Stock.backorder] = nil
    if record[Stock.seq + 1] == false then record[Stock.seq + 1] = nil end
  end
end

local function add_waiting(entry, units)
  local now = entry.record[Stock.backorder] or {'backorder', 0, '', 0}
  backorders.set(entry, now[Backorder.mode], now[Backorder.limit], now[Backorder.promise_on], now[Backorder.waiting] + units)
end

local function is_vip(flags)
  for _, flag in ipairs(flags) do
    if flag == 'vip' then return true end
  end
  return false
end

local function member_of(line, id, number, flags)
  return line[Line.sku] .. '\0' .. line[Line.location] .. '\0' .. (is_vip(flags) and '0' or '1')
    .. string.format('\0%016.0f\0%03d\0', line[Line.first_seq], number) .. id
end

-- The units that lines lack, or nil where one of them may not wait. lines, granted, channel: see lib/availability_check.lua. A cap
-- bounds what is asked for in all, so that waiting is no way around it.
function backorders.missing(lines, granted, channel)
  local missing, asked = {}, {}
  for i, line in ipairs(lines) do
    local entry, units = line.entry, line.units - granted[i]
    missing[i] = units
    if units > 0 then
      local backorder = entry.record[Stock.backorder]
      asked[entry] = (asked[entry] or 0) + units
      if not backorder or backorder[Backorder.waiting] + asked[entry] > backorder[Backorder.limit] then return nil end
    end
  end
  if allocated and allocations.is_capped(lines, channel) then return nil end
  return missing
end

-- Puts into a line of eight that it waits.
function backorders.wait(line, is_order, units, mode, promise_on)
  for counter = Line.fulfilled, Line.returned do line[counter] = 0 end
  line[Line.waiting], line[Line.owed], line[Line.first_waiting] = is_order and 0 or units, is_order and units or 0, units
  line[Line.mode], line[Line.promise_on] = mode, promise_on
end

-- A line of a new promise begins to wait.
function backorders.join(entry, line, id, number, flags, units, is_order)
  local backorder, state = entry.record[Stock.backorder], known()
  backorders.wait(line, is_order, units, backorder[Backorder.mode], backorder[Backorder.promise_on])
  add_waiting(entry, units)
  local member, joined = member_of(line, id, number, flags), state.joined[entry] or {}
  joined[#joined + 1] = member
  state.joined[entry] = joined
  state.added[#state.added + 1] = member
end

-- Changes what a line waits for, and says so in the journal line that its move has just written.
function backorders.change(entry, journal_lines, reservation, number, d_waiting, d_owed)
  local record = reservation.record
  local line, told = record[Record.lines][number], journal_lines[#journal_lines]
  line[Line.waiting], line[Line.owed] = (line[Line.waiting] or 0) + d_waiting, (line[Line.owed] or 0) + d_owed
  told[ChangeLine.d_waiting], told[ChangeLine.d_owed] = d_waiting, d_owed
  add_waiting(entry, d_waiting + d_owed)
  if line[Line.waiting] + line[Line.owed] == 0 then
    known().gone[member_of(line, reservation.id, number, record[Record.flags])] = true
  end
end

-- Who waits at an entry, in order: as the store has it, and those that this call has added.
local function queue_of(entry)
  local prefix = entry.field .. '\0'
  local queue = call('ZRANGEBYLEX', BACKORDERS, '[' .. prefix, '(' .. entry.field .. '\1', 'LIMIT', 0, FILL_MAX)
  -- Where there are more than were read, the end of the queue is not known, and its newest can wait.
  if #queue < FILL_MAX and waits.joined[entry] then
    for _, member in ipairs(waits.joined[entry]) do queue[#queue + 1] = member end
    table.sort(queue)
  end
  local names, rest_at = {}, #prefix + 1
  for i, member in ipairs(queue) do
    local rest = member:sub(rest_at)
    names[i] = {number = tonumber(rest:sub(NUMBER_FROM, NUMBER_TO)), id = rest:sub(ID_FROM)}
  end
  return queue, names
end

-- Reads the reservations of the next in the queue, as many as can be meant.
local function load_next(names, first, most)
  local unread, seen = {}, {}
  for i = first, min(#names, first + most - 1) do
    local id = names[i].id
    if not reservations[id] and not seen[id] then
      seen[id] = true
      unread[#unread + 1] = id
    end
  end
  if #unread > 0 then load_reservations(unread) end
end

-- Gives one line what there is for it; false: it does not wait, or not any more.
local function fill_line(entry, reservation, number)
  local record = record_of(reservation)
  local line = record and record[Record.lines][number]
  if not line or line[Line.sku] ~= entry.sku or line[Line.location] ~= entry.location then return false end
  if expire_if_due(reservation) then return true end
  local waiting, owed = line[Line.waiting] or 0, line[Line.owed] or 0
  local units = min(allocated and allocations.for_waiting(entry, record[Record.channel]) or entry.available, waiting + owed)
  if units <= 0 then return false end
  local committed, journal_lines = min(units, owed), {}
  local held = units - committed
  move(entry, journal_lines, number, held, committed, 0, record[Record.channel])
  line[Line.held], line[Line.committed] = line[Line.held] + held, line[Line.committed] + committed
  backorders.change(entry, journal_lines, reservation, number, -held, -committed)
  settle_state(reservation, record[Record.state])
  waits.left = waits.left - 1
  journal('backorder_fill', 'system', record[Record.channel], reservation.id, record[Record.state], journal_lines, NONE)
  return true
end

local function fill_entry(entry)
  local queue, names, at = nil, nil, 1
  while is_fillable(entry) do
    if waits.left <= 0 then
      waits.backlog = true
      return
    end
    if not queue then queue, names = queue_of(entry) end
    local member = queue[at]
    if not member then return end
    if waits.gone[member] then
      at = at + 1
    else
      local number, id = names[at].number, names[at].id
      if not reservations[id] then load_next(names, at, min(entry.available, waits.left)) end
      -- The queue and the records disagree: nothing to give, and left there it would stand in the way of others.
      if not fill_line(entry, reservations[id], number) then waits.gone[member] = true end
    end
  end
end

-- Keeps back what comes free: what an exchange brings may have to be undone. Nobody else gets it meanwhile.
function backorders.pause()
  known().filling = true
  waits.paused, waits.backlog_before = true, waits.backlog
end

-- Gives what was kept back.
function backorders.go_on()
  waits.filling, waits.paused, waits.backlog = false, false, waits.backlog_before
  backorders.fill()
end

-- Gives what came free in this operation to those who wait for it. What it does can free more.
function backorders.fill()
  if waits.filling then return end
  waits.filling = true
  local todo, at = waits.todo, 1
  while todo[at] do
    waits.pending[todo[at]] = nil
    fill_entry(todo[at])
    at = at + 1
  end
  waits.todo, waits.filling = {}, false
end

-- As fill, at one place; gives how many lines got something.
function backorders.fill_place(entry)
  if not entry.record or not is_fillable(entry) then return 0 end
  local left = known().left
  backorders.touch(entry)
  backorders.fill()
  return left - waits.left
end

-- The first place behind a member's or another place's name at which somebody waits, or nil: its SKU and location.
function backorders.place_after(name)
  local member = call('ZRANGEBYLEX', BACKORDERS, name == '' and '-' or '(' .. name, '+', 'LIMIT', 0, 1)[1]
  if not member then return nil end
  return member:match('^(%Z+)%z(%Z+)%z')
end

function backorders.write()
  local added, gone = {}, {}
  for _, member in ipairs(waits.added) do
    if not waits.gone[member] then push(added, 0, member) end
  end
  for member in pairs(waits.gone) do gone[#gone + 1] = member end
  flush('ZREM', BACKORDERS, gone)
  flush('ZADD', BACKORDERS, added)
  -- For housekeeping, see fill.lua; a greater number than any before.
  if waits.backlog and last_seq then call('HSET', META, 'unfilled', last_seq) end
end

end
