// Each line that ends so is found wrong; the others are not.

import { Client } from "holdfast-client";

const client = new Client({ url: "http://127.0.0.1:8080" });
const lines = [{ sku: "A", quantity: 1 }];

new Client({ key: "hf_…" }); // wrong
client.reservations.reserve({ channel: "shop", lines: [{ sku: "A" }] }); // wrong
client.reservations.reserve({ channel: "shop", lines, policy: "some" }); // wrong
client.reservations.reserve({ lines }); // wrong
client.stock.count("A", "main", { on_hand: "3" }); // wrong
client.availability.read("A").available; // wrong
client.reservations.readMany({ state: "sold" }); // wrong
client.keys.create({ scopes: ["everything"] }); // wrong
client.pages(client.stock.read, {}); // wrong
