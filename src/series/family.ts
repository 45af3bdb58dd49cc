// The family number under which series keep segments and WAL sections in the engine. The engine knows
// owners by number only; 2 is the key-value store.
export const FAMILY_SERIES = 1

/** The owner number of record files that are series catalogs; the manifest's is 1. */
export const CATALOG_OWNER = 2
