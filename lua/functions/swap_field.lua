-- swap_field: sets a field of a hash to a value if it still has the one that was read before.
--
-- KEYS  [1] a hash, of any kind
-- ARGV  [1] field  [2] what it has to have  [3] what it gets
-- Reply 1 if it was set, 0 if it has another value or none

local function swap_field(keys, args)
  if call('HGET', keys[1], args[1]) ~= args[2] then return 0 end
  call('HSET', keys[1], args[1], args[3])
  return 1
end

register_apart('swap_field', swap_field, {})
