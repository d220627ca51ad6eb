-- put_listings: replaces listings of one channel, if none of its listings has changed since they were checked.
--
-- KEYS  [1] listings of the channel  hash        SKU -> its listing
--       [2] by_key                   hash        key -> the listing that is known by it
--       [3] keys                     hash        key -> the SKU whose listing has it
--       [4] components               sorted set  SKU NUL key of a listing in by_key that holds the SKU
--       [5] meta                     hash        "listings:<channel>" -> how often they have changed
--       [6] journal                  stream
-- ARGV  [1] field of the version in meta  [2] the version when they were checked  [3] the entry for the journal
--       [4…] of each change: command, place of its key in KEYS, number of values, values
-- Reply 1, or 0: listings have changed since; nothing was written

local function put_listings(keys, args)
  if (call('HGET', keys[5], args[1]) or '0') ~= args[2] then return 0 end
  local at = 4
  while at <= #args do
    local command, key, first = args[at], keys[tonumber(args[at + 1])], at + 3
    at = first + tonumber(args[at + 2])
    for start = first, at - 1, CHUNK do
      call(command, key, unpack(args, start, min(start + CHUNK, at) - 1))
    end
  end
  call('HINCRBY', keys[5], args[1], 1)
  call('XADD', keys[6], '*', 'e', args[3])
  return 1
end

register_apart('put_listings', put_listings, {})
