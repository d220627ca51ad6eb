// The page of the shop. It reads what is left from Holdfast itself, with a token that the shop's server gets for it, and
// follows every change. To hold, to pay and to let go it asks the shop's server, which keeps the key.

const RENEW_EARLY_MS = 60_000; // before the token's time is over
const RETRY_MS = 1_000;
const RETRY_MAX_MS = 30_000;
const PICTURES = {
  mug: "M30 22h46v40q0 10-10 10H40q-10 0-10-10zM76 30h10q10 0 10 12t-10 12H76v-7h8q5 0 5-5t-5-5h-8z",
  tote: "M34 34h52l6 44H28zM44 34q0-20 16-20t16 20h-6q0-14-10-14t-10 14z",
  tee: "M42 16q18 12 36 0l22 14-10 16-10-5v37H40V41l-10 5-10-16z",
  cap: "M26 56q0-30 34-30t34 30q-34-12-68 0zM22 60q38-16 76 0l10 10q-48-14-96 0z",
};

const $ = (where, selector) => where.querySelector(selector);
const cards = new Map(); // by SKU
const known = new Map(); // by SKU: what Holdfast said last
let holdfast = "";
let token = null; // { token, expires_at }
let stream = null;
let lastId = "";
let failures = 0;
let turns = 0; // how often it was begun to follow: of two at once the later one counts
let basket = null; // { id, sku, title, until }

// -- what the shop's server is asked

async function ask(method, path, body) {
  const options = { method };
  if (body !== undefined) {
    options.headers = { "Content-Type": "application/json" };
    options.body = JSON.stringify(body);
  }
  const answer = await fetch(path, options);
  const text = await answer.text();
  let told = {};
  try { told = JSON.parse(text); } catch { told = { title: text }; }
  if (!answer.ok) throw Object.assign(new Error(told.title || "The shop did not understand."), { status: answer.status });
  return told;
}

function say(text) {
  $(document, "#said").textContent = text;
}

// -- what is left

function isNewer(told, before) {
  if (!before || told.seq !== before.seq) return !before || told.seq > before.seq;
  return (told.locations_version || 0) >= (before.locations_version || 0);
}

function take(told) {
  const before = known.get(told.sku);
  const card = cards.get(told.sku);
  if (!card || !isNewer(told, before)) return;
  known.set(told.sku, told);
  const left = $(card, ".left");
  const units = Math.max(0, told.available);
  left.textContent = units === 0 ? "Sold out" : units === 1 ? "The last one" : `${units} left`;
  left.classList.toggle("out", units === 0);
  left.classList.toggle("low", units > 0 && units <= 3);
  $(card, ".hold").disabled = units === 0;
  if (before && before.available !== told.available) {
    left.classList.add("changed");
    requestAnimationFrame(() => requestAnimationFrame(() => left.classList.remove("changed")));
  }
}

async function readAll() {
  const answer = await fetch(`${holdfast}/v1/availability/query`, {
    method: "POST",
    headers: { "Authorization": `Bearer ${token.token}`, "Content-Type": "application/json" },
    body: JSON.stringify({ skus: [...cards.keys()] }),
  });
  if (!answer.ok) throw new Error(`availability: ${answer.status}`);
  const told = await answer.json();
  told.availability.forEach(take);
  // What has no stock record has never been there.
  told.unknown.forEach((sku) => take({ sku, available: 0, seq: 0 }));
}

function liveIs(on) {
  const live = $(document, "#live");
  live.classList.toggle("on", on);
  live.textContent = on ? "live" : "connecting …";
}

async function follow() {
  const turn = ++turns;
  if (stream) stream.close();
  try {
    const made = await ask("POST", "/api/token");
    if (turn !== turns) return;
    token = made;
    const query = new URLSearchParams({ access_token: token.token });
    if (lastId) query.set("after", lastId);
    stream = new EventSource(`${holdfast}/v1/changes?${query}`);
  } catch {
    if (turn === turns) again();
    return;
  }
  const mine = stream;
  const note = (event) => { if (event.lastEventId) lastId = event.lastEventId; };
  mine.addEventListener("open", async () => {
    // The stream is open first, so nothing that changes while all is read is missed; the greater seq is the newer one.
    try {
      await readAll();
      failures = 0;
      liveIs(true);
    } catch {
      if (mine === stream) again();
    }
  });
  mine.addEventListener("availability", (event) => { note(event); take(JSON.parse(event.data)); });
  mine.addEventListener("reset", (event) => { note(event); readAll().catch(again); });
  mine.addEventListener("closed", () => { if (mine === stream) again(); }); // such as when the token's time is over
  mine.addEventListener("error", () => {
    liveIs(false);
    // A browser comes back by itself where the connection was lost, but not from a refusal.
    if (mine.readyState === EventSource.CLOSED && mine === stream) again();
  });
  clearTimeout(follow.renewal);
  follow.renewal = setTimeout(follow, Math.max(RETRY_MS, new Date(token.expires_at) - Date.now() - RENEW_EARLY_MS));
}

