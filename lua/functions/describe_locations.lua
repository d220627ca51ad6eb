-- describe_locations: describes locations anew, and opens or closes them.
--
-- KEYS  the ten keys of one partition, see lib/context.lua, and
--       [11] locations  hash  location -> its description, as JSON; "\0version" -> how often they have changed
--       [12] likeness   hash  see lib/likeness.lua
-- ARGV  [1] limits  [2] MessagePack [actor, most (locations that can be registered), [[name, description, is_open], …],
--       version of the folds, {name -> fold}, allow_similar]
-- Reply MessagePack [whether there is room for them, version of the places, [[name, known name that it is like], …]];
--       without room nothing changes, and a location that is like another, but not known, is left out
--
-- The journal gets one change without lines. Its notes name the locations, those among them that this has closed or
-- opened, what descriptions were and are now where they differ, and the version of the places, see lib/places.lua. No
-- stock record is touched.

local VERSION = '\0version' -- no name of a location holds a zero byte

local NAME, DESCRIPTION, IS_OPEN = 1, 2, 3 -- places in a description

-- Whether the locations can be registered without there being more than most.
local function has_room(locations, most, descriptions)
  local names = {}
  for i, each in ipairs(descriptions) do names[i] = each[NAME] end
  local count, known = call('HLEN', locations), hash_get_many(locations, names)
  if call('HEXISTS', locations, VERSION) == 1 then count = count - 1 end
  local added = 0
  for i = 1, #names do
    if not known[i] then added = added + 1 end
  end
  return added == 0 or count + added <= most
end

-- Opens and closes what the descriptions say; before: what they were, false where there was none. Returns the notes of
-- the journal, the names of all locations that are closed now, and whether that has changed.
local function reopened(descriptions, before)
  local closed, notes, has_changed = {}, {}, false
  for name in pairs(places_now().closed or NONE) do closed[name] = true end
  for i, each in ipairs(descriptions) do
    local name, is_open = each[NAME], each[IS_OPEN]
    notes[#notes + 1] = {'location', name}
    if is_open == (closed[name] == true) then
      closed[name] = not is_open or nil
      notes[#notes + 1] = {is_open and 'opened' or 'closed', name}
      has_changed = true
    end
    if before[i] ~= each[DESCRIPTION] then
      notes[#notes + 1] = {'was', before[i] or ''}
      notes[#notes + 1] = {'now', each[DESCRIPTION]}
    end
  end
  local names = {}
  for name in pairs(closed) do names[#names + 1] = name end -- in no order: to sort thousands takes too long
  return notes, names, has_changed
end

-- Takes out what is new and like a known name. Returns what is left, and {name, known name} of the others.
local function without_similar(descriptions)
  local left, similar = {}, {}
  for _, each in ipairs(descriptions) do
    local now = place_rules.current(each[NAME]) -- an old name is not registered: it means another one
    local other = now ~= each[NAME] and now or likeness.name('location', each[NAME])
    if other then similar[#similar + 1] = {each[NAME], other} else left[#left + 1] = each end
  end
  return left, similar
end

local function describe_locations(args, keys)
  local locations, actor, most, descriptions, version, folds, is_allowed = keys[11], unpack(unpack_msg(args[2]))
  if not has_room(locations, most, descriptions) then return pack({false, places_now().version, NONE}) end
  local similar
  likeness.begin(keys[12])
  likeness.ask(version, is_allowed, NONE, folds)
  descriptions, similar = without_similar(descriptions)
  if #descriptions == 0 then return pack({true, places_now().version, similar}) end
  likeness.register()
  local names, pairs_to_set = {}, {}
  for i, each in ipairs(descriptions) do
    names[i] = each[NAME]
    push(pairs_to_set, each[NAME], each[DESCRIPTION])
  end
  local notes, closed, has_changed = reopened(descriptions, hash_get_many(locations, names))
  flush('HSET', locations, pairs_to_set)
  local before = call('HGET', locations, VERSION) or '0'
  local after = string.format('%.0f', call('HINCRBY', locations, VERSION, 1))
  -- An older release, which does not know of the closed ones here, may have registered locations meanwhile.
  local is_settled = (call('HGET', META, 'closed_as_of') or '0') == before
  if has_changed then place_rules.set_closed(closed) end
  if is_settled then call('HSET', META, 'closed_as_of', after) end
  journal_places(actor, notes)
  write()
  likeness.write()
  return pack({true, places_now().version, similar})
end

register('describe_locations', describe_locations)
