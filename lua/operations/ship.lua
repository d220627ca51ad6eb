-- ship: sends units from one location to another.
--
-- Fields  Ship in server/domain/operations/transfers.py
-- Effect  on_hand - at the source, only of available units; the transfer is in transit, and its destination known
-- Answers transfer_changed · id_reused · unknown_sku · exceeds_available (reserved units stay) · retry_after_expiry
--         · similar_name · unregistered_location · location_mirrored (from or to one that is filled from outside)

local function entries_of(lines)
  local entries = {}
  for i, line in ipairs(lines) do entries[i] = line.entry end
  return entries
end

-- The lines as grant takes them, and those whose SKU is not known at the source, as refused takes them, or nil.
local function lines_to_ship(wanted, from)
  local lines, unknown = {}, nil
  for i, item in ipairs(wanted) do
    local sku, quantity = item[TransferItem.sku], item[TransferItem.quantity]
    local entry = stock_entry(sku, from)
    lines[i] = {entry = entry, units = quantity}
    if not entry.record then
      unknown = unknown or {}
      unknown[#unknown + 1] = {i, sku, from, quantity, 0}
    end
  end
  return lines, unknown
end

local function ship(fields, at)
  local fingerprint, actor, id = fields[at + Ship.fingerprint], fields[at + Ship.actor], fields[at + Ship.transfer_id]
  local from, to = fields[at + Ship.source], fields[at + Ship.destination]
  local wanted, reason = fields[at + Ship.lines], fields[at + Ship.reason]
  local document = transfers[id]
  if not document then return work.wait() end
  if document.record then
    if document.record[Transfer.fingerprint] ~= fingerprint then return refused('id_reused') end
    return {'transfer_changed', true, document.record, NONE}
  end
  local mirrored = place_rules.refuse_mirrored(from, actor) or place_rules.refuse_mirrored(to, actor)
  if mirrored then return mirrored end
  local lines, unknown = lines_to_ship(wanted, from)
  if unknown then return refused('unknown_sku', '', unknown) end
  local instead = allocated and work.take_allocations(entries_of(lines))
  if instead then return instead end
  local _, short = grant(lines)
  if short then
    expire_due()
    _, short = grant(lines)
    if short then return more_are_due and {'retry_after_expiry'} or refused('exceeds_available', '', short) end
  end
  local refusal = likeness.refuse({sku = wanted[1][TransferItem.sku], location = to}, wanted[1][TransferItem.quantity])
  if refusal then return refusal end
  local journal_lines, entries, items, units = {}, {}, {}, 0
  for i, line in ipairs(lines) do
    change_buckets(line.entry, journal_lines, {-line.units, 0, 0, 0, 0, 0}) -- on_hand is the first bucket
    entries[i], items[i], units = line.entry, {line.entry.sku, line.units, 0, 0}, units + line.units
  end
  -- In the order of lib/transfers.lua: not closed, and no reason of a loss yet.
  document.record = {'in_transit', NOW_MS, 0, actor, fingerprint, from, to, items, reason, ''}
  mark_transfer(document)
  journal_transfer('transfer_ship', actor, document, journal_lines, units, {{'to', to}, {'reason', reason}})
  return transfer_changed(document.record, entries)
end

operation('ship', ship)
