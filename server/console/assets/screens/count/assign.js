// Assigns what has arrived to what was expected: deliveries by their day, then transfers; what is too much to the last
// delivery of the product. Good units go first, damaged ones last.

/** Whether something that is to come is of a row: it keeps the name that its SKU had when it was announced. */
export const isOf = ({ sku, names = [sku] }) => (due) => names.includes(due.sku);

/** Returns the pieces of a row: [{from, units, damaged}]; `from` null: nobody expected it. */
export function assigned(row, { supply, transfers }) {
  const left = { units: row.counted, damaged: row.damaged };
  const pieces = [];
  const take = (from, most) => {
    const units = Math.min(left.units, most);
    const damaged = Math.min(left.damaged, most - units);
    if (units + damaged === 0) return;
    left.units -= units;
    left.damaged -= damaged;
    pieces.push({ from, units, damaged });
  };
  for (const each of supply.filter(isOf(row))) {
    take({ kind: "supply", id: each.supply_id, reference: each.reference }, each.expected);
  }
  for (const each of transfers) {
    for (const line of each.lines.filter(isOf(row))) {
      take({ kind: "transfer", id: each.transfer_id, line: line.line, place: each.from }, line.in_transit);
    }
  }
  if (left.units + left.damaged === 0) return pieces;
  const last = pieces.findLast((each) => each.from.kind === "supply");
  if (!last) return [...pieces, { from: null, ...left }];
  return pieces.map((each) => (each === last
    ? { ...each, units: each.units + left.units, damaged: each.damaged + left.damaged } : each));
}

const PART = 500; // movements in one request; the API takes 1,000

/** Makes of rows what is sent: movements, and for each transfer what arrived of it. */
export function steps(rows, expected, location, reason, newKey) {
  const moved = [];
  const arrived = new Map();
  for (const row of rows) {
    for (const { from, units, damaged } of assigned(row, expected)) {
      const part = { sku: row.sku, names: row.names, counted: units, damaged, isMeant: row.isMeant };
      if (from?.kind === "transfer") arrived.set(from.id, [...(arrived.get(from.id) ?? []), { part, line: from.line }]);
      else moved.push(movement(part, from, location, reason));
    }
  }
  const made = [];
  for (let first = 0; first < moved.length; first += PART) {
    const some = moved.slice(first, first + PART);
    made.push({
      path: "/v1/stock/movements", key: newKey(), rows: some.map((each) => each.row),
      body: { movements: some.map((each) => each.movement) },
    });
  }
  for (const [id, lines] of arrived) {
    made.push({
      path: `/v1/transfers/${encodeURIComponent(id)}/receive`, key: newKey(), rows: lines.map((each) => each.part),
      body: { lines: lines.flatMap(arrivals), reason },
    });
  }
  return made;
}

/** `apart` of the row: what sets its damaged units apart, once they have been received. */
function movement(part, from, location, reason) {
  const { sku, counted, damaged, isMeant: allow_similar } = part;
  const supply = from ? { supply_id: from.id } : {};
  const received = { kind: "receive", sku, quantity: counted + damaged, location, reason, allow_similar, ...supply };
  const broken = { kind: "move", sku, quantity: damaged, from: "available", to: "damaged", location, reason };
  return { row: damaged ? { ...part, apart: broken } : part, movement: received };
}

const arrivals = ({ part, line }) => [
  { line, quantity: part.counted, disposition: "restock" },
  { line, quantity: part.damaged, disposition: "damaged" },
].filter((each) => each.quantity > 0);
