// What the client makes of each answer, and when it tries again: no network, each answer is written here.

import assert from "node:assert/strict";
import { test } from "node:test";

import {
  BatchInterrupted, Client, DoneBefore, OutOfStock, OutcomeUnknown, Refused, Unavailable,
} from "../../../clients/js/src/index.js";
import { POLICY, pauseAfter } from "../../../clients/js/src/decisions.js";

const PROBLEM = { "Content-Type": "application/problem+json" };
const PAGE = { "Content-Type": "text/html" };
const ORDER = { channel: "shop", reservation_id: "o-1", lines: [{ sku: "A", quantity: 1 }] };
const ok = (body = { state: "committed" }) => new Response(JSON.stringify(body), { headers: { "Content-Type": "application/json" } });
const problem = (status, outcome, headers = {}) =>
  new Response(JSON.stringify({ type: "", title: "T", status, detail: "D", outcome, retryable: false }), {
    status,
    headers: { ...PROBLEM, ...headers },
  });
const page = (status, headers = {}) => new Response("<h1>no</h1>", { status, headers: { ...PAGE, ...headers } });
const lost = () => new TypeError("fetch failed", { cause: { code: "ECONNRESET" } });
const notSent = () => new TypeError("fetch failed", { cause: { code: "ECONNREFUSED" } });

/** A client whose requests get these answers, one after the other; what is an error is thrown. */
function clientOf(replies, options = {}) {
  const sent = [];
  const fetch = async (url, init) => {
    sent.push({ url, ...init });
    assert.ok(replies.length, "one request too many");
    const reply = typeof replies[0] === "function" ? replies.shift()() : replies.shift();
    if (reply instanceof Error) throw reply;
    return reply;
  };
  const policy = { pauseMs: 1, pauseMaxMs: 2, triesMax: 4, ...options.policy };
  return { client: new Client({ url: "http://unused", fetch, ...options, policy }), sent, replies };
}

async function raised(replies, call, options) {
  const made = clientOf(replies, options);
  const error = await call(made.client).then(() => assert.fail("it was not refused"), (error) => error);
  assert.equal(made.replies.length, 0, `${error}`);
  return error;
}

const order = (client) => client.reservations.order(ORDER);
const note = (client) => client.orders.addNote("shop", "1", { text: "call back" });
const UNKNOWN = {
  "a lost answer": lost,
  "an answer of another kind": () => ok(null),
  "a list in place of an answer": () => ok([]),
  "an answer that is cut": () => new Response('{"state":"co', { headers: { "Content-Type": "application/json" } }),
  "a proxy's page that says 200": () => page(200),
  "a proxy's 502": () => page(502),
  "a proxy's 503": () => page(503),
  "a proxy's 408": () => page(408),
  "a proxy's 425": () => page(425),
  "an unknown outcome": () => problem(503, "outcome_unknown"),
};

for (const [name, reply] of Object.entries(UNKNOWN)) {
  test(`${name} is sent again with the same key, and not where a second one would add`, async () => {
    const { client, sent } = clientOf([reply, () => ok()]);
    assert.equal((await client.reservations.commit("o-1")).state, "committed");
    assert.equal(sent[0].headers["Idempotency-Key"], sent[1].headers["Idempotency-Key"]);
    assert.ok((await raised([reply], note)) instanceof OutcomeUnknown);
  });
}

for (const [name, reply] of Object.entries({ overloaded: () => problem(503, "overloaded"), unreachable: notSent })) {
  test(`${name} is sent again, whatever it does`, async () => {
    const { client } = clientOf([reply, () => ok({})]);
    await note(client);
  });
}

test("an overload after a lost answer does not say that nothing happened", async () => {
  const busy = () => problem(503, "overloaded");
  const error = await raised([lost, busy, busy, busy], order);
  assert.ok(error instanceof OutcomeUnknown);
  assert.equal(error.key, "o-1");
});

test("a pause that takes too long does not make a lost try one that changed nothing", async () => {
  const sleeps = () => {
    setTimeout(() => { for (const end = performance.now() + 150; performance.now() < end; ); }, 0);
    return lost();
  };
  const error = await raised([sleeps], order, { policy: { deadlineMs: 100, pauseMs: 20, pauseMaxMs: 20 } });
  assert.ok(error instanceof OutcomeUnknown, `${error}`);
});

