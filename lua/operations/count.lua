-- count: sets on_hand to the number of units that were found.
--
-- Fields  Count in server/domain/operations/stock.py; -1: no on_hand, no baseline, no safety stock to set, no time
-- Effect  on_hand = counted + units received, adjusted and shipped since the baseline or the time, never below zero;
--         safety = safety. The SKU becomes known at the location. A count that finds no difference changes nothing.
--         replaces: the key is taken over from a count with another body, see lib/batch.lua
-- Answers stock_changed · invalid (a baseline that the partition has not reached) · ahead_of_clock · baseline_expired
--         · counted_since (a later count was here before) · out_of_range · too_many_places · similar_name
--         · unregistered_location

-- By how much on_hand and the safety stock change, in the order of a stock record.
local function deltas_to(record, on_hand, safety)
  local deltas = {0, 0, 0, 0, 0, 0}
  if on_hand >= 0 then deltas[Stock.on_hand] = on_hand - record[Stock.on_hand] end
  if safety >= 0 then deltas[Stock.safety] = safety - record[Stock.safety] end
  return deltas
end

local function notes_of_count(fields, at)
  local counted_ms = fields[at + Count.counted_ms]
  local time = counted_ms >= 0 and string.format('%.0f', counted_ms) or ''
  return notes_of({{'reason', fields[at + Count.reason]}, {'counted_ms', time}})
end

local function count(fields, at)
  local actor, sku, location = fields[at + Count.actor], fields[at + Count.sku], fields[at + Count.location]
  local on_hand, safety = fields[at + Count.on_hand], fields[at + Count.safety]
  local entry, at_ms, seq, refusal = stock_entry(sku, location), nil, nil, nil
  local is_counted = on_hand >= 0
  if is_counted then
    at_ms, seq = counts.moment(fields[at + Count.baseline_seq], fields[at + Count.counted_ms])
    if not at_ms then return seq end
    if entry.record then on_hand, refusal = counts.as_of_now(entry, on_hand, at_ms, seq) end
    if refusal then return refusal end
  end
  local is_new = not entry.record
  local deltas = deltas_to(entry.record or NO_DELTAS, on_hand, safety)
  refusal = range.refuse(entry, deltas, max(on_hand, safety)) or likeness.refuse(entry, max(on_hand, safety))
  if refusal then return refusal end
  if is_new then create_stock(entry) end
  if is_new or deltas[Stock.on_hand] ~= 0 or deltas[Stock.safety] ~= 0 then
    local journal_lines = {}
    change_buckets(entry, journal_lines, deltas)
    if is_counted then counts.note(entry, at_ms, seq, deltas[Stock.on_hand]) end
    journal('count', actor, '', '', '', journal_lines, notes_of_count(fields, at))
  elseif is_counted then
    counts.note(entry, at_ms, seq, 0)
  end
  return stock_changed(entry)
end

operation('count', count)
