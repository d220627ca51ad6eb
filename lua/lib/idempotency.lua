-- One effect per idempotency key: key, fingerprint and answer are kept by the script that has the effect.

local remembered = {}  -- key -> [fingerprint, reservation id or "", answer], or false
local new_keys = {}    -- those to write

local function load_keys(keys)
  local packed = hash_get_many(IDEMPOTENCY, keys)
  for i = 1, #keys do remembered[keys[i]] = packed[i] and unpack_msg(packed[i]) end
end

local function remember(key, fingerprint, reservation_id, answer)
  remembered[key] = {fingerprint, reservation_id, answer}
  new_keys[#new_keys + 1] = key
end
