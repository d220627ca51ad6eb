-- delete_listing: deletes the listing of a SKU on one channel, if no listing there has changed since it was read.
--
-- KEYS  [1] listings of the channel  hash  SKU -> its listing
--       [2] meta                     hash  see lib/context.lua; "listings:<channel>" -> how often they have changed
--       [3] journal                  stream
-- ARGV  [1] field of the version in meta  [2] the version when it was read  [3] the entry for the journal  [4] the SKU
-- Reply 1, or 0: listings have changed since; nothing was written

local function delete_listing(keys, args)
  if (call('HGET', keys[2], args[1]) or '0') ~= args[2] then return 0 end
  call('HDEL', keys[1], args[4])
  call('HINCRBY', keys[2], args[1], 1)
  call('XADD', keys[3], '*', 'e', args[3])
  return 1
end

register_apart('delete_listing', delete_listing)
