-- One effect per idempotency key: the call that has the effect stores key, fingerprint and answer.
--
-- remembered: key -> [fingerprint, reservation id or "", the packed answer of a replay], or false where it is new
-- new_keys:   the keys that are to be written

-- Places in the value of a key, and the place in an answer of the flag that marks it as a replay.
local KEPT_FINGERPRINT, KEPT_RESERVATION, KEPT_ANSWER = 1, 2, 3
local IS_REPLAY = 2

-- Reads all keys of the call at once.
local function load_keys(keys)
  remembered, new_keys = {}, {}
  local values = hash_get_many(IDEMPOTENCY, keys)
  for i = 1, #keys do remembered[keys[i]] = values[i] and unpack_msg(values[i]) end
end

-- Stores the answer for a key: as a replay, since it is returned only for repeated requests.
local function remember(key, fingerprint, reservation_id, answer)
  answer[IS_REPLAY] = true
  remembered[key] = {fingerprint, reservation_id, pack(answer)}
  answer[IS_REPLAY] = false
  new_keys[#new_keys + 1] = key
end