test("a limit is heeded, and named as the server names it", async () => {
  const limit = () => problem(429, "rate_limited", { "Retry-After": "7" });
  const error = await raised([limit], order, { policy: { deadlineMs: 5_000 } });
  assert.deepEqual([error.constructor, error.outcome, error.retryAfterS], [Unavailable, "rate_limited", 7]);
  const other = await raised([() => page(429, { "Retry-After": "7" })], order, { policy: { deadlineMs: 5_000 } });
  assert.equal(other.outcome, "too_many_requests");
});

test("a date to try again at is read by the clock that wrote it", async () => {
  const date = new Date(Date.now() - 86_400_000);
  const later = new Date(date.getTime() + 20_000);
  const headers = { Date: date.toUTCString(), "Retry-After": later.toUTCString() };
  const error = await raised([() => problem(503, "overloaded", headers)], order, { policy: { deadlineMs: 5_000 } });
  assert.equal(error.retryAfterS, 20);
});

test("what another call has done before has a name of its own", async () => {
  for (const outcome of ["already_committed", "already_released", "order_known"]) {
    const error = await raised([lost, () => problem(409, outcome)], order);
    assert.deepEqual([error.constructor, error.earlierLost], [DoneBefore, true]);
  }
});

test("a refusal is not sent again", async () => {
  assert.ok((await raised([() => problem(409, "out_of_stock")], order)) instanceof OutOfStock);
});

test("a problem that is none of Holdfast's is no refusal, and leaves a lost try unknown", async () => {
  for (const body of ["null", "[]", '{"title":"x"}', "7", "<h1>"]) {
    const strange = () => new Response(body, { status: 403, headers: PROBLEM });
    const error = await raised([strange], order);
    assert.deepEqual([error.constructor, error.outcome], [Unavailable, "not_holdfast"]);
    assert.ok((await raised([lost, strange], order)) instanceof OutcomeUnknown);
  }
});

