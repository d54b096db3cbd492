"""How the drift page looks: one style sheet, light or dark as the reader's screen is."""

from __future__ import annotations

STYLE = """
:root{--ink:#1b1f24;--soft:#57606a;--faint:#d8dee4;--paper:#fff;--panel:#f6f8fa;--before:#afb8c1;
--after:#0969da;--up:#bc4c00;--down:#1a7f64;--alarm:#b42318;--alarm-paper:#fdecea;--calm:#1a7f37;
--calm-paper:#e7f6ea}
@media (prefers-color-scheme:dark){:root{--ink:#e6edf3;--soft:#9198a1;--faint:#30363d;--paper:#0d1117;
--panel:#161b22;--before:#6e7681;--after:#4493f8;--up:#f0883e;--down:#3fb99b;--alarm:#ff7b72;
--alarm-paper:#3c1618;--calm:#56d364;--calm-paper:#12261a}}
*{box-sizing:border-box}
body{font:15px/1.5 system-ui,sans-serif;color:var(--ink);background:var(--paper);max-width:70rem;
margin:0 auto;padding:1.6rem 1.2rem 4rem}
h1{font-size:1.6rem;line-height:1.2;margin:0 0 .2rem}
h2{font-size:1.15rem;margin:2.4rem 0 .3rem;padding-top:.9rem;border-top:1px solid var(--faint)}
h3{font-size:1rem;margin:1.3rem 0 .3rem}
p{margin:.35rem 0;max-width:56rem}.soft{color:var(--soft)}small{font-size:.83rem}
.mark{display:inline-block;padding:.08rem .6rem;border-radius:1rem;font-size:.85rem;font-weight:600}
.alarm{color:var(--alarm);background:var(--alarm-paper)}.calm{color:var(--calm);background:var(--calm-paper)}
.cards{display:grid;grid-template-columns:repeat(auto-fit,minmax(13rem,1fr));gap:.7rem;margin:1.1rem 0}
.card{background:var(--panel);border:1px solid var(--faint);border-radius:.5rem;padding:.7rem .9rem}
.card.bad{border-left:4px solid var(--alarm)}.card b{display:block;font-size:1.35rem;line-height:1.3}
.card span{color:var(--soft);font-size:.83rem;display:block}
table{border-collapse:collapse;width:100%;font-variant-numeric:tabular-nums}
th{color:var(--soft);font-size:.8rem;font-weight:600;text-align:left;padding:.3rem .6rem;
border-bottom:1px solid var(--faint)}
td{padding:.35rem .6rem;border-bottom:1px solid var(--faint);vertical-align:middle}
td.number,th.number{text-align:right;white-space:nowrap}td.name{font-weight:600;overflow-wrap:anywhere;max-width:15rem}
td small{color:var(--soft);font-weight:400;display:block}
.key{display:inline-block;width:.8rem;height:.8rem;border-radius:.15rem;margin:0 .3rem -.08rem .8rem}
.key.before{background:var(--before)}.key.after{background:var(--after)}
.key.up{background:var(--up)}.key.down{background:var(--down)}
details{margin:.6rem 0}summary{cursor:pointer;color:var(--soft)}
svg{display:block;max-width:100%;height:auto}svg text{fill:var(--ink);font-size:12px}
svg .soft{fill:var(--soft)}svg .before{fill:var(--before)}svg .after{fill:var(--after);fill-opacity:.82}
svg .up{fill:var(--up)}svg .down{fill:var(--down)}svg .rest{fill:var(--before)}
svg .axis{stroke:var(--faint)}svg .zero{stroke:var(--soft)}svg .sure{stroke:var(--ink);stroke-width:1.3}
svg .link{stroke:var(--faint);stroke-dasharray:2 2}svg .limit{stroke:var(--ink);stroke-dasharray:3 2}
svg .bar{fill:var(--soft)}svg .bad{fill:var(--alarm)}
a{color:var(--after)}
"""
