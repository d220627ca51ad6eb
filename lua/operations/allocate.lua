-- allocate: sets a channel's allocation at a (SKU, location): units of its own, or a cap on those of the common pool.
--
-- Fields  Allocate in server/domain/operations/allocations.py; units: in all; kind own and units 0: the allocation is
--         removed. seen_id, used: see lib/allocation_change.lua
-- Effect  the allocation is set, and its rest is set aside. Units that the channel has reserved already count as used,
--         so no reserved unit is ever taken away.
-- Answers stock_changed · unknown_sku · exceeds_available (for the rest) · allocation_usage_unknown
--         · retry_after_expiry · too_many_allocations

-- Sets an allocation, as far as its rest is available. Returns the refusal, or nil.
local function set_allocation(entry, channel, kind, units, seen_id, used)
  local record = entry.record
  if allocation_change.is_full(record, channel) then return refused('too_many_allocations') end
  local more, free, counted = allocation_change.set_aside_by(entry, channel, kind, units, seen_id, used)
  if more and more > free then
    expire_due()
    more, free, counted = allocation_change.set_aside_by(entry, channel, kind, units, seen_id, used)
  end
  if not more then return {'allocation_usage_unknown'} end
  if more > free then
    if more_are_due then return {'retry_after_expiry'} end
    return refused('exceeds_available', '', {{1, entry.sku, entry.location, units, counted + free}})
  end
  allocation_change.set(record, channel, kind, units, allocation_change.used_by(entry, channel, seen_id, used))
  return nil
end

local function allocate(fields, at)
  local actor, sku, location = fields[at + Allocate.actor], fields[at + Allocate.sku], fields[at + Allocate.location]
  local channel = fields[at + Allocate.channel]
  local kind, units, reason = fields[at + Allocate.kind], fields[at + Allocate.units], fields[at + Allocate.reason]
  local seen_id, used = fields[at + Allocate.seen_id], fields[at + Allocate.used]
  local entry = stock_entry(sku, location)
  local record = entry.record
  if not record then return refused('unknown_sku', '', {{1, sku, location, units, 0}}) end
  local known = allocations.find(record, channel)
  local was_kind = known and known[Allocation.kind] or ''
  local was_units = known and string.format('%.0f', known[Allocation.units]) or ''
  if kind == 'own' and units == 0 then
    if not known then return stock_changed(entry) end
    allocation_change.set(record, channel, nil)
  else
    local is_same = known and known[Allocation.kind] == kind and known[Allocation.units] == units
    if is_same then return stock_changed(entry) end
    local refusal = set_allocation(entry, channel, kind, units, seen_id, used)
    if refusal then return refusal end
  end
  allocated = true
  allocation_change.journal(entry, 'allocate', actor, channel, {
    {'kind', kind}, {'units', string.format('%.0f', units)}, {'reason', reason}, {'was_kind', was_kind},
    {'was_units', was_units},
  })
  return stock_changed(entry)
end

operation('allocate', allocate)
