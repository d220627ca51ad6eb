-- What a call did, as one stream entry: outbox and audit trail in one.
--
-- change: [operation, at_ms, actor, channel, reservation id or "", state or "", lines, notes]
-- line:   [line or 0, sku, location, d_on_hand, d_held, d_committed, d_damaged, d_quality_control, d_safety,
--          available after, seq]
-- notes:  [[name, value], …]

local function journal(operation, actor, channel, id, state, lines, notes)
  changes[#changes + 1] = {operation, NOW_MS, actor, channel, id, state, lines, notes}
end
