-- The names that a partition knows, found by their fold: what is left where spellings are alike. The service makes the
-- folds, by the table in server/domain/likeness.py, and sends them with operations that may make a name known. They are
-- looked up only where a record is new, in one hash, and written with it. Functions that declare it call begin, write.
--
-- hash likeness   kind \0 fold -> the names with this fold, \0 between them: one, unless allow_similar let more in
--                 "\0version"   -> the version of the table that made the folds
--                 "\0complete"  -> there once all names stored before are in it; until then nothing is refused
--                 "\0described" -> there once a location was registered: then new ones have to be meant, too
-- kind            sku or location
-- asked           what the running operation names: {version, is_allowed, folds = {kind -> {name -> fold}}}, or nil
-- A name stays in it while its stock record does, which is for ever, unless it is renamed or deleted.

local likeness = {}

do

likeness.LENGTH = 4 -- of the fields in front of an operation: "named", version, folds of SKUs, folds of locations
local VERSION_AT, SKUS_AT, LOCATIONS_AT = 1, 2, 3 -- their places, counted from "named"
local NAMES_MAX = 20 -- of a fold; with so many it tells nothing apart, so nothing is refused or added
-- Of a change in the journal: the places of what it was and of its lines, and what makes names known without lines.
local OPERATION_AT, LINES_AT, NAMING = 1, 7, {locations = true, expect = true}
local LOOKED_AT = 100 -- entries of a journal; one that is longer is taken to make names known
local VERSION, COMPLETE, REGISTERED = '\0version', '\0complete', '\0described'

local key -- of the hash
local known, changes -- field -> its value, or false; {field, value before} for each change of this call, in order
local state -- {version, is_complete, is_registered, is_new} of the hash, nil: not read
local asked

-- Begins a call of a function that declares the hash.
function likeness.begin(hash)
  key, known, changes, state, asked = hash, {}, {}, nil, nil
end

-- What the next operation names, by the version of the table, and whether names like others are meant.
function likeness.ask(version, is_allowed, skus, locations)
  asked = {version = version, is_allowed = is_allowed, folds = {sku = skus, location = locations}}
end

-- The same of a batch: the folds stand in front of the operation.
function likeness.ask_at(fields, at, is_allowed)
  likeness.ask(fields[at + VERSION_AT], is_allowed, fields[at + SKUS_AT], fields[at + LOCATIONS_AT])
end

-- The next operation names nothing.
function likeness.ask_nothing()
  asked = nil
end

-- The place of the operation behind its names, or the same place where it has none.
function likeness.behind(fields, at)
  return fields[at] == 'named' and at + likeness.LENGTH or at
end

-- Whether an entry of the journal makes names known. Settings do not, and a server notes some when it first starts.
local function is_naming(entry)
  local is_read, changes_of_entry = pcall(unpack_msg, entry[2][2])
  if not is_read or type(changes_of_entry) ~= 'table' then return true end -- it is damaged: nobody knows
  for _, change in ipairs(changes_of_entry) do
    if type(change) ~= 'table' then return true end
    local lines = change[LINES_AT]
    if NAMING[change[OPERATION_AT]] or type(lines) == 'table' and #lines > 0 then return true end
  end
  return false
end

-- Whether no name was ever stored in the partition.
local function is_without_names()
  if call('EXISTS', SKUS) == 1 then return false end
  local entries = call('XRANGE', JOURNAL, '-', '+', 'COUNT', LOOKED_AT)
  for _, entry in ipairs(entries) do
    if is_naming(entry) then return false end
  end
  return #entries < LOOKED_AT
end

-- Reads what the hash is. That of a partition in which no name was ever stored is complete.
local function read_state()
  local version, is_complete, is_registered = unpack(call('HMGET', key, VERSION, COMPLETE, REGISTERED))
  state = {version = tonumber(version or nil), is_complete = is_complete, is_registered = is_registered, is_new = false}
  if not version then
    state.version, state.is_new = asked.version, true
    state.is_complete = is_without_names()
  end
end

-- Whether the folds of the operation are of the table that made those in the hash.
local function is_readable()
  if not state then read_state() end
  return state.version == asked.version
end

local function names_of(field)
  local names = known[field]
  if names == nil then
    names = call('HGET', key, field)
    known[field] = names
  end
  return names
end

-- Whether a list of names holds one.
local function holds(names, name)
  return ('\0' .. names .. '\0'):find('\0' .. name .. '\0', 1, true) ~= nil
end

local function is_full(names)
  local _, zeros = names:gsub('%z', '')
  return zeros + 1 >= NAMES_MAX
end

