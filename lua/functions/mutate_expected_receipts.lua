-- mutate_expected_receipts: runs a batch of operations on expected receipts.
--
-- KEYS  the ten keys of one partition, see lib/context.lua, and
--       [11] supply       hash  id -> record, see lib/expected_receipts.lua
--       [12] supply_skus  hash  sku -> [id, …]: those of which units have not arrived yet;
--                            \0 and an SSCC -> the same of a parcel
--       [13] likeness     hash  see lib/likeness.lua
--       [14] backorders   zset  see lib/backorders.lua
-- ARGV  [1] limits  [2] operations, their fields as MessagePack values one after the other, see lib/batch.lua
-- Reply for each operation, in order, its answer in MessagePack, see lib/answers.lua and lib/expected_receipts.lua

local function mutate_expected_receipts(args, keys)
  likeness.begin(keys[13])
  local answers = run(args, function(fields) load_expected_receipts(fields, keys[11], keys[12]) end)
  write_expected_receipts(keys[11])
  likeness.write()
  return answers
end

register('mutate_expected_receipts', mutate_expected_receipts, {}, true)
