// A Medusa shop on its own database; what it is told comes from the environment: DATABASE_URL, MEDUSA_SECRET.
const { defineConfig } = require('@medusajs/framework/utils');

const here = 'http://127.0.0.1';
const secret = process.env.MEDUSA_SECRET;

module.exports = defineConfig({
  admin: { disable: true },
  projectConfig: {
    databaseUrl: process.env.DATABASE_URL,
    databaseDriverOptions: { ssl: false },
    http: { storeCors: here, adminCors: here, authCors: here, jwtSecret: secret, cookieSecret: secret },
  },
});