test("a key that cannot be had means that nothing was sent", async () => {
  const key = async () => { throw new Error("the shop's server is away"); };
  const error = await raised([], order, { key });
  assert.ok(error instanceof Unavailable, `${error}`);
  assert.match(error.message, /the shop's server is away/);
});

test("what is no key, and what is no address, is said before anything is sent", async () => {
  for (const key of ["hf_a\nb", "hf_ş", "hf_a b"]) {
    assert.throws(() => new Client({ url: "http://h", key }), /the key of a client is hf_/);
    const error = await raised([], order, { key: () => key });
    assert.ok(error instanceof Unavailable, `${error}`);
  }
  const wrong = ["", "stock.example", "ftp://stock.example", "http://", "http://h?a=b", "http://h/#x", "http://h:x"];
  for (const url of [...wrong, "http://hf_a:b@h"]) assert.throws(() => new Client({ url }), /the url of a server/);
  const { client, sent } = clientOf([() => ok()], { key: "hf_a_b\n" });
  await order(client);
  assert.equal(sent[0].headers.Authorization, "Bearer hf_a_b");
});

test("an idempotencyKey that no header can have is refused before anything is sent", async () => {
  for (const idempotencyKey of ["", "sipariş-1", "a\nb", "k".repeat(129)]) {
    const { client, sent } = clientOf([]);
    const makes = [
      () => client.reservations.commit("o-1", {}, { idempotencyKey }),
      () => client.stock.moveMany({ movements: [{ kind: "count", sku: "A", on_hand: 1 }] }, { idempotencyKey }),
    ];
    for (const make of makes) await assert.rejects(async () => make(), /1 to 128 printable ASCII characters|at most 128 characters/);
    assert.equal(sent.length, 0);
  }
});

test("a batch that is aborted between its parts says what is done, and the key with which to go on", async () => {
  const ending = new AbortController();
  const results = Array.from({ length: 1_000 }, () => ({ status: 200, outcome: "moved" }));
  const first = () => {
    setTimeout(() => ending.abort(), 0);
    return new Response(new ReadableStream({
      async start(stream) {
        await new Promise((resolve) => setTimeout(resolve, 20));
        stream.enqueue(new TextEncoder().encode(JSON.stringify({ results })));
        stream.close();
      },
    }));
  };
  const movements = Array.from({ length: 1_500 }, () => ({ kind: "receive", sku: "A", quantity: 1 }));
  const options = { idempotencyKey: "own", signal: ending.signal };
  const error = await raised([first], (client) => client.stock.moveMany({ movements }, options));
  assert.ok(error instanceof BatchInterrupted, `${error}`);
  assert.equal(error.key, "own");
});

test("an answer without an end does not fill the memory", async () => {
  let pieces = 0;
  const pull = (stream) => { pieces += 1; stream.enqueue(new Uint8Array(1 << 20)); };
  const error = await raised([() => new Response(new ReadableStream({ pull }))], order, { policy: { triesMax: 1 } });
  assert.match(error.message, /more than 64 MiB/);
  assert.ok(pieces < 70);
});

test("a page in place of the stream is none, and the stream is opened again", async () => {
  const event = 'id: 1-0\nevent: availability\ndata: {"sku":"A","available":3,"seq":1}\n\n';
  const stream = () => new Response(event, { headers: { "Content-Type": "text/event-stream" } });
  const { client } = clientOf([() => page(200), stream]);
  const states = [];
  for await (const change of client.changes.stream({ after: "0", onState: (state) => states.push(state) })) {
    assert.equal(change.view.available, 3);
    break;
  }
  assert.deepEqual(states, ["open", "broken"]);
});

test("what the caller's own onState throws ends the iteration, and the stream is not opened again", async () => {
  const event = 'id: 1-0\nevent: availability\ndata: {"sku":"A","available":3,"seq":1}\n\n';
  const stream = () => new Response(event, { headers: { "Content-Type": "text/event-stream" } });
  for (const thrown of ["open", "broken"]) {
    const { client, sent } = clientOf([stream, stream]);
    const onState = (state) => { if (state === thrown) throw new RangeError("of the caller"); };
    const iterate = async () => { for await (const _ of client.changes.stream({ after: "0", onState })); };
    await assert.rejects(iterate, /RangeError: of the caller/);
    assert.equal(sent.length, 1);
  }
});

test("what is no event breaks the stream off, and it goes on where it was", async () => {
  const headers = { "Content-Type": "text/event-stream" };
  const good = (id) => `id: ${id}-0\nevent: availability\ndata: {"sku":"A","available":${id},"seq":1}\n\n`;
  const { client, sent } = clientOf([
    () => new Response(`${good(1)}event: availability\nid: 2-0\ndata: <h1>\n\n`, { headers }),
    () => new Response(good(2), { headers }),
  ]);
  const seen = [];
  for await (const change of client.changes.stream({ after: "0-0" })) {
    seen.push(change.view.available);
    if (seen.length === 2) break;
  }
  assert.deepEqual(seen, [1, 2]);
  assert.match(sent[1].url, /after=1-0$/);
});

test("a name in a path is encoded, and one that no path can have is refused", async () => {
  const { client, sent } = clientOf([() => ok(), () => ok()]);
  await client.availability.read("100% A/B?#ş%2F");
  await client.reservations.read("S/2024/0001");
  assert.match(sent[0].url, /\/100%25%20A%2FB%3F%23%C5%9F%252F$/);
  assert.match(sent[1].url, /\/~Uy8yMDI0LzAwMDE$/);
  for (const name of ["", ".", ".."]) await assert.rejects(async () => client.availability.read(name), RangeError);
});

test("a name that is missing is refused before anything is sent", async () => {
  const { client, sent } = clientOf([]);
  for (const name of [undefined, null, 7, {}, "a\ud800"]) {
    await assert.rejects(async () => client.skus.delete(name), /a name in a path is (text|Unicode)/);
    await assert.rejects(async () => client.reservations.cancel(name), /a name in a path is (text|Unicode)/);
  }
  assert.equal(sent.length, 0);
});

test("a key that is missing is none, for a batch and a command as well", async () => {
  const { client, sent } = clientOf([]);
  const movements = Array.from({ length: 1_500 }, () => ({ kind: "receive", sku: "A", quantity: 1 }));
  for (const idempotencyKey of ["", null]) {
    const makes = [() => client.outbox.send("shop", { command: "ship", order: "1" }, { idempotencyKey })];
    if (idempotencyKey !== null) makes.push(() => client.stock.moveMany({ movements }, { idempotencyKey }));
    for (const make of makes) await assert.rejects(async () => make(), /1 to 128 printable ASCII characters/);
  }
  assert.equal(sent.length, 0);
});

test("what is absurd to wait for is none, or a day", async () => {
  const date = "Mon, 30 Nov 2026 12:00:00 GMT";
  const asked = {
    "7": 7, "100000": 86_400, ["9".repeat(400)]: 86_400, "-5": 0, "1.5": 0, "soon": 0, "2099": 2_099,
    "Mon, 30 Nov 2026 12:00:20 GMT": 20, "Mon, 30 Nov 2026 11:00:00 GMT": 0, "Mon, 30 Nov 2099 12:00:00 GMT": 86_400,
    "Mon, 01 Jan 99999999999999999999 00:00:00 GMT": 0, "30 Nov 2099": 0,
  };
  for (const [text, seconds] of Object.entries(asked)) {
    const reply = () => problem(503, "overloaded", { "Retry-After": text, Date: date });
    const error = await raised([reply], order, { policy: { triesMax: 1 } });
    assert.equal(error.retryAfterS, seconds, text);
  }
});

test("who is told to come back together does not", () => {
  const pauses = Array.from({ length: 1_000 }, () => pauseAfter(POLICY, 1, 10_000)).sort((one, other) => one - other);
  assert.ok(pauses[0] >= 10_000);
  assert.ok(pauses[900] - pauses[100] > 3_000);
});

test("a redirect is not followed, and it is said where it points", async () => {
  for (const status of [301, 302, 307, 308]) {
    const reply = () => new Response(null, { status, headers: { Location: "https://elsewhere.example/" } });
    const error = await raised([reply], order);
    assert.deepEqual([error.constructor, error.outcome], [Unavailable, "not_holdfast"]);
    assert.match(error.message, /It points to https:\/\/elsewhere.example\/, and is not followed/);
  }
});

test("a batch that broke off has the error of its part, and says what to do", async () => {
  const results = Array.from({ length: 1_000 }, () => ({ status: 200, outcome: "moved" }));
  const movements = Array.from({ length: 2_500 }, () => ({ kind: "receive", sku: "A", quantity: 1 }));
  const moves = (client) => client.stock.moveMany({ movements }, { idempotencyKey: "own" });
  const refused = await raised([() => ok({ results }), () => problem(400, "invalid")], moves);
  assert.deepEqual([refused.constructor, refused.key, refused.part, refused.parts], [BatchInterrupted, "own", 2, 3]);
  assert.ok(refused.cause instanceof Refused);
  const counted = "1000 of 2500 elements have a result.";
  assert.equal(
    refused.message,
    `Part 2 of 3 was refused (invalid: T. D). ${counted} Correct the refused part, and send those without a result again, in a new call.`,
  );
  const unknown = await raised([() => ok({ results }), lost], moves, { policy: { triesMax: 1 } });
  assert.ok(unknown.cause instanceof OutcomeUnknown);
  assert.match(unknown.message, /Call it again with idempotencyKey "own" and the same elements: what is done stays done/);
});

test("lists that are put say how many requests were answered, and what only reads has nothing that is done", async () => {
  const barcodes = Array.from({ length: 2_500 }, (_, number) => ({ barcode: `${number}`, sku: "A" }));
  const replies = [() => ok({ barcodes: 1_000 }), () => problem(400, "invalid")];
  const error = await raised(replies, (client) => client.barcodes.put({ barcodes }));
  assert.match(error.message, /1 of 3 requests were answered. Correct the refused part, and call it again with all elements/);
  const skus = barcodes.map(({ barcode }) => barcode);
  const read = [() => ok({ availability: [], unknown: [], keys: [], unknown_keys: [] }), () => problem(400, "invalid")];
  const plain = await raised(read, (client) => client.availability.readMany({ skus }));
  assert.ok(plain instanceof Refused);
});
