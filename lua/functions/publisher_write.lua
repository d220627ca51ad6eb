-- publisher_write: writes a publisher's state of its channels, if its lease token is the newest. Flag allow-oom.
--
-- KEYS  [1] publisher  hash  see publisher_lease.lua
--       [2…] hashes of the channels and of the publisher
-- ARGV  [1] token of the caller's lease
--       then for each part: number of its key in KEYS, how many pairs to set, how many fields to delete,
--       field, value, … , field, …; "drop" instead of the two counts deletes the hash
-- Reply 1, or 0: the token is not the newest, so another process publishes now; nothing was written
--
-- A lease that has expired and was not acquired by another owner is still accepted: no other process has written since.

-- Sets and deletes fields of one hash in chunks. Returns the place in ARGV behind its part.
local function set_and_delete(key, args, first, sets, deletes)
  for start = first, first + 2 * sets - 1, CHUNK do
    call('HSET', key, unpack(args, start, min(start + CHUNK - 1, first + 2 * sets - 1)))
  end
  first = first + 2 * sets
  for start = first, first + deletes - 1, CHUNK do
    call('HDEL', key, unpack(args, start, min(start + CHUNK - 1, first + deletes - 1)))
  end
  return first + deletes
end

local function publisher_write(keys, args)
  if call('HGET', keys[1], 'token') ~= args[1] then return 0 end
  local at, n = 2, #args
  while at <= n do
    local key = keys[tonumber(args[at])]
    if args[at + 1] == 'drop' then
      call('UNLINK', key)
      at = at + 2
    else
      at = set_and_delete(key, args, at + 3, tonumber(args[at + 1]), tonumber(args[at + 2]))
    end
  end
  return 1
end

register_apart('publisher_write', publisher_write)
