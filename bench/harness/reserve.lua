-- The load: POST /v1/reservations, each with an id of its own and lines of one unit.
--
-- wrk … -s bench/harness/reserve.lua URL -- RUN SKUS [LINES [BATCH]]
--   RUN   a word that no other run used: it begins every id, so that no request is a replay of another
--   SKUS  how many SKUs the requests are spread over, at random; 1: all want the same
--   LINES how many lines each has, all of different SKUs; 1 if not given
--   BATCH how many reservations go in one call of /v1/reservations/batch; 0 or none: one in a call of its own
-- Prints one line of JSON behind "RESULT ".

local threads = 0

function setup(thread)
  threads = threads + 1
  thread:set("number", threads)
end

local count, skus, id_head, lines, batch = 0, 1, "", 1, 0

function init(args)
  id_head = args[1] .. "-" .. number .. "-"
  skus = tonumber(args[2])
  lines, batch = tonumber(args[3] or "1"), tonumber(args[4] or "0")
  math.randomseed(number)
  wrk.method = "POST"
  wrk.headers["Content-Type"] = "application/json"
end

local function reservation()
  count = count + 1
  local first, parts = skus == 1 and 0 or math.random(0, skus - 1), {}
  for line = 1, lines do
    parts[line] = string.format('{"sku":"BENCH-%07d","quantity":1}', (first + (line - 1) * 7) % skus)
  end
  return string.format('{"reservation_id":"%s%d","channel":"web","ttl_s":86400,"lines":[%s]}',
    id_head, count, table.concat(parts, ","))
end

local function one_line()
  count = count + 1
  local sku = skus == 1 and 0 or math.random(0, skus - 1)
  return string.format(
    '{"reservation_id":"%s%d","channel":"web","ttl_s":86400,"lines":[{"sku":"BENCH-%07d","quantity":1}]}',
    id_head, count, sku)
end

function request()
  if batch == 0 then
    return wrk.format(nil, nil, nil, lines == 1 and one_line() or reservation())
  end
  local parts = {}
  for each = 1, batch do parts[each] = reservation() end
  return wrk.format(nil, nil, nil, '{"reservations":[' .. table.concat(parts, ",") .. ']}')
end

-- Only a status up to 399 is no error to wrk, and redirects there are none: status 0 says that all were accepted.
function done(summary, latency, requests)
  local errors = summary.errors
  io.write(string.format(
    'RESULT {"requests":%d,"duration_us":%d,"p50_us":%d,"p99_us":%d,"failed":%d,"socket_errors":%d}\n',
    summary.requests, summary.duration, latency:percentile(50), latency:percentile(99), errors.status,
    errors.connect + errors.read + errors.write + errors.timeout))
end
