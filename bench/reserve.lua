-- The load: POST /v1/reservations, each with an id of its own and one line of one unit.
--
-- wrk … -s bench/reserve.lua URL -- RUN SKUS
--   RUN   a word that no other run used: it begins every id, so that no request is a replay of another
--   SKUS  how many SKUs the requests are spread over, at random; 1: all want the same
-- Prints one line of JSON behind "RESULT ".

local threads = 0

function setup(thread)
  threads = threads + 1
  thread:set("number", threads)
end

local count, skus, id_head = 0, 1, ""

function init(args)
  id_head = args[1] .. "-" .. number .. "-"
  skus = tonumber(args[2])
  math.randomseed(number)
  wrk.method = "POST"
  wrk.headers["Content-Type"] = "application/json"
end

function request()
  count = count + 1
  local sku = skus == 1 and 0 or math.random(0, skus - 1)
  return wrk.format(nil, nil, nil, string.format(
    '{"reservation_id":"%s%d","channel":"web","ttl_s":86400,"lines":[{"sku":"BENCH-%07d","quantity":1}]}',
    id_head, count, sku))
end

-- Only a status up to 399 is no error to wrk, and redirects there are none: status 0 says that all were accepted.
function done(summary, latency, requests)
  local errors = summary.errors
  io.write(string.format(
    'RESULT {"requests":%d,"duration_us":%d,"p50_us":%d,"p99_us":%d,"failed":%d,"socket_errors":%d}\n',
    summary.requests, summary.duration, latency:percentile(50), latency:percentile(99), errors.status,
    errors.connect + errors.read + errors.write + errors.timeout))
end
