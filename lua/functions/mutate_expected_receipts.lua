-- mutate_expected_receipts: runs a batch of operations on expected receipts.
--
-- KEYS  the ten keys of one partition, see lib/context.lua, and
--       [11] supply       hash  id -> record, see lib/expected_receipts.lua
--       [12] supply_skus  hash  sku -> [id, …]: those from which units are still to come
--       [13] backorders   zset  see lib/context.lua
-- ARGV  [1] limits, [2] operations, their fields as MessagePack values one after the other
-- Reply for each operation, in order, its answer in MessagePack:
--         ["expected_receipt_changed", false, record] or as in lib/answers.lua

local SUPPLY = {expect = expect, forgo = forgo, receive_expected = receive_expected}

local function mutate_expected_receipts(args, keys)
  local fields, answers, at = {unpack_msg(args[2])}, {}, 1
  load_expected_receipts(fields, keys[11])
  while at <= #fields do
    local tag = fields[at]
    answers[#answers + 1] = answer(SUPPLY[tag], fields, at, tag)
    at = at + EXPECTED_RECEIPT_FIELDS[tag]
  end
  write()
  write_supplies(keys[11], keys[12])
  return answers
end
