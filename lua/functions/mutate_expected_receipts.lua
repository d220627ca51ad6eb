-- mutate_expected_receipts: runs a batch of operations on expected receipts.
--
-- KEYS  the ten keys of one partition, see lib/context.lua, and
--       [11] supply       hash  id -> record, see lib/expected_receipts.lua
--       [12] supply_skus  hash  sku -> [id, …]: those from which units are still to come
--       [13] backorders   zset  see lib/context.lua
-- ARGV  [1] limits, [2] operations, their fields as MessagePack values one after the other
-- Reply for each operation, in order, its answer in MessagePack:
--         ["expected_receipt_changed", false, record] or as in lib/answers.lua

local function mutate_expected_receipts(args, keys)
  local answers = run(args, function(fields) load_expected_receipts(fields, keys[11]) end)
  write_expected_receipts(keys[11], keys[12])
  return answers
end

register('mutate_expected_receipts', mutate_expected_receipts, {}, true)
