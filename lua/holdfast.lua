-- The library that the store runs: one function for each kind of call, named NAME_DIGEST after the text of all this,
-- so that two releases can run side by side on one store. server/store/lua_library.py puts it together:
--
--   @include lib/stock   the text of lib/stock.lua
--   @operations          every file in operations/, each in a block of its own: it registers its operation
--   @functions           every file in functions/, likewise: it registers its function
--   @shapes              SHAPES, see lib/batch.lua
--   Record.state         the place of the field "state" in that record or operation, counted from 1: the numbers come
--                        from the classes in server/domain/, so a field has one definition
--
-- A library is read once, when it is loaded; a script of EVALSHA is run from its first line each time, which here
-- would cost more than a reserve itself (see docs/architecture.md). A chunk has room for 200 locals.
--
-- @include lib/msgpack
-- @include lib/context
-- @include lib/allocations
-- @include lib/stock
-- @include lib/reservations
-- @include lib/journal
-- @include lib/on_hand_log
-- @include lib/expiry
-- @include lib/availability_check
-- @include lib/arrivals
-- @include lib/idempotency
-- @include lib/answers
-- @include lib/line_parts
-- @include lib/sourcing
-- @include lib/sourcing_search
-- @include lib/splitting
-- @include lib/sourced_orders
-- @include lib/flush
-- @include lib/backorders
-- @include lib/batch
-- @include lib/new_reservation
-- @include lib/relocation
-- @include lib/allocation_change
-- @include lib/transfers
-- @include lib/expected_receipts

-- @operations

-- A function of one partition's keys. knows_backorders: the last of its keys is the queue of those who wait for units.
--
-- A third argument is the call's number, and comes back behind the answers: a reply that belongs to another call, as a
-- faulty proxy may deliver, is then not taken for this one's. What answers with one value is not called in batches: its
-- third argument, if it has one, is its own.
local function register(name, callback, flags, knows_backorders)
  redis.register_function({
    function_name = name .. '_@DIGEST@',
    callback = function(keys, args)
      begin(keys, args, knows_backorders)
      local reply, number = callback(args, keys), args[3]
      if number and type(reply) == 'table' then reply[#reply + 1] = number end
      return reply
    end,
    flags = flags,
  })
end

-- A function on the keys of who follows the journal, not on a partition's ten.
local function register_apart(name, callback)
  redis.register_function({
    function_name = name .. '_@DIGEST@',
    callback = function(keys, args)
      if not pack then bind() end
      return callback(keys, args)
    end,
    flags = {'allow-oom'},
  })
end

-- @functions
