-- One effect per idempotency key: the call that has the effect stores key, fingerprint and answer.
--
-- remembered: key -> [fingerprint, reservation id or "", the packed answer of a replay], or false where it is new; nil:
--             it was not read, for what was read is enough for one call
-- new_keys:   the keys that are to be written

-- Places in the value of a key, and the place in an answer of the flag that marks it as a replay.
local KEPT = {fingerprint = 1, reservation = 2, answer = 3}
local IS_REPLAY = 2

-- Reads the keys of the call, until there is enough for one call. Returns how many were read.
local function load_keys(keys)
  remembered, new_keys = {}, {}
  return work.read(#keys, #keys + 1, function(first, last)
    local values, bytes = call('HMGET', IDEMPOTENCY, unpack(keys, first, last)), 0
    for i = first, last do
      local value = values[i - first + 1]
      remembered[keys[i]] = value and unpack_msg(value)
      bytes = bytes + (value and #value or 0)
    end
    return bytes, 0
  end)
end

-- Stores the answer for a key: as a replay, since it is returned only for repeated requests.
local function remember(key, fingerprint, reservation_id, answer)
  answer[IS_REPLAY] = true
  remembered[key] = {fingerprint, reservation_id, allocations.packed_answer(answer)}
  answer[IS_REPLAY] = false
  new_keys[#new_keys + 1] = key
end
