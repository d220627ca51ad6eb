-- allocate_move: moves units of one channel's allocation at a (SKU, location) to another channel, the taker.
--
-- Fields  AllocateMove in server/domain/operations/allocations.py; seen_id, used: the taker's, see
--         lib/allocation_change.lua
-- Effect  units that the channel has not reserved become the taker's; as many units as before stay set aside
-- Answers stock_changed · unknown_sku · unknown_allocation · allocation_differs · exceeds_remaining
--         · allocation_usage_unknown · retry_after_expiry · too_many_allocations · out_of_range

local function allocate_move(fields, at)
  local actor, sku = fields[at + AllocateMove.actor], fields[at + AllocateMove.sku]
  local location, from = fields[at + AllocateMove.location], fields[at + AllocateMove.channel]
  local to = fields[at + AllocateMove.taker]
  local units, reason = fields[at + AllocateMove.units], fields[at + AllocateMove.reason]
  local seen_id, used = fields[at + AllocateMove.seen_id], fields[at + AllocateMove.used]
  local entry = stock_entry(sku, location)
  local record = entry.record
  if not record then return refused('unknown_sku', '', {{1, sku, location, units, 0}}) end
  local giving, taking = allocations.find(record, from), allocations.find(record, to)
  if not giving then return refused('unknown_allocation') end
  local kind = giving[Allocation.kind]
  if taking and taking[Allocation.kind] ~= kind then return refused('allocation_differs') end
  if allocations.rest(giving) < units then expire_due() end
  if allocations.rest(giving) < units then
    if more_are_due then return {'retry_after_expiry'} end
    return refused('exceeds_remaining', '', {{1, sku, location, units, allocations.rest(giving)}})
  end
  local reserved = allocation_change.used_by(entry, to, seen_id, used)
  if not reserved then return {'allocation_usage_unknown'} end
  local left = giving[Allocation.units] - units
  local is_removed = kind == 'own' and left == 0 -- the allocation of the channel, which makes room for the taker's
  if allocation_change.is_full(record, to) and not is_removed then return refused('too_many_allocations') end
  -- A taker that has reserved more than it was allocated gets all of the units: as many stay set aside as before.
  local had = max(taking and taking[Allocation.units] or 0, reserved)
  if not range.fits(had + units) then
    return refused('out_of_range', '', {{1, sku, location, units, 0, 'allocation'}})
  end
  allocation_change.set(record, from, not is_removed and kind or nil, left, giving[Allocation.used])
  allocation_change.set(record, to, kind, had + units, reserved)
  allocation_change.journal(entry, 'allocate_move', actor, from, {
    {'to', to}, {'units', string.format('%.0f', units)}, {'reason', reason},
  })
  return stock_changed(entry)
end

operation('allocate_move', allocate_move)
