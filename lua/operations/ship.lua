-- ship: units leave a location for another one.
--
-- op      [1 tag, 2 fingerprint, 3 actor, 4 key, 5 transfer id, 6 from, 7 to, 8 lines [[sku, quantity], …], 9 reason]
-- Effect  on_hand - at the source, only of what is available there; the transfer is on its way
-- Answers transfer_changed · id_reused · unknown_sku · exceeds_available (promised units stay) · retry_after_expiry (see reserve)

local function lines_to_ship(wanted, from)
  local lines, unknown = {}, nil
  for i, item in ipairs(wanted) do
    local entry = stock_entry(item[1], from)
    lines[i] = {item[1], from, item[2], entry}
    if not entry.record then
      unknown = unknown or {}
      unknown[#unknown + 1] = {i, item[1], from, item[2], 0}
    end
  end
  return lines, unknown
end

local function ship(fields, at)
  local fingerprint, actor, id, from, to = fields[at + Ship.fingerprint], fields[at + Ship.actor], fields[at + Ship.transfer_id], fields[at + Ship.source], fields[at + Ship.destination]
  local wanted, reason = fields[at + Ship.lines], fields[at + Ship.reason]
  local document = transfers[id]
  if document.record then
    if document.record[Transfer.fingerprint] ~= fingerprint then return refused('id_reused') end
    return {'transfer_changed', true, document.record, NONE}
  end
  local lines, unknown = lines_to_ship(wanted, from)
  if unknown then return refused('unknown_sku', '', unknown) end
  local _, short = grant(lines)
  if short then
    expire_due()
    _, short = grant(lines)
    if short then return more_are_due and {'retry_after_expiry'} or refused('exceeds_available', '', short) end
  end
  local journal_lines, entries, items, units = {}, {}, {}, 0
  for i, line in ipairs(lines) do
    change_buckets(line[4], journal_lines, {-line[3], 0, 0, 0, 0, 0})
    entries[i], items[i], units = line[4], {line[1], line[3], 0, 0}, units + line[3]
  end
  document.record = {'in_transit', NOW_MS, 0, actor, fingerprint, from, to, items, reason, ''}
  mark_transfer(document)
  journal_transfer('transfer_ship', actor, document, journal_lines, units, {{'to', to}, {'reason', reason}})
  return transfer_changed(document.record, entries)
end

operation('ship', ship)
