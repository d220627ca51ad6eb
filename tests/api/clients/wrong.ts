// Each of these lines is refused by tsc: the types say what the API takes.
import createClient from "openapi-fetch";
import type { paths } from "./api.js";

const client = createClient<paths>({ baseUrl: "" });
await client.POST("/v1/reservations", { body: { channel: "web" } });
await client.POST("/v1/reservations", { body: { channel: "web", lines: [{ sku: "A", quantity: "1" }] } });
await client.POST("/v1/reservations", { body: { channel: "web", lines: [], policy: "some" } });
await client.POST("/v1/stock/movements", { body: { movements: [{ kind: "steal", sku: "A", quantity: 1 }] } });
await client.GET("/v1/reservation");
