-- order: reserve and commit in one step.
--
-- Fields  Order; as a reserve, with accept_shortage in the place of a time to live: it is sold already, so what is missing
--         is promised, too
-- Effect  committed grows by the quantity of each line
-- Answers as a reserve

local NO_DEADLINE = 0

operation('order', function(fields, at, last)
  return new_reservation(fields, at, last, NO_DEADLINE, fields[at + Order.accept_shortage])
end)
