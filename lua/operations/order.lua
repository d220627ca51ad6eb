-- order: reserves and commits in one step.
--
-- Fields  Order in server/domain/operations/reservations.py, in the order of its wire. As a reserve, with
--         accept_shortage in the place of ttl_ms: the units are sold already, so missing ones are committed as well
-- Effect  committed + by the quantity of each line
-- Answers as a reserve · out_of_range (accept_shortage: a place would be short of more than 10^9 units)

local NO_DEADLINE = 0 -- as ttl_ms: the record of an order has no deadline

operation('order', function(fields, at, last)
  return new_reservation(fields, at, last, NO_DEADLINE, fields[at + Order.accept_shortage])
end)
