-- allocate: gives a channel units of its own at a (SKU, location), or a cap on what it may take from the common pool; or
-- takes them back.
--
-- Fields  Allocate in server/domain/operations/allocations.py; units in all: own and 0 takes the allocation away. seen_id, used: see lib/allocation_change.lua
-- Effect  the allocation is as said, the rest of it is set aside. What the channel has promised already counts as used,
--         so nothing that is promised is ever taken back.
-- Answers stock_changed · unknown_sku · exceeds_available (others may have the rest) · allocation_usage_unknown
--         · retry_after_expiry · too_many_allocations

local function allocate(fields, at)
  local actor, sku, location = fields[at + Allocate.actor], fields[at + Allocate.sku], fields[at + Allocate.location]
  local channel = fields[at + Allocate.channel]
  local kind, units, reason = fields[at + Allocate.kind], fields[at + Allocate.units], fields[at + Allocate.reason]
  local seen_id, used = fields[at + Allocate.seen_id], fields[at + Allocate.used]
  local entry = stock_entry(sku, location)
  local record = entry.record
  if not record then return refused('unknown_sku', '', {{1, sku, location, units, 0}}) end
  local known = allocations.find(record, channel)
  if kind == 'own' and units == 0 then
    if not known then return stock_changed(entry) end
    allocation_change.set(record, channel, nil)
  else
    if known and known[Allocation.kind] == kind and known[Allocation.units] == units then return stock_changed(entry) end
    if allocation_change.is_full(record, channel) then return refused('too_many_allocations') end
    local more, free, counted = allocation_change.set_aside_by(entry, channel, kind, units, seen_id, used)
    if more and more > free then
      expire_due()
      more, free, counted = allocation_change.set_aside_by(entry, channel, kind, units, seen_id, used)
    end
    if not more then return {'allocation_usage_unknown'} end
    if more > free then
      if more_are_due then return {'retry_after_expiry'} end
      return refused('exceeds_available', '', {{1, sku, location, units, counted + free}})
    end
    allocation_change.set(record, channel, kind, units, allocation_change.promised_by(entry, channel, seen_id, used))
  end
  allocated = true
  allocation_change.journal(entry, 'allocate', actor, channel, {
    {'kind', kind}, {'units', string.format('%.0f', units)}, {'reason', reason},
  })
  return stock_changed(entry)
end

operation('allocate', allocate)
