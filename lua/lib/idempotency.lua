-- One effect per idempotency key: key, fingerprint and answer are kept by the call that has the effect.
--
-- remembered: key -> [fingerprint, reservation id or "", the answer of a replay, packed], or false; new_keys: to write

-- Places in what is remembered of a key, and in an answer the one that says whether it is a replay.
local KEPT_FINGERPRINT, KEPT_RESERVATION, KEPT_ANSWER = 1, 2, 3
local IS_REPLAY = 2

-- Reads all keys of the call, once.
local function load_keys(keys)
  remembered, new_keys = {}, {}
  local values = hash_get_many(IDEMPOTENCY, keys)
  for i = 1, #keys do remembered[keys[i]] = values[i] and unpack_msg(values[i]) end
end

local function remember(key, fingerprint, reservation_id, answer)
  answer[IS_REPLAY] = true
  remembered[key] = {fingerprint, reservation_id, pack(answer)}
  answer[IS_REPLAY] = false
  new_keys[#new_keys + 1] = key
end
