-- put_listings: replaces listings of one channel, if none of its listings has changed since they were checked.
--
-- KEYS  [1] listings of the channel  hash  SKU -> its listing
--       [2] meta                     hash  see lib/context.lua; "listings:<channel>" -> how often they have changed
--       [3] journal                  stream
-- ARGV  [1] field of the version in meta  [2] the version when they were checked  [3] the entry for the journal
--       [4…] SKU, listing, SKU, listing, …
-- Reply 1, or 0: listings have changed since; nothing was written

local function put_listings(keys, args)
  if (call('HGET', keys[2], args[1]) or '0') ~= args[2] then return 0 end
  for start = 4, #args, CHUNK do
    call('HSET', keys[1], unpack(args, start, min(start + CHUNK - 1, #args)))
  end
  call('HINCRBY', keys[2], args[1], 1)
  call('XADD', keys[3], '*', 'e', args[3])
  return 1
end

register_apart('put_listings', put_listings, {})
