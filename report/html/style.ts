/** The look of the report: light and dark by the reader's setting, and on paper. */
export const STYLE = `
:root { color-scheme: light dark; --ink: #1b1b1f; --soft: #5d5d66; --paper: #fff; --panel: #f6f6f8; --rule: #d9d9df; }
@media (prefers-color-scheme: dark) { :root { --ink: #e8e8ec; --soft: #a3a3ad; --paper: #16161a; --panel: #1f1f25; --rule: #393941; } }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 2rem 1.5rem 4rem; max-width: 90rem; background: var(--paper); color: var(--ink); font: 15px/1.5 system-ui, sans-serif; }
h1 { margin: 0; font-size: 1.7rem; }
h2 { margin: 2.5rem 0 .75rem; font-size: 1.2rem; border-bottom: 1px solid var(--rule); padding-bottom: .25rem; }
h3 { margin: 1.5rem 0 .25rem; font-size: 1.05rem; }
h4 { margin: 0 0 .25rem; font-size: 1rem; }
figcaption h3 { margin: 0 0 .25rem; font-size: 1rem; }
.soft { color: var(--soft); }
p, li { max-width: 52rem; }
dl.facts { display: grid; grid-template-columns: max-content 1fr; gap: .15rem 1.25rem; margin: 1rem 0; }
dl.facts dt { color: var(--soft); }
dl.facts dd { margin: 0; overflow-wrap: anywhere; }
code, pre { font: 13px/1.45 ui-monospace, monospace; }
pre { background: var(--panel); padding: 1rem; overflow-x: auto; border-radius: 6px; }
nav ul { display: flex; flex-wrap: wrap; gap: .25rem 1.25rem; padding: 0; margin: 1rem 0 0; list-style: none; }
section > figure { margin: 1rem 0 1.25rem; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
caption { text-align: left; color: var(--soft); padding-bottom: .35rem; }
th, td { padding: .25rem .75rem .25rem 0; text-align: left; vertical-align: top; }
th { font-weight: 600; }
tbody th { font-weight: normal; }
thead th { border-bottom: 1px solid var(--rule); vertical-align: bottom; }
.number { text-align: right; }
td, tbody th { white-space: nowrap; }
.figures { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, var(--figure)), 1fr)); gap: 1.25rem; }
figure { margin: 0; padding: .9rem 1rem; background: var(--panel); border-radius: 8px; min-width: 0; }
figure svg { display: block; }
figure details { font-size: 13px; margin-top: .35rem; }
figure details table { margin: .5rem 0; }
figcaption p { margin: 0 0 .35rem; color: var(--soft); font-size: 13px; }
summary { cursor: pointer; color: var(--soft); }
@media (max-width: 600px) {
  dl.facts { grid-template-columns: minmax(5.5rem, 26%) 1fr; }
  figure svg { max-width: 100%; height: auto; }
  caption { max-width: calc(100vw - 4rem); white-space: normal; }
}
@media print {
  :root { color-scheme: light; --ink: #000; --soft: #444; --paper: #fff; --panel: #fff; --rule: #bbb; }
  body { padding: 0; max-width: none; font-size: 11px; }
  * { print-color-adjust: exact; -webkit-print-color-adjust: exact; }
  .figures { grid-template-columns: repeat(auto-fill, minmax(min(100%, calc(var(--figure) * .75)), 1fr)); gap: .5rem; }
  figure { break-inside: avoid; border: 1px solid var(--rule); padding: .5rem .6rem; }
  h2, h3, h4 { break-after: avoid; }
  code { font-size: inherit; }
  /* A figure of many panels or arms stays on one page. */
  figure svg { max-width: 100%; height: auto; max-height: 225mm; }
  figcaption p { font-size: 9px; }
  .scroll { overflow: visible; }
  pre { white-space: pre-wrap; overflow-wrap: anywhere; }
  th, td { padding: .2rem .4rem .2rem 0; }
  tbody th, #run td { white-space: normal; }
  table.wide { page: wide; font-size: 7.5px; }
  table.wide :is(th, td) { padding: .1rem .2rem .1rem 0; }
  details, nav { display: none; }
  /* What was run is printed, open or not. */
  :is(#run, #spec) details { display: block; }
  :is(#run, #spec) details::details-content { content-visibility: visible; block-size: auto; }
  summary { list-style: none; }
  tr { break-inside: avoid; }
  thead, tbody tr:first-child { break-after: avoid; }
}
@page wide { size: landscape; }
/* A figure keeps its colours: words on cells of a heat map are chosen to be read on them. */
@media (forced-colors: active) {
  figure svg { forced-color-adjust: preserve-parent-color; }
  figure svg text { forced-color-adjust: none; }
}
`;
