import Charts

extension ReportPage {
  /// No font, picture or script: nothing that would have to be fetched.
  static let style: Markup = """
    :root{--page:#fff;--ink:#20252a;--quiet:#5a646d;--line:#d9dde1;--soft:#f4f6f8;\
    --good:#00694d;--bad:#b04600;--prelude:#0072b2;--core:#b04600;--coda:#00694d}
    @media screen and (prefers-color-scheme:dark){:root{--page:#15181c;--ink:#e3e6e9;\
    --quiet:#a0a9b2;--line:#343a41;--soft:#1e2328;--good:#2cc796;--bad:#f08a3c;\
    --prelude:#56b4e9;--core:#f08a3c;--coda:#2cc796}}
    *{box-sizing:border-box}
    body{margin:0;background:var(--page);color:var(--ink);\
    font:16px/1.5 system-ui,sans-serif;overflow-wrap:anywhere}
    main,footer{max-width:76rem;margin:0 auto;padding:1rem}
    h1{font-size:1.6rem;line-height:1.2;margin:.5rem 0}
    h2{font-size:1.25rem;margin:2rem 0 .75rem;padding-top:1rem;border-top:1px solid var(--line)}
    h3{font-size:1rem;margin:1rem 0 .5rem}
    header p{max-width:48rem;margin:.5rem 0}
    footer,.quiet{color:var(--quiet);font-size:.875rem}
    code,pre{font:.85rem/1.5 ui-monospace,monospace}
    code span{display:inline-block;max-width:100%}
    pre{background:var(--soft);padding:.75rem;overflow-x:auto;overflow-wrap:normal}
    summary{cursor:pointer;padding:.25rem 0}
    .good{color:var(--good)}.bad{color:var(--bad)}
    .columns{display:grid;gap:1rem 2rem;\
    grid-template-columns:repeat(auto-fit,minmax(min(100%,26rem),1fr))}
    .charts{display:grid;gap:1rem 2rem;margin:1rem 0;\
    grid-template-columns:repeat(auto-fill,minmax(min(100%,26rem),1fr))}
    figure{margin:0;break-inside:avoid}
    figure>svg{display:block;width:100%;height:auto}
    .scroll{overflow-x:auto;max-width:100%}
    table{border-collapse:collapse;font-size:.9rem;overflow-wrap:normal}
    td,th{padding:.25rem 1rem .25rem 0;border-bottom:1px solid var(--line);text-align:right;\
    font-variant-numeric:tabular-nums;font-weight:normal;vertical-align:top}
    td{white-space:nowrap}
    th:first-child{text-align:left}
    thead th{color:var(--quiet)}
    dl{display:grid;grid-template-columns:minmax(7rem,max-content) minmax(0,1fr);gap:.25rem 1rem;\
    margin:0;font-size:.9rem}
    dt{color:var(--quiet)}
    dd{margin:0}
    .verbatim{white-space:pre-wrap}
    dd ul,dd ol{margin:0;padding-left:1.2rem}
    .map{display:flex;flex-wrap:wrap;gap:.75rem;align-items:stretch}
    .part{border:2px solid var(--line);border-radius:.5rem;padding:.5rem .75rem}
    .part p{margin:0 0 .25rem}
    .part span{color:var(--quiet);font-size:.875rem}
    .part ol{display:flex;flex-wrap:wrap;gap:.25rem;margin:0;padding:0;list-style:none}
    .part li{min-width:2rem;padding:.15rem .3rem;text-align:center;border-radius:.25rem;\
    background:var(--soft);font-size:.875rem}
    .prelude{border-color:var(--prelude)}.prelude b{color:var(--prelude)}
    .core{border-color:var(--core);border-style:double;border-width:4px}.core b{color:var(--core)}
    .coda{border-color:var(--coda)}.coda b{color:var(--coda)}
    .dropped{border-style:dashed}.dropped li{text-decoration:line-through}
    @media (max-width:30rem){dl{grid-template-columns:minmax(0,1fr);gap:0}dd{margin:0 0 .4rem}\
    td,th{padding-right:.75rem}}
    @media print{main,footer{max-width:none;padding:0}body{font-size:10pt}\
    .charts,.columns{grid-template-columns:1fr 1fr}\
    details::details-content{content-visibility:visible;height:auto}\
    pre{white-space:pre-wrap;columns:2}\
    h2,h3,.quiet{break-after:avoid}tr,.part,dl{break-inside:avoid}}
    """
}
