/** The console's style: system fonts, light and dark by the system's setting, one column. */
export const consoleStyle = `
:root {
  color-scheme: light dark;
  --ink: #1b1f24; --quiet: #59636e; --ground: #fbfbfa; --card: #ffffff; --line: #d3d8de;
  --accent: #1f5fbf; --on-accent: #ffffff; --bar: #e7ebf0; --bad: #a40e26;
}
@media (prefers-color-scheme: dark) {
  :root {
    --ink: #e6e9ed; --quiet: #9aa5b1; --ground: #14171a; --card: #1c2025; --line: #3a424b;
    --accent: #7fb0ff; --on-accent: #0d1726; --bar: #2b323a; --bad: #ff8f9c;
  }
}
* { box-sizing: border-box; }
body {
  margin: 0 auto; max-width: 44rem; padding: 1.5rem 1rem 3rem;
  font: 1rem/1.5 system-ui, sans-serif; color: var(--ink); background: var(--ground);
}
h1 { font-size: 1.5rem; margin: 0; }
h2 { font-size: 1.1rem; margin: 0 0 .5rem; overflow-wrap: anywhere; }
p { margin: 0 0 1rem; }
.quiet { color: var(--quiet); font-size: .9rem; }
.card {
  background: var(--card); border: 1px solid var(--line); border-radius: .6rem;
  padding: 1rem; margin-top: 1rem;
}
label { display: block; font-weight: 600; margin-bottom: .25rem; }
select, textarea, input, button { font: inherit; color: inherit; }
select, textarea, input {
  width: 100%; padding: .5rem .6rem; margin-bottom: .9rem; background: var(--ground);
  border: 1px solid var(--line); border-radius: .4rem;
}
textarea { min-height: 9rem; resize: vertical; }
button {
  border: 0; border-radius: .4rem; padding: .55rem 1.2rem; font-weight: 600; cursor: pointer;
  background: var(--accent); color: var(--on-accent);
}
button:disabled { opacity: .55; cursor: default; }
:focus-visible { outline: 3px solid var(--accent); outline-offset: 2px; }
.row { display: flex; align-items: center; gap: .75rem; flex-wrap: wrap; }
.scores { list-style: none; margin: 0; padding: 0; }
.scores li {
  display: grid; grid-template-columns: minmax(6rem, 12rem) 1fr 4.6rem; gap: .75rem;
  align-items: center; padding: .2rem 0; overflow-wrap: anywhere;
}
.scores li:first-child { font-weight: 600; }
.marked { white-space: pre-wrap; overflow-wrap: anywhere; }
mark { background: var(--bar); color: inherit; border-radius: .3rem; padding: .1rem .25rem; }
mark small { color: var(--accent); font-weight: 600; }
.track { height: .7rem; border-radius: .35rem; background: var(--bar); overflow: hidden; }
.fill { height: 100%; background: var(--accent); }
.percent { text-align: right; white-space: nowrap; font-variant-numeric: tabular-nums; }
.bad { color: var(--bad); overflow-wrap: anywhere; }
[hidden] { display: none !important; }
@media (max-width: 30rem) {
  .scores li { grid-template-columns: 1fr auto; row-gap: .2rem; }
  .track { grid-row: 2; grid-column: 1 / -1; }
}
`;
