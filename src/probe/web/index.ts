/** A probe as a page for the browser. */
export { exportSite, type WebExportOptions, type WrittenSite, writeSite } from './site.js';
