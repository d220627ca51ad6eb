// Calls as they are meant: all of this compiles.

import { Client, OutOfStock, OutcomeUnknown, type Change } from "holdfast-client";
import type { OrderBody, ReservationView } from "holdfast-client/types";
import { read, type CloudEvent } from "holdfast-client/webhooks";

const client = new Client({ url: "http://127.0.0.1:8080", key: async () => "hf_…", policy: { deadlineMs: 5_000 } });

export async function taken(order: OrderBody): Promise<ReservationView> {
  try {
    return await client.reservations.order(order, { signal: AbortSignal.timeout(2_000) });
  } catch (error) {
    if (error instanceof OutOfStock) console.log(error.lines[0]?.available);
    if (error instanceof OutcomeUnknown) return client.run(error.call);
    throw error;
  }
}

export async function held(): Promise<readonly string[]> {
  const lines = [{ sku: "A", quantity: 1 }];
  const view = await client.reservations.reserve({ channel: "shop", lines, policy: "partial", ttl_s: undefined });
  const { results } = { results: await client.stock.moveMany({ movements: [{ kind: "count", sku: "A", on_hand: 3 }] }) };
  for await (const page of client.pages((query) => client.reservations.readMany(query), { state: "held" })) {
    console.log(page.reservations.length);
  }
  return [view.state, ...results.map((each) => each.outcome)];
}

export async function follow(): Promise<Change | undefined> {
  for await (const change of client.changes.follow({ after: "0" })) return change;
  return undefined;
}

export async function received(request: Request, secret: string): Promise<CloudEvent[]> {
  return read(new Uint8Array(await request.arrayBuffer()), request.headers, [secret]);
}
