/** The style sheet of a report; no external resources, readable on a phone and on paper. */
export const STYLE = `
:root { --ink: #1c2430; --muted: #5b6675; --line: #e1e5eb; --soft: #f5f7f9; --accent: #0072b2; --alarm: #d55e00; }
* { box-sizing: border-box; }
body { margin: 0; background: #fff; color: var(--ink);
  font: 16px/1.5 Inter, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif; }
main { max-width: 1200px; margin: 0 auto; padding: 48px 24px 32px; }
h1 { margin: 0 0 4px; font-size: 34px; line-height: 1.2; letter-spacing: -0.01em; overflow-wrap: anywhere; }
h2 { margin: 48px 0 16px; font-size: 20px; }
.lead { margin: 0; color: var(--muted); overflow-wrap: anywhere; }
.figures { display: grid; grid-template-columns: repeat(auto-fit, minmax(150px, 1fr)); gap: 12px; margin: 28px 0 0; padding: 0; }
.figures div { background: var(--soft); border-radius: 10px; padding: 16px 18px; }
.figures dt { color: var(--muted); font-size: 13px; }
.figures dd { margin: 2px 0 0; font-size: 28px; font-weight: 650; font-variant-numeric: tabular-nums; line-height: 1.2; }
.figures small { display: block; color: var(--muted); font-size: 12px; font-weight: 400; }
.scroll { overflow-x: auto; border: 1px solid var(--line); border-radius: 10px; }
table { border-collapse: collapse; width: 100%; font-size: 14px; }
th, td { padding: 10px 14px; text-align: left; vertical-align: top; border-bottom: 1px solid var(--line); }
tbody tr:last-child th, tbody tr:last-child td { border-bottom: 0; }
thead th { background: var(--soft); color: var(--muted); font-size: 12px; font-weight: 600; white-space: nowrap; }
tbody th { font-weight: 600; min-width: 130px; overflow-wrap: anywhere; }
.number { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
.type { display: inline-block; padding: 1px 9px; border-radius: 99px; background: #e4eff6; color: #00507d; font-size: 12px; }
.missing { color: var(--alarm); font-weight: 600; }
.none { color: var(--muted); }
.values { min-width: 260px; }
.values span { display: inline-block; margin-right: 14px; overflow-wrap: anywhere; }
.values b { font-weight: 500; }
.values i { color: var(--muted); font-style: normal; }
figure { margin: 0 0 24px; border: 1px solid var(--line); border-radius: 10px; overflow: hidden; }
figure img { display: block; width: 100%; height: auto; }
.note { border-left: 4px solid var(--accent); background: var(--soft); border-radius: 0 10px 10px 0; padding: 14px 18px; }
.note p { margin: 0; overflow-wrap: anywhere; }
footer { margin-top: 48px; padding-top: 20px; border-top: 1px solid var(--line); color: var(--muted); font-size: 13px; }
footer h2 { margin: 0 0 8px; color: var(--ink); font-size: 15px; }
footer table { font-size: 12px; }
footer th, footer td { padding: 6px 14px 6px 0; }
code { font: 12px/1.4 ui-monospace, "SF Mono", Menlo, Consolas, monospace; overflow-wrap: anywhere; }
@media (max-width: 640px) {
  main { padding: 28px 16px; } h1 { font-size: 26px; } figure { overflow-x: auto; } figure img { min-width: 720px; }
}
@media print {
  @page { margin: 14mm; }
  body { font-size: 11pt; } main { padding: 0; max-width: none; } h2 { break-after: avoid; }
  footer code { font-size: 7.5pt; }
  figure, tr, .figures div, .note { break-inside: avoid; } .scroll, figure { overflow: visible; }
  * { -webkit-print-color-adjust: exact; print-color-adjust: exact; }
}
`;
