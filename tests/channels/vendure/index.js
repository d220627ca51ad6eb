// Runs a Vendure shop on 127.0.0.1 with a database in memory; its settings come from the environment.
//
// VENDURE_PORT; VENDURE_USER and VENDURE_PASSWORD of its first administrator; VENDURE_DATABASE, a file to begin with;
// VENDURE_SAVE, a file to write the database to at the end. It ends with SIGTERM, or when its standard input does: so
// it cannot outlive the process that started it.
'use strict';

const fs = require('node:fs');
const { bootstrap, dummyPaymentHandler, TransactionalConnection } = require('@vendure/core');

const { VENDURE_PORT, VENDURE_USER, VENDURE_PASSWORD, VENDURE_DATABASE, VENDURE_SAVE } = process.env;

async function main() {
  process.stdin.on('end', () => process.exit(0)).resume();
  const shop = await bootstrap({
    apiOptions: { hostname: '127.0.0.1', port: Number(VENDURE_PORT), adminApiPath: 'admin-api', shopApiPath: 'shop-api' },
    authOptions: {
      tokenMethod: ['bearer', 'api-key'],
      superadminCredentials: { identifier: VENDURE_USER, password: VENDURE_PASSWORD },
    },
    dbConnectionOptions: {
      type: 'sqljs',
      autoSave: false,
      synchronize: !VENDURE_DATABASE,
      database: VENDURE_DATABASE ? fs.readFileSync(VENDURE_DATABASE) : undefined,
    },
    paymentOptions: { paymentMethodHandlers: [dummyPaymentHandler] },
  });
  const end = () => {
    if (VENDURE_SAVE) {
      fs.writeFileSync(VENDURE_SAVE, shop.get(TransactionalConnection).rawConnection.driver.export());
    }
    process.exit(0);
  };
  process.on('SIGTERM', end);
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
