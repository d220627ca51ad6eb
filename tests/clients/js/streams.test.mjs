// What the client makes of a stream of changes: no network, each line is written here.

import assert from "node:assert/strict";
import { test } from "node:test";

import { AccessRefused, Client, StreamClosed } from "../../../clients/js/src/index.js";
import { Following, Lines } from "../../../clients/js/src/events.js";
import { POLICY } from "../../../clients/js/src/decisions.js";

const STREAM = { "Content-Type": "text/event-stream" };
const JSON_TYPE = { "Content-Type": "application/json" };
const EVENT = 'event: availability\nid: 2-0\ndata: {"sku":"Çay","available":3,"seq":7}\n\n';
const bytes = (text) => new TextEncoder().encode(text);
const problem = (status, outcome) =>
  new Response(JSON.stringify({ type: "", title: "T", status, detail: "D", outcome, retryable: false }), {
    status,
    headers: { "Content-Type": "application/problem+json" },
  });

function following() {
  const made = new Following("1-0", POLICY, { readsAll: false, renewsToken: false });
  made.beginStream();
  return made;
}

function clientOf(answers) {
  const asked = [];
  const fetch = async (url) => {
    asked.push(url);
    return answers(url, asked.length);
  };
  return { asked, client: new Client({ url: "http://unused", fetch, policy: { pauseMs: 1, pauseMaxMs: 2, triesMax: 2 } }) };
}

test("events are found however their bytes come", () => {
  for (const ending of ["\n", "\r\n"]) {
    const raw = bytes(`: still here\n\nretry: 250\nid: 1-0\n\n${EVENT}`.replaceAll("\n", ending));
    for (const size of [1, 2, 3, 7, 1_000]) {
      const lines = new Lines();
      const events = [];
      for (let at = 0; at < raw.length; at += size) events.push(...lines.feed(raw.slice(at, at + size)));
      assert.deepEqual(events.map(({ name, id }) => [name, id]), [["", "1-0"], ["availability", "2-0"]]);
      assert.equal(JSON.parse(events[1].data).sku, "Çay");
      assert.equal(lines.retryMs, 250);
    }
  }
});

for (const [name, text, times] of [["a line", "x".repeat(1_000_000), 9], ["an event", "data: x\n".repeat(125_000), 10]]) {
  test(`${name} without an end breaks the stream off, and twice at the same place ends it`, () => {
    const stream = following();
    for (let round = 0; round < 2; round += 1) {
      assert.equal(stream.ending, undefined);
      stream.beginStream();
      for (let number = 0; number < times; number += 1) stream.takeChunk(bytes(text));
      assert.deepEqual([stream.position, stream.brokeOff], ["1-0", true]);
    }
    assert.ok(stream.ending instanceof StreamClosed);
  });
}

test("what is absurd to wait for is bounded", () => {
  for (const text of ["²", "-5", "9".repeat(5_000), "1e9", ""]) {
    const stream = following();
    assert.equal(stream.takeChunk(bytes(`retry: ${text}\n${EVENT}`)).length, 1);
    assert.ok(stream.pauseMs() <= 300_000);
  }
  for (const text of ["9".repeat(400), "9999999", "Mon, 30 Nov 2199 12:00:00 GMT"]) {
    const stream = following();
    stream.takeAnswer({ status: 503, headers: new Headers({ "Retry-After": text }), body: new Uint8Array() });
    assert.equal(stream.pauseMs(), 300_000);
  }
  const stream = following();
  for (let failures = 0; failures < 2_000; failures += 1) assert.ok(stream.pauseMs() <= 6_500);
});

test("a value that is nested without end breaks the stream off", () => {
  const stream = following();
  stream.takeChunk(bytes(`event: availability\nid: 2-0\ndata: {"x":${"[".repeat(100_000)}\n\n`));
  assert.deepEqual([stream.position, stream.brokeOff], ["1-0", true]);
});

test("an error ends the stream, and it is not opened again", async () => {
  const { asked, client } = clientOf(() => problem(401, "unauthorized"));
  const changes = client.changes.stream({ after: "0" });
  await assert.rejects(changes.next(), AccessRefused);
  assert.deepEqual(await changes.next(), { value: undefined, done: true });
  assert.equal(asked.length, 1);
});

test("what is ended while it waits to come back is over at once", async () => {
  const ending = new AbortController();
  const { asked, client } = clientOf(() => {
    setTimeout(() => ending.abort(), 20);
    return new Response("", { status: 503, headers: { "Retry-After": "300" } });
  });
  for await (const change of client.changes.stream({ after: "0", signal: ending.signal })) assert.fail(`${change}`);
  assert.equal(asked.length, 1);
});

test("who reads all comes back until the server is there", async () => {
  const snapshot = '{"availability":[],"changes_after":"0-0","next":""}';
  const { client } = clientOf((url, number) => {
    if (number <= 6) return problem(503, "overloaded");
    return url.includes("snapshot") ? new Response(snapshot, { headers: JSON_TYPE }) : new Response(EVENT, { headers: STREAM });
  });
  for await (const { view } of client.changes.follow()) {
    assert.equal(view.available, 3);
    break;
  }
});
