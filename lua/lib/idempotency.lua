-- One effect per idempotency key: key, fingerprint and answer are kept by the call that has the effect.
--
-- remembered: key -> [fingerprint, reservation id or "", the answer of a replay, packed], or false; new_keys: to write

-- Reads all keys of the call, once.
local function load_keys(keys)
  remembered, new_keys = {}, {}
  local values = hash_get_many(IDEMPOTENCY, keys)
  for i = 1, #keys do remembered[keys[i]] = values[i] and unpack_msg(values[i]) end
end

-- answer: a table whose second place says whether it is a replay.
local function remember(key, fingerprint, reservation_id, answer)
  answer[2] = true
  remembered[key] = {fingerprint, reservation_id, pack(answer)}
  answer[2] = false
  new_keys[#new_keys + 1] = key
end
