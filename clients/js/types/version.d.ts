/** The version: that of the API for which the types were written. */
export const version: "0.2.0-dev.0";
