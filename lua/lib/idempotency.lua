-- One effect per idempotency key: key, fingerprint and answer are kept by the call that has the effect.
--
-- remembered: key -> [fingerprint, reservation id or "", the answer of a replay, packed], or false; new_keys: to write

local function load_keys(keys)
  local packed = hash_get_many(IDEMPOTENCY, keys)
  for i = 1, #keys do remembered[keys[i]] = packed[i] and unpack_msg(packed[i]) end
end

-- answer: a table whose second place says whether it is a replay.
local function remember(key, fingerprint, reservation_id, answer)
  answer[2] = true
  remembered[key] = {fingerprint, reservation_id, pack(answer)}
  answer[2] = false
  new_keys[#new_keys + 1] = key
end