local function set(field, names)
  changes[#changes + 1] = {field, known[field]}
  known[field] = names
end

local function add(field, names, name)
  if not names then set(field, name)
  elseif not holds(names, name) and not is_full(names) then set(field, names .. '\0' .. name) end
end

-- Makes a name known. Returns nil, or the outcome that refuses it and the name that is like it. is_meant: a location
-- need not be registered.
local function claim(kind, name, is_meant)
  local fold = asked.folds[kind][name]
  if not fold then return nil end
  local field = kind .. '\0' .. fold
  local names = names_of(field)
  if names and holds(names, name) then return nil end
  if state.is_complete and not asked.is_allowed then
    -- An older release beside this one may have stored the SKU.
    local is_stored = names and kind == 'sku' and call('HEXISTS', SKUS, name) == 1
    if names and not is_full(names) and not is_stored then return 'similar_name', names:match('^%Z*') end
    local is_meant_to_be = is_meant or not state.is_registered or kind == 'sku' or name == DEFAULT_LOCATION
    if not names and not is_meant_to_be then
      return 'unregistered_location', ''
    end
  end
  add(field, names, name)
  return nil
end

-- How many changes there are by now; undo takes back those behind so many.
function likeness.mark()
  return changes and #changes or 0
end

function likeness.undo(mark)
  for i = likeness.mark(), mark + 1, -1 do
    known[changes[i][1]] = changes[i][2]
    changes[i] = nil
  end
end

-- The refusal of an operation that would make new names known which are like others, or nil: then they are known. The
-- last of its checks. changes_of_stock: as range.refusal takes them; only places without a record are looked at.
function likeness.refusal(changes_of_stock, operation_state)
  if not asked or not is_readable() then return nil end
  local mark = likeness.mark()
  for _, change in ipairs(changes_of_stock) do
    local entry = change.entry
    if not entry.record then
      local kind, outcome, other = 'sku', claim('sku', entry.sku)
      if not outcome then kind, outcome, other = 'location', claim('location', entry.location) end
      if outcome then
        likeness.undo(mark)
        local line = {change.number or 1, entry.sku, entry.location, change.units, 0, kind, other}
        return refused(outcome, operation_state or '', {line})
      end
    end
  end
  return nil
end

-- The same for one place.
function likeness.refuse(entry, units)
  if entry.record or not asked then return nil end
  return likeness.refusal({{entry = entry, units = units}})
end

-- Makes one name known by itself. Returns nil, or the name that is like it.
function likeness.name(kind, name)
  if not is_readable() then return nil end
  local outcome, other = claim(kind, name, true)
  return outcome and other or nil
end

-- Whether a name is known, or is one of so many alike that they are not told apart; nil: not all names are there yet.
function likeness.knows(kind, name)
  if not is_readable() or not state.is_complete then return nil end
  local names = names_of(kind .. '\0' .. asked.folds[kind][name])
  return names and (holds(names, name) or is_full(names)) or false
end

-- The following change the hash where names that are stored change. They need no table: fold is that of the name.

function likeness.add(kind, fold, name)
  local field = kind .. '\0' .. fold
  add(field, names_of(field), name)
end

-- For a name that is deleted: it is not known any more.
function likeness.forget(kind, fold, name)
  local field = kind .. '\0' .. fold
  local names, left = names_of(field), {}
  if not names or not holds(names, name) then return end
  for each in names:gmatch('%Z+') do
    if each ~= name then left[#left + 1] = each end
  end
  set(field, #left > 0 and concat(left, '\0') or false)
end

-- For a name that is renamed: from and to are {fold, name}.
function likeness.move(kind, from, to)
  likeness.forget(kind, from[1], from[2])
  likeness.add(kind, to[1], to[2])
end

-- From now on locations have to be registered, or meant.
function likeness.register()
  if not is_readable() or state.is_registered then return end
  state.is_registered = true
  set(REGISTERED, '1')
end

-- Makes the hash that of a version: what was folded by an older table goes. Returns false where the version is older.
function likeness.open(version)
  asked = {version = version}
  read_state()
  if state.version > version then return false end
  if state.is_new or state.version < version then
    call('UNLINK', key)
    call('HSET', key, VERSION, version)
    if state.is_registered then call('HSET', key, REGISTERED, '1') end
    state.version, state.is_new = version, nil
  end
  return true
end

-- All names that were stored before are in it.
function likeness.complete()
  call('HSET', key, COMPLETE, '1')
end

-- Writes what has changed; the last step of a call.
function likeness.write()
  if #changes == 0 then return end
  local kept, gone = {}, {}
  if state and state.is_new then
    push(kept, VERSION, state.version)
    if state.is_complete then push(kept, COMPLETE, '1') end
  end
  local seen = {}
  for _, change in ipairs(changes) do
    local field = change[1]
    if not seen[field] then
      seen[field] = true
      if known[field] then push(kept, field, known[field]) else gone[#gone + 1] = field end
    end
  end
  flush('HSET', key, kept)
  flush('HDEL', key, gone)
end

end
