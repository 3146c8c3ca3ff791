/** All workflows of the tests. */
export * from './workflows/activities';
export * from './workflows/cancellation';
export * from './workflows/chains';
export * from './workflows/children';
export * from './workflows/counter';
export * from './workflows/metadata';
export * from './workflows/nexus';
export * from './workflows/time';
export * from './workflows/visibility';
