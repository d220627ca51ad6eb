-- Runs the operations of a batch in order. Each depends only on the state that those before it left. All that they need
-- is read first, in a few commands for the whole batch.
--
-- args[2] holds the fields of all operations one after the other, MessagePack values without arrays around them. They
-- are unpacked at once into one table: fields[at] is an operation's tag, and its fields follow.

-- SHAPES: tag -> {field -> its place, counted from the tag; length: number of fields, the tag included}. Made from the
-- classes in server/domain/operations/ by server/store/lua_library.py. A reserve or order has lines behind its fields.
-- @shapes

-- Each file in operations/ registers its own:
--   operation(tag, handler)   handler(fields, at) returns its answer. The handler of a reserve or order is
--                             handler(fields, at, last): last is where its last line begins. It returns its answer
--                             packed, since most of that is the record as it is stored.
--   composite(tag, parts)     stands in front of another operation and runs it: a source, a bind, an exchange.
--                             parts.prefetch(fields, at) registers what it needs and returns the place to continue at;
--                             parts.run(fields, at) returns its answer, packed, and where the next operation begins.
local operations = {}
local operation, composite, answer, run, prefetch_keyed

do

local composites = {}
local makers = {} -- handlers of the operations that make a reservation, by tag: the most frequent ones

function operation(tag, handler)
  operations[tag] = handler
  if SHAPES[tag].line_count then makers[tag] = handler end
end

function composite(tag, parts)
  composites[tag] = parts
end

local function want_lines_of(ids)
  load_reservations(ids, work.lines_max())
  for i = 1, #ids do
    local entry = reservations[ids[i]]
    local record = entry and entry.record
    local lines = record and record[Record.lines] or NONE
    for j = 1, #lines do want_stock(lines[j][Line.sku], lines[j][Line.location]) end
  end
end

-- What the batch needs: ids of reservations, idempotency keys.
local wanted_ids, wanted_keys

-- The idempotency key of an operation, or nil. A reserve or order has its id instead.
local function key_of(fields, at, shape)
  local key = fields[at + shape.key]
  return key ~= '' and key or nil
end

