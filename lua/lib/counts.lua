-- As of when the last count of a place holds: an older one is refused, and what counts have corrected is not taken
-- for units that moved.
--
-- Packed in the hash on_hand_log, under \0 sku \0 location: [at_ms, as_of, floor, seq, delta, seq, delta, …]
--   at_ms       when it was counted, on the store's clock; -1: it had a baseline
--   as_of       the seq then
--   seq, delta  of the changes of on_hand by counts after as_of, the oldest first; floor: seq of the last one dropped
--
-- counts: call (nil: this call has none): {seqs (time -> seq then, or false), records (field -> record), written}

do

local AT_MS, AS_OF, FLOOR, FIRST = 1, 2, 3, 4
local CORRECTIONS_MAX = 20
local AHEAD_MAX_MS = 60000 -- a clock may be fast
local CHANGES_MAX = 500 -- without lines, which are looked at: some 2 ms

local function state()
  counts.call = counts.call or {seqs = {}, records = {}, written = {}}
  return counts.call
end

-- The seq of the first line of a change in the journal, or nil; both forms are described in lib/journal.lua.
local function first_seq_of(change)
  if #change > 4 then
    local line = change[Change.lines][1]
    return line and line[ChangeLine.seq]
  end
  for _, line in ipairs(change[3][Record.lines]) do
    if line[Line.quantity] > 0 and line[Line.location] ~= '' then return line[Line.first_seq] end
  end
  return nil
end

-- The first seq in an entry of the journal, or nil; and how many changes were looked at.
local function first_seq_in(entry)
  local length, at = packed_lists.measured(entry)
  for looked = 1, length do
    local following, change = unpack_some(entry, 1, at)
    local seq = first_seq_of(change)
    if seq then return seq, looked end
    at = following
  end
  return nil, length
end

-- The first seq after a time; nil: there is none; false: it was not found among so many changes.
local function first_seq_after(time_ms)
  local from, looked = string.format('%.0f', time_ms + 1), 0
  while looked < CHANGES_MAX do
    local found = call('XRANGE', JOURNAL, from, '+', 'COUNT', 1)[1]
    if not found then return nil end
    local seq, more = first_seq_in(found[2][2])
    if seq then return seq end
    from, looked = '(' .. found[1], looked + more
  end
  return false
end

-- Whether the journal has nothing after a time, also nothing that was trimmed.
local function ends_before(time_ms)
  if call('EXISTS', JOURNAL) == 0 then return true end
  local info = call('XINFO', 'STREAM', JOURNAL)
  for i = 1, #info, 2 do
    if info[i] == 'last-generated-id' then return tonumber(info[i + 1]:match('^%d+')) <= time_ms end
  end
  return false
end

-- Whether the journal still has a change from before a time, and so all that came after it.
local function reaches_back(time_ms)
  return call('XREVRANGE', JOURNAL, string.format('%.0f', time_ms), '-', 'COUNT', 1)[1] ~= nil
end

local function find_seq_at(time_ms)
  local following = first_seq_after(time_ms)
  if following == nil then
    -- What this call has changed is not written yet, so this is the seq before it.
    return (ends_before(time_ms) or reaches_back(time_ms)) and tonumber(call('HGET', META, 'seq') or 0)
  end
  return following and (following == 1 or reaches_back(time_ms)) and following - 1
end

-- The seq of the partition at a time, or false where the journal does not tell any more.
local function seq_at(time_ms)
  local seqs = state().seqs
  if seqs[time_ms] == nil then seqs[time_ms] = find_seq_at(time_ms) end
  return seqs[time_ms]
end

local function field_of(entry)
  return '\0' .. entry.field
end

local function last_of(entry)
  local records, field = state().records, field_of(entry)
  if records[field] == nil then
    local kept = call('HGET', ON_HAND_LOG, entry.came_from and '\0' .. entry.came_from or field)
    records[field] = kept and unpack_msg(kept)
  end
  return records[field]
end

-- As of when a count holds: the time, -1 where only the seq is known, and the seq, nil: as of now. Or nil, refusal.
function counts.moment(baseline_seq, counted_ms)
  if counted_ms > NOW_MS + AHEAD_MAX_MS then return nil, refused('ahead_of_clock') end
  if counted_ms >= 0 and counted_ms < NOW_MS then return counted_ms, seq_at(counted_ms) end
  if baseline_seq < 0 or counted_ms >= 0 then return NOW_MS, nil end
  if baseline_seq > partition_seq() then return nil, refused('invalid') end
  return -1, baseline_seq
end

local function is_older(last, at_ms, seq)
  return at_ms >= 0 and at_ms < last[AT_MS] or seq and seq < last[AS_OF]
end

-- Whether a place was counted after a seq: as of a later moment, or so that its number changed later.
-- at_ms: of the change with that seq; -1: not known. Where nothing has moved since, a count that found no difference
-- has the same seq.
function counts.is_counted_after(entry, seq, at_ms)
  local last = last_of(entry)
  if not last then return false end
  for i = FIRST, #last, 2 do
    if last[i] > seq then return true end
  end
  return last[AS_OF] > seq or at_ms >= 0 and last[AS_OF] == seq and last[AT_MS] ~= at_ms
end

-- The units that moved at an entry since a seq, without what counts have corrected; nil: the logs do not reach back.
local function moved_since(entry, seq, last)
  local then_on_hand = on_hand_at(entry, seq)
  if not then_on_hand or last and seq < last[FLOOR] then return nil end
  local moved = entry.record[Stock.on_hand] - then_on_hand
  for i = FIRST, last and #last or 0, 2 do
    if last[i] > seq then moved = moved - last[i + 1] end
  end
  return moved
end

-- The counted units as of now, of a place that is known. at_ms, seq: as moment returns them. Or nil and the refusal.
function counts.as_of_now(entry, counted, at_ms, seq)
  if seq == nil then return counted end
  local last = last_of(entry)
  if last and is_older(last, at_ms, seq) then return nil, refused('counted_since') end
  local moved = seq and moved_since(entry, seq, last)
  if not moved then return nil, refused('baseline_expired') end
  return max(0, counted + moved)
end

-- Notes a count after its change of on_hand by delta; at_ms, seq: as moment returns them.
function counts.note(entry, at_ms, seq, delta)
  local last, as_of = last_of(entry), seq or seq == nil and partition_seq() or 0
  local record, changed_seq = {at_ms, as_of, last and last[FLOOR] or 0}, entry.record[Stock.seq]
  for i = FIRST, last and #last or 0, 2 do
    if last[i] > as_of then push(record, last[i], last[i + 1]) end
  end
  if delta ~= 0 and changed_seq > as_of then push(record, changed_seq, delta) end
  if (#record - FLOOR) / 2 > CORRECTIONS_MAX then
    record[FLOOR] = table.remove(record, FIRST)
    table.remove(record, FIRST)
  end
  local field = field_of(entry)
  state().records[field] = record
  counts.call.written[field] = true
end

function counts.write()
  local kept = {}
  for field in pairs(counts.call.written) do push(kept, field, pack(counts.call.records[field])) end
  flush('HSET', ON_HAND_LOG, kept)
end

end
