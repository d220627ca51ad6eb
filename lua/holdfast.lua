-- The library that the store runs: one function for each kind of call. The name of each ends in the digest of the whole
-- text, so that two releases can run side by side on one store. server/store/lua_library.py puts it together:
--
--   @include lib/stock   the text of lib/stock.lua
--   @operations          every file in operations/, each in a block of its own; it registers its operation
--   @functions           every file in functions/, likewise; it registers its function
--   @shapes              the table SHAPES, see lib/batch.lua
--   Record.state         the place of the field "state" in that record or operation, counted from 1. The numbers come
--                        from the classes in server/domain/, so that a field has one definition
--
-- A library is read once, when it is loaded. A script of EVALSHA would run from its first line each time, which here
-- costs more than a reserve (see docs/decisions/0004-one-function-library.md). A chunk has room for 200 locals.
--
-- @include lib/msgpack
-- @include lib/context
-- @include lib/packed_lists
-- @include lib/places
-- @include lib/unstocked
-- @include lib/allocations
-- @include lib/stock
-- @include lib/looking
-- @include lib/work
-- @include lib/reservations
-- @include lib/journal
-- @include lib/on_hand_log
-- @include lib/expiry
-- @include lib/availability_check
-- @include lib/arrivals
-- @include lib/idempotency
-- @include lib/answers
-- @include lib/range
-- @include lib/line_parts
-- @include lib/channel_lines
-- @include lib/sourcing
-- @include lib/sourcing_search
-- @include lib/splitting
-- @include lib/sourced_orders
-- @include lib/flush
-- @include lib/likeness
-- @include lib/aliases
-- @include lib/lacking
-- @include lib/backorders
-- @include lib/places_of_order
-- @include lib/place_names
-- @include lib/place_levels
-- @include lib/stocked_places
-- @include lib/waiting_places
-- @include lib/lines_of_order
-- @include lib/unstocked_lines
-- @include lib/batch
-- @include lib/order_notes
-- @include lib/owned
-- @include lib/tombstones
-- @include lib/quotas
-- @include lib/counts
-- @include lib/first_answer
-- @include lib/new_reservation
-- @include lib/short_way
-- @include lib/relocation
-- @include lib/line_edits
-- @include lib/allocation_change
-- @include lib/transfers
-- @include lib/expected_receipts

-- @operations

-- Registers a function on one partition's keys. uses_backorders: the last of its keys is the backorder queue.
--
-- The third argument of a batch is the call's number, and is returned behind the answers. By it the caller recognises a
-- reply that belongs to another call, as a faulty proxy may deliver. A function that replies with one value is not
-- called in batches: its third argument, if it has one, has a meaning of its own.
--
-- short: what may reply to a call before it begins, see lib/short_way.lua; nil: nothing.
local function register(name, callback, flags, uses_backorders, short)
  local is_writing = not flags or flags[1] ~= 'no-writes'
  redis.register_function({
    function_name = name .. '_@DIGEST@',
    callback = function(keys, args)
      local at_once, fields
      if short then at_once, fields = short(keys, args) end
      if at_once then return at_once end
      begin(keys, args, uses_backorders)
      aliases.is_writing = is_writing
      local reply, number = callback(args, keys, fields), args[3]
      if number and type(reply) == 'table' then reply[#reply + 1] = number end
      return reply
    end,
    flags = flags,
  })
end

-- Registers a function on keys of its own, which do not begin with a partition's ten.
local function register_apart(name, callback, flags)
  redis.register_function({
    function_name = name .. '_@DIGEST@',
    callback = function(keys, args)
      if not pack then bind() end
      return callback(keys, args)
    end,
    flags = flags or {'allow-oom'},
  })
end

-- @functions
