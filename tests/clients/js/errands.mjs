// The errands of connectors and storefronts, done with the JavaScript client alone; see docs/errands.md.
//
//   node errands.mjs URL OTHERS_URL KEY            names them
//   node errands.mjs URL OTHERS_URL KEY ROLE TITLE  does one

import assert from "node:assert/strict";

import { Client, OutOfStock, Refused } from "../../../clients/js/src/index.js";

const WITHIN_MS = 20_000;
const [url, othersUrl, key, ...named] = process.argv.slice(2);
const client = new Client({ url, key });
const others = new Client({ url: othersUrl, key });
const { availability, reservations } = client;

/** What others have done, or do meanwhile. */
async function given(sku, onHand, location = "main") {
  const movements = [{ kind: "count", sku, on_hand: onHand, location, allow_similar: true }];
  const [result] = await others.stock.moveMany({ movements });
  assert.equal(result.status, 200);
}

const line = (sku, quantity = 1) => [{ sku, quantity }];
const orderOf = (id, lines, more) => reservations.order({ channel: "trendyol", reservation_id: id, lines, ...more });
const basket = (sku, id, quantity = 2) =>
  reservations.reserve({ channel: "shop", reservation_id: id, lines: line(sku, quantity), ttl_s: 120 });

/** Follow the stream until a SKU has so many; returns where to go on. */
async function until(by, after, sku, available, meanwhile = async () => {}) {
  let opened;
  const isOpen = new Promise((resolve) => { opened = resolve; });
  const changes = by.changes.stream({ after, signal: AbortSignal.timeout(WITHIN_MS), onState: opened });
  const first = changes.next();
  await isOpen;
  await meanwhile();
  for (let { value, done } = await first; !done; { value, done } = await changes.next()) {
    if (value.view.sku === sku && value.view.available === available) {
      await changes.return();
      return value.position;
    }
  }
  throw new Error(`${sku} never had ${available}`);
}

