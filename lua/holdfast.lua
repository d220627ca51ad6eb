-- The library that the store runs: one function for each kind of call, named NAME_DIGEST after the text of all this,
-- so that two releases can run side by side on one store. server/store/lua_library.py puts in the includes and the digest.
--
-- A library is read once, when it is loaded; a script of EVALSHA is run from its first line each time, which here
-- would cost more than a reserve itself (see docs/architecture.md).
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
-- @include lib/splitting
-- @include lib/flush
-- @include lib/backorders
-- @include lib/batch

-- knows_backorders: the last of its keys is the queue of those who wait for units.
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

-- Each function with its operations in a block of its own: a chunk has room for 200 locals, and what one function needs
-- is nobody else's.
do
-- @include operations/reserve
-- @include operations/receive
-- @include operations/adjust
-- @include operations/count
-- @include operations/relocate
-- @include operations/backorder
-- @include operations/move
-- @include operations/return
-- @include operations/allocate
-- @include operations/exchange
-- @include operations/bind
-- @include operations/extend
-- @include operations/commit
-- @include operations/release
-- @include operations/cancel
-- @include operations/fulfil
-- @include functions/mutate
register('mutate', mutate, {}, true)
-- @include functions/mutate_when_full
register('mutate_when_full', mutate_when_full, {'allow-oom'}, true)
end
do
-- @include lib/transfers
-- @include operations/ship
-- @include operations/arrive
-- @include functions/mutate_transfers
register('mutate_transfers', mutate_transfers, {}, true)
end
do
-- @include lib/expected_receipts
-- @include operations/expect
-- @include operations/forgo
-- @include operations/receive_expected
-- @include functions/mutate_expected_receipts
register('mutate_expected_receipts', mutate_expected_receipts, {}, true)
end
do
-- @include functions/apply_safety_rules
register('apply_safety_rules', apply_safety_rules, {}, true)
end
do
-- @include functions/read_outlook
register('read_outlook', read_outlook, {'no-writes'})
end
do
-- @include functions/expire_holds
register('expire_holds', expire_holds, {'allow-oom'}, true)
end
do
-- @include functions/fill_backorders
register('fill_backorders', fill_backorders, {'allow-oom'}, true)
end
do
-- @include functions/purge_ended
register('purge_ended', purge_ended, {'allow-oom'})
end
do
-- @include functions/read
register('read', read, {'no-writes'})
end
do
-- @include functions/list_shortages
register('list_shortages', list_shortages, {'no-writes'})
end
do
-- @include functions/list_reservations
register('list_reservations', list_reservations, {'no-writes'})
end

-- Those that follow work on the keys of who follows the journal, not on a partition's ten.
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

do
-- @include functions/publisher_lease
register_apart('publisher_lease', publisher_lease)
end
do
-- @include functions/publisher_write
register_apart('publisher_write', publisher_write)
end
do
-- @include functions/replication_barrier
register_apart('replication_barrier', replication_barrier)
end
do
-- @include functions/add_daily_figures
register_apart('add_daily_figures', add_daily_figures)
end
