-- delete_listing: deletes a listing of one channel, if no listing there has changed since it was read.
--
-- KEYS  [1] listings or by_key of the channel  hash  SKU or key -> the listing that is known by it
--       [2] components of the channel  sorted set  SKU NUL key of a listing in by_key that holds the SKU
--       [3] meta                     hash  see lib/context.lua; "listings:<channel>" -> how often they have changed
--       [4] journal                  stream
-- ARGV  [1] field of the version in meta  [2] the version when it was read  [3] the entry for the journal
--       [4] the SKU or key  [5…] its members of components
-- Reply 1, or 0: listings have changed since; nothing was written

local function delete_listing(keys, args)
  if (call('HGET', keys[3], args[1]) or '0') ~= args[2] then return 0 end
  call('HDEL', keys[1], args[4])
  if args[5] then call('ZREM', keys[2], unpack(args, 5)) end
  call('HINCRBY', keys[3], args[1], 1)
  call('XADD', keys[4], '*', 'e', args[3])
  return 1
end

register_apart('delete_listing', delete_listing)
