// Which changes the lists of Today may be about, so that they are not read again for each sale of anything.

const has = (rows, changes) => rows.some((row) => changes.has(row.sku));

/** Whether there is a place with so many units, or may be: of a SKU at very many places they are not told. */
function somewhere(changes, fits) {
  for (const { locations } of changes.values()) {
    if (!locations || locations.some(({ available }) => fits(available))) return true;
  }
  return false;
}

/** Only where nothing is available can units be lacking. */
export const lacking = (changes, { shortages }) => has(shortages, changes) || somewhere(changes, (units) => units <= 0);

export const soldOut = (changes, { skus }) =>
  has(skus, changes) || [...changes.values()].some(({ available }) => available <= 0);

/** The rules are the server's: it tells up to how many units anything is low. */
export const low = (changes, { skus, low_up_to: most = Infinity }) =>
  has(skus, changes) || somewhere(changes, (units) => units > 0 && units <= most);
