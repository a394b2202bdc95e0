/** The library as the server gives it out beside refresh.js. */
export * from 'idiomorph';