-- Registers what an operation with a key is about: a reservation, a (SKU, location), or neither.
function prefetch_keyed(fields, at, shape)
  if shape.reservation_id then wanted_ids[#wanted_ids + 1] = fields[at + shape.reservation_id]
  elseif shape.sku then want_stock(fields[at + shape.sku], fields[at + shape.location]) end
  wanted_keys[#wanted_keys + 1] = key_of(fields, at, shape)
  return at + shape.length
end

local function prefetch_new(fields, at)
  local last = last_line(fields, at)
  -- The stock entry replaces the SKU, so that the name of its hash field is made only once. That of a line without a
  -- location ("") is the one of `main`, where it has the units as a rule.
  for j = at + LINES_AT, last, LINE_LENGTH do
    local location = fields[j + LOCATION_OF]
    fields[j] = want_stock(fields[j], location == '' and DEFAULT_LOCATION or location)
  end
  -- Without a fingerprint the id is the server's own and new: there is nothing to look up.
  if fields[at + Reserve.fingerprint] ~= '' then wanted_ids[#wanted_ids + 1] = fields[at + Reserve.reservation_id] end
  return last + LINE_LENGTH
end

local function prefetch(fields)
  wanted_ids = {}
  -- Most calls have no key, and an empty table does for the next one.
  if not wanted_keys or #wanted_keys > 0 then wanted_keys = {} end
  local at, n, count = 1, #fields, 0
  while at <= n do
    local tag = fields[at]
    if makers[tag] then at, count = prefetch_new(fields, at), count + 1
    elseif composites[tag] then at = composites[tag].prefetch(fields, at) -- it stands in front of another operation
    else at, count = prefetch_keyed(fields, at, SHAPES[tag]), count + 1 end
  end
  is_alone = count == 1
  if #wanted_ids > 0 then want_lines_of(wanted_ids) end
  if #wanted_keys > 0 then load_keys(wanted_keys) end
  return load_stock()
end

-- Unpacks the operations and reads what they need. Where some of it lies under another name, all is wanted anew: then
-- the call knows the names, and nothing holds an entry of an old one. fields: the operations where they were unpacked.
local function unpack_and_prefetch(packed, fields)
  fields = fields or {unpack_msg(packed)}
  if not prefetch(fields) then return fields end
  stock, unread_stock = aliases.kept_entries(), {}
  fields = {unpack_msg(packed)}
  prefetch(fields)
  return fields
end

-- Whether an operation takes its key over from another body: then only the last one is repeated, not one before it.
local function takes_over(fields, at, shape)
  return shape.replaces and fields[at + shape.replaces]
end

-- Whether a key was last taken over by the same body, sent "again": its fingerprint has a "+" behind it, and a word.
local function is_same_again(first, fields, at, shape)
  local same = fields[at + shape.fingerprint] .. '+'
  return first[KEPT.fingerprint]:sub(1, #same) == same
end

-- Runs one operation that may have a key; returns its answer, packed. It is packed at once, because a later operation
-- of the batch may change the record that the answer holds. shape: of the operation's fields, see SHAPES.
function answer(handler, fields, at, shape)
  local key, id = key_of(fields, at, shape), shape.reservation_id and fields[at + shape.reservation_id]
  local first = key and remembered[key]
  if key and first == nil then return pack(work.wait()) end
  if first then
    if first[KEPT.fingerprint] ~= fields[at + shape.fingerprint] then
      if not takes_over(fields, at, shape) then return pack(refused('id_reused')) end
      if is_same_again(first, fields, at, shape) then return first[KEPT.answer] end
    else
      return first[KEPT.answer]
    end
  end
  local instead = id and work.take(reservations[id], Record.lines)
    or shape.location and place_rules.refuse_mirrored(fields[at + shape.location], fields[at + shape.actor])
  if instead then return pack(instead) end
  local result = handler(fields, at)
  if key and result[IS_REPLAY] == false then -- it took effect in this call
    remember(key, fields[at + shape.fingerprint], id or '', result)
  end
  return allocated and allocations.packed_answer(result) or pack(result)
end

-- Chooses locations for a new reservation and makes it, or refuses it. Returns its answer, packed, and where the next
-- operation begins.
local function sourced(fields, at)
  local start = sourcing.reservation_at(fields, at)
  local last, extras = last_line(fields, start), record_extras
  local longer, refusal = sourcing.plan(fields, at)
  local result
  if refusal then result = pack(refusal)
  elseif longer then result = operations[longer[1]](longer, 1, last_line(longer, 1))
  else result = operations[fields[start]](fields, start, last) end
  record_extras = extras
  return result, last + LINE_LENGTH
end

composite('source', {prefetch = sourcing.prefetch, run = sourced})

-- Runs the operation at a place. Returns its answer, packed, and where the next operation begins. For what stands in
-- front of it; run has the same in its loop, which saves the most frequent ones a call.
function work.run_at(fields, at)
  local tag = fields[at]
  if composites[tag] then return composites[tag].run(fields, at) end
  if makers[tag] then
    local last = last_line(fields, at)
    return makers[tag](fields, at, last), last + LINE_LENGTH
  end
  return answer(operations[tag], fields, at, SHAPES[tag]), at + SHAPES[tag].length
end

-- Runs an operation that may make names known, with their folds at hand, see lib/likeness.lua.
local function named(fields, at)
  local first = likeness.behind(fields, at)
  local tag = fields[first]
  local shape = tag == 'exchange' and SHAPES['return'] or SHAPES[tag] -- an exchange begins as its return does
  likeness.ask_at(fields, at, fields[first + shape.allow_similar])
  local result, following = work.run_at(fields, first)
  likeness.ask_nothing()
  return result, following
end

composite('named', {prefetch = likeness.behind, run = named})

-- Runs all operations of a call and returns their packed answers. load: reads what they need, where that is other than
-- reservations and stock. is_preview: nothing is written. unpacked: the operations where they were, else nil.
function run(args, load, is_preview, unpacked)
  local fields
  if load then
    fields = {unpack_msg(args[2])}
    load(fields)
  else
    aliases.may_move = aliases.is_writing
    fields = unpack_and_prefetch(args[2], unpacked)
    aliases.may_move = false
  end
  local answers, count, at, n = {}, 0, 1, #fields
  while at <= n do
    local tag = fields[at]
    local make = makers[tag]
    count = count + 1
    if make then
      local last = last_line(fields, at)
      answers[count] = make(fields, at, last)
      at = last + LINE_LENGTH
    elseif composites[tag] then
      answers[count], at = composites[tag].run(fields, at)
    else
      local shape = SHAPES[tag]
      answers[count] = answer(operations[tag], fields, at, shape)
      at = at + shape.length
    end
  end
  if not is_preview then write() end
  return answers
end

end
