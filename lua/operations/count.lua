-- count: sets on_hand to the number of units that were found.
--
-- Fields  Count in server/domain/operations/stock.py; -1: no on_hand, no baseline, no safety stock to set
-- Effect  on_hand = counted + units received, adjusted and shipped since the baseline, never below zero;
--         safety = safety. The SKU becomes known at the location. A count that finds no difference changes nothing.
-- Answers stock_changed · invalid (a baseline that the partition has not reached) · baseline_expired
--         · out_of_range · too_many_places

-- The counted units, as of now rather than as of the baseline. nil: its log does not reach back to the baseline.
local function counted_now(entry, counted, baseline_seq)
  local then_on_hand = on_hand_at(entry, baseline_seq)
  return then_on_hand and max(0, counted + entry.record[Stock.on_hand] - then_on_hand)
end

local function count(fields, at)
  local actor, sku, location = fields[at + Count.actor], fields[at + Count.sku], fields[at + Count.location]
  local on_hand, baseline_seq = fields[at + Count.on_hand], fields[at + Count.baseline_seq]
  local safety, reason = fields[at + Count.safety], fields[at + Count.reason]
  local entry = stock_entry(sku, location)
  if baseline_seq >= 0 and on_hand >= 0 then
    if baseline_seq > partition_seq() then return refused('invalid') end
    if entry.record then
      on_hand = counted_now(entry, on_hand, baseline_seq)
      if not on_hand then return refused('baseline_expired') end
    end
  end
  local is_new, record = not entry.record, entry.record or NO_DELTAS
  local deltas = {0, 0, 0, 0, 0, 0} -- in the order of a stock record
  if on_hand >= 0 then deltas[Stock.on_hand] = on_hand - record[Stock.on_hand] end
  if safety >= 0 then deltas[Stock.safety] = safety - record[Stock.safety] end
  local refusal = range.refuse(entry, deltas, max(on_hand, safety))
  if refusal then return refusal end
  if is_new then create_stock(entry) end
  if is_new or deltas[Stock.on_hand] ~= 0 or deltas[Stock.safety] ~= 0 then
    local journal_lines = {}
    change_buckets(entry, journal_lines, deltas)
    journal('count', actor, '', '', '', journal_lines, reason ~= '' and {{'reason', reason}} or NONE)
  end
  return stock_changed(entry)
end

operation('count', count)
