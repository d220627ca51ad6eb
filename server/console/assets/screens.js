// The screens, in the order of the menu. `name` is the module in screens/, its file in texts/*/, its place in the
// address, and `frame.menu.NAME` its title. `needs`: a key with any of these scopes is shown it (admin has all but
// metrics). It hides; the API decides. See README.md.

export const SCREENS = [
  { name: "today", needs: ["read"], load: () => import("./screens/today.js") },
  { name: "product", needs: ["read"], load: () => import("./screens/product.js") },
  { name: "orders", needs: ["read"], load: () => import("./screens/orders.js") },
  { name: "files", needs: ["stock"], load: () => import("./screens/files.js") },
  { name: "channels", needs: ["read"], load: () => import("./screens/channels.js") },
  { name: "count", needs: ["stock"], load: () => import("./screens/count.js") },
];