const ERRANDS = {
  connector: {
    async "Take an order by the barcode that the marketplace has, and send it again after a lost answer"() {
      await given("C-1", 10);
      await client.barcodes.put({ barcodes: [{ barcode: "8690000000036", sku: "C-1" }] });
      for (const _ of [1, 2]) {
        const ordered = await orderOf("ty-1001", [{ barcode: "8690000000036", quantity: 2 }]);
        assert.equal(ordered.lines[0].sku, "C-1");
      }
      assert.equal((await others.availability.read("C-1")).available, 8);
    },

    async "Record what is sold already, though it is not there, and see whom it hits"() {
      await given("C-2", 1);
      await orderOf("ty-1002", line("C-2", 3), { on_shortage: "accept" });
      const found = [];
      for await (const page of client.pages((query) => client.shortages.readMany(query))) found.push(...page.shortages);
      const short = found.find((each) => each.sku === "C-2");
      assert.deepEqual([short.short, short.lines[0].reservation_id], [2, "ty-1002"]);
    },

    async "Hold while the buyer pays, hold longer, and turn it into an order"() {
      await given("C-3", 5);
      await reservations.reserve({ channel: "trendyol", reservation_id: "cart-3", lines: line("C-3"), ttl_s: 60 });
      await reservations.extend("cart-3", { ttl_s: 900 });
      assert.equal((await reservations.commit("cart-3", { order_ref: "WEB-3" })).state, "committed");
    },

    async "Cancel one piece of an order, once however often it is sent"() {
      await given("C-4", 5);
      await orderOf("ty-1004", line("C-4", 3));
      const part = { lines: [{ line: 1, quantity: 1 }], reason: "the buyer asked" };
      for (const _ of [1, 2]) {
        const left = await reservations.cancel("ty-1004", part, { idempotencyKey: "cancel-4" });
        assert.equal(left.lines[0].committed, 2);
      }
    },

    async "Ship an order with its tracking number, and find it by that order's id"() {
      await given("C-5", 5);
      await orderOf("S/2026/5", line("C-5", 2));
      assert.equal((await reservations.lookUp({ reservation_id: "S/2026/5" })).state, "committed");
      const shipped = await reservations.fulfil("S/2026/5", { tracking: "TR-5", carrier: "dhl" });
      assert.deepEqual([shipped.state, shipped.notes.tracking], ["fulfilled", "TR-5"]);
    },

    async "Take back what a buyer sent back broken"() {
      await given("C-6", 5);
      await orderOf("ty-1006", line("C-6"));
      await reservations.fulfil("ty-1006");
      const broken = { line: 1, quantity: 1, disposition: "damaged" };
      await reservations.returnUnits("ty-1006", { lines: [broken], reason: "cracked" });
      const stock = await client.stock.read("C-6");
      assert.deepEqual([stock.levels[0].damaged, stock.available], [1, 4]);
    },

    async "Change the quantity of an order without letting go of what it has"() {
      await given("C-7", 5);
      await orderOf("ty-1007", line("C-7"));
      const edited = await reservations.changeLines("ty-1007", { lines: [{ line: 1, quantity: 4 }] });
      assert.equal(edited.lines[0].committed, 4);
    },

    async "Follow every change of stock, break off, and go on where it was"() {
      await given("C-8", 5);
      const position = await until(client, undefined, "C-8", 6, () => given("C-8", 6));
      await given("C-8", 7);
      await until(client, position, "C-8", 7);
    },

    async "Read the whole catalogue once, and follow it from there without losing a sale in between"() {
      await given("C-9", 5);
      const known = new Map();
      for await (const { view, isSnapshot } of client.changes.follow({ signal: AbortSignal.timeout(WITHIN_MS) })) {
        known.set(view.sku, view.available);
        if (isSnapshot && known.get("C-9") === 5) await given("C-9", 4);
        if (known.get("C-9") === 4) return;
      }
      throw new Error("the sale did not come");
    },

    async "Bring in an order of something that is not known yet, and say later what it is"() {
      await given("C-10", 5);
      const taken = await orderOf("ty-1010", line("mavi vazo", 2), { on_shortage: "accept" });
      assert.equal(taken.lines[0].mode, "unmapped");
      const mapped = await reservations.changeLines("ty-1010", { lines: [{ line: 1, sku: "C-10" }] });
      assert.deepEqual([mapped.lines[0].sku, mapped.lines[0].location], ["C-10", "main"]);
    },
  },

  storefront: {
    async "Let a page read what is left of what it shows, and nothing else, without the key"() {
      await given("F-1", 5);
      const page = await pageWith({ ttl_s: 600, skus: ["F-1"] });
      assert.equal((await page.availability.read("F-1")).available, 5);
      const isForbidden = (error) => error instanceof Refused && error.outcome === "forbidden";
      await assert.rejects(page.availability.read("C-1"), isForbidden);
    },

    async "Show a page of a catalogue with what is left of each"() {
      await given("F-2a", 1);
      await given("F-2b", 0);
      const page = await pageWith({ skus: ["F-2a", "F-2b"] });
      const found = await page.availability.readMany({ skus: ["F-2a", "F-2b"] });
      assert.deepEqual(found.availability.map((each) => each.available), [1, 0]);
    },

    async "Have the number on an open page fall when somebody else buys"() {
      await given("F-3", 5);
      const page = await pageWith({ skus: ["F-3"] });
      await until(page, undefined, "F-3", 3, () =>
        reservations.order({ channel: "shop", reservation_id: "somebody-else", lines: line("F-3", 2) }),
      );
    },

    async "Say which stores have it, the nearest first"() {
      for (const [name, lat] of [["kadikoy", 40.99], ["izmir", 38.42]]) {
        await client.locations.put(name, { kind: "store", position: { lat, lon: 29.02 } });
      }
      await given("F-4", 2, "izmir");
      await given("F-4", 1, "kadikoy");
      const near = await availability.nearby("F-4", { lat: 40.9904, lon: 29.0292 });
      assert.deepEqual(near.locations.map((each) => each.location), ["kadikoy", "izmir"]);
    },

    async "Hold a basket while its buyer pays, and give the same answer when the button is pressed twice"() {
      await given("F-5", 5);
      const held = [await basket("F-5", "basket-5"), await basket("F-5", "basket-5")];
      assert.equal(held[0].expires_at, held[1].expires_at);
      assert.equal((await availability.read("F-5")).available, 3);
    },

    async "Turn the hold into an order when the payment is there"() {
      await given("F-6", 5);
      await basket("F-6", "basket-6");
      const paid = await reservations.commit("basket-6", { order_ref: "SHOP-6" });
      assert.deepEqual([paid.state, paid.order_ref], ["committed", "SHOP-6"]);
    },

    async "Let go of a basket, so that others have it at once"() {
      await given("F-7", 2);
      await basket("F-7", "basket-7");
      await reservations.release("basket-7");
      assert.equal((await availability.read("F-7")).available, 2);
    },

    async "Say what is missing where a basket is too large, and take what there is if the buyer agrees"() {
      await given("F-8", 1);
      const lacks = (error) => error instanceof OutOfStock && error.lines[0].available === 1;
      await assert.rejects(basket("F-8", "basket-8"), lacks);
      const lines = line("F-8", 2);
      const held = await reservations.reserve({ channel: "shop", reservation_id: "basket-8b", lines, policy: "partial" });
      assert.equal(held.lines[0].held, 1);
    },

    async "Sell before it is there, and promise a day"() {
      const rules = { mode: "preorder", limit: 10, promise_on: "2030-03-01", allow_similar: true };
      await client.backorders.put("F-9", "main", rules);
      const order = { channel: "shop", reservation_id: "order-9", lines: line("F-9", 2), policy: "backorder" };
      const ordered = await reservations.order(order);
      assert.deepEqual([ordered.lines[0].backordered, ordered.lines[0].promise_on], [2, "2030-03-01"]);
    },

    async "Say from which day on there will be some"() {
      await given("F-10", 0);
      await client.supply.put("PO-F-10", { sku: "F-10", quantity: 8, expected_on: "2030-01-15" });
      const { days } = await availability.byDay("F-10", { from: "2030-01-14", to: "2030-01-16" });
      assert.deepEqual(days.map((each) => each.promisable), [0, 8, 8]);
    },
  },
};

/** A page has a token that its shop's server has made, and no key. */
async function pageWith(body) {
  const { token } = await client.browserTokens.create(body);
  return new Client({ url, key: token });
}

if (named.length) await ERRANDS[named[0]][named[1]]();
else console.log(JSON.stringify(Object.entries(ERRANDS).flatMap(([role, of]) => Object.keys(of).map((title) => [role, title]))));