function again() {
  liveIs(false);
  if (stream) stream.close();
  clearTimeout(follow.renewal);
  follow.renewal = setTimeout(follow, Math.min(RETRY_MAX_MS, RETRY_MS * 2 ** failures++) * (0.5 + Math.random() / 2));
}

// -- which stores have it

async function findStores(card, sku, place) {
  const list = $(card, ".stores");
  const query = new URLSearchParams({ lat: place.lat, lon: place.lon, limit: 5 });
  const answer = await fetch(`${holdfast}/v1/availability/${encodeURIComponent(sku)}/nearby?${query}`, {
    headers: { "Authorization": `Bearer ${token.token}` },
  });
  const told = answer.ok ? await answer.json() : { locations: [] };
  const stores = told.locations.filter((each) => each.kind === "store");
  list.replaceChildren(...stores.map((each) => {
    const row = document.createElement("li");
    const name = document.createElement("span");
    const units = document.createElement("span");
    name.textContent = `${each.location}, ${each.distance_km.toFixed(1)} km`;
    units.textContent = `${each.available} there`;
    row.append(name, units);
    return row;
  }));
  if (!stores.length) {
    const row = document.createElement("li");
    row.textContent = "No store has it now.";
    list.append(row);
  }
}

// -- holding, paying, letting go

async function hold(article, quantity) {
  if (basket) { say("Pay or let go of your basket first."); return; }
  const id = crypto.randomUUID();
  try {
    const told = await ask("PUT", `/api/baskets/${id}`, { sku: article.sku, quantity });
    basket = { id, quantity, title: article.title, until: new Date(told.expires_at) };
    say("");
    show();
  } catch (error) {
    say(error.message);
  }
}

async function end(method, path, done) {
  const mine = basket;
  try {
    await ask(method, `/api/baskets/${mine.id}${path}`);
    say(done);
  } catch (error) {
    if (!error.status || error.status >= 500) {
      say("Nobody knows yet whether that worked. Please press again: it counts once.");
      return;
    }
    say(error.message);
  }
  basket = null;
  show();
}

function show() {
  const box = $(document, "#basket");
  box.hidden = !basket;
  clearInterval(show.clock);
  if (!basket) { box.replaceChildren(); return; }
  box.replaceChildren($(document, "#held").content.cloneNode(true));
  $(box, ".what").textContent = `${basket.quantity} × ${basket.title}`;
  $(box, ".pay").addEventListener("click", () => end("POST", "/pay", "Thank you! It is yours."));
  $(box, ".let-go").addEventListener("click", () => end("DELETE", "", "Others can have it again."));
  const tick = () => {
    const left = Math.max(0, Math.ceil((basket.until - Date.now()) / 1000));
    $(box, ".time").textContent = left ? `for ${Math.floor(left / 60)}:${String(left % 60).padStart(2, "0")}` : "The time is over.";
    if (!left) { say("The time is over; others can have it again."); basket = null; show(); }
  };
  tick();
  if (basket) show.clock = setInterval(tick, 500);
}

// -- the page

function cardOf(article, places) {
  const card = $(document, "#article").content.cloneNode(true).firstElementChild;
  card.dataset.sku = article.sku;
  $(card, "path").setAttribute("d", PICTURES[article.picture]);
  $(card, "path").setAttribute("fill", article.colour);
  $(card, ".title").textContent = article.title;
  $(card, ".price").textContent = `€ ${article.price}`;
  $(card, ".left").textContent = "…";
  $(card, ".hold").disabled = true;
  $(card, ".hold").addEventListener("click", () => hold(article, Number($(card, ".quantity").value)));
  const choice = $(card, ".place");
  choice.append(...places.map((place, number) => new Option(place.name, number)));
  $(card, ".find").addEventListener("click", () => {
    findStores(card, article.sku, places[choice.value]).catch(() => say("The stores cannot be asked just now."));
  });
  return card;
}

const catalogue = await ask("GET", "/api/catalogue");
holdfast = catalogue.holdfast;
for (const article of catalogue.articles) {
  const card = cardOf(article, catalogue.places);
  cards.set(article.sku, card);
  $(document, "#articles").append(card);
}
follow();
