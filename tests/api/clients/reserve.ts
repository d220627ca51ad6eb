// Written by a person against the types that openapi-typescript made: tsc refuses what the API would not take.
import createClient from "openapi-fetch";
import type { components, paths } from "./api.js";

const [baseUrl, token] = process.argv.slice(2) as [string, string];
const client = createClient<paths>({ baseUrl, headers: { Authorization: `Bearer ${token}` } });

const movement: components["schemas"]["CountMovement"] = { kind: "count", sku: "TS-1", on_hand: 5 };
const counted = await client.POST("/v1/stock/movements", { body: { movements: [movement] } });
if (counted.data === undefined) throw new Error(JSON.stringify(counted.error));

const order = { channel: "web", reservation_id: "ts-1", lines: [{ sku: "TS-1", quantity: 2 }] };
const held = await client.POST("/v1/reservations", { body: order });
if (held.data === undefined) throw new Error(JSON.stringify(held.error));
const state: "held" | "committed" | "backordered" | "fulfilled" | "released" | "expired" | "cancelled" = held.data.state;

const committed = await client.POST("/v1/reservations/{reservation_id}/commit", {
  params: { path: { reservation_id: "ts-1" } },
  body: {},
});
const short = await client.POST("/v1/reservations", { body: { ...order, reservation_id: "ts-2", lines: [{ sku: "TS-1", quantity: 9 }] } });
if (short.error === undefined) throw new Error("there are not so many");
const outcome: components["schemas"]["Outcome"] = short.error.outcome;

console.log(
  JSON.stringify({
    state,
    committed: committed.data?.state,
    outcome,
    available: short.error.lines?.[0]?.available,
    request_id: short.error.request_id === short.response.headers.get("X-Request-Id"),
  }),
);
