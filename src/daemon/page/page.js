/* The status page: asks the daemon every five seconds and shows what it says; the list of orders, which the database has to
   sort, every fifteen. Reads only; every text of the database becomes a text node, never markup. */
"use strict";

const EVERY_MS = 5000;
const LIST_MS = 15000;
const SVG = "http://www.w3.org/2000/svg";
const byId = id => document.getElementById(id);
let list = "oldest";
let seen = null; // the last summary
let orderShown = null;
let listedAt = 0;

/* --- making ------------------------------------------------------------------------------------------------- */

function make(name, attributes, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes || {})) {
    if (value === true) element.setAttribute(key, "");
    else if (value !== false && value != null) element.setAttribute(key, value);
  }
  element.append(...children.filter(child => child != null && child !== ""));
  return element;
}

function draw(name, attributes, text) {
  const element = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  if (text != null) element.textContent = text;
  return element;
}

function span(seconds) {
  if (seconds == null) return "–";
  const units = [[86400, "d"], [3600, "h"], [60, "min"], [1, "s"]];
  const [size, name] = units.find(([most]) => seconds >= most) || [1, "s"];
  const whole = Math.floor(seconds / size);
  const rest = size > 60 && whole < 3 ? Math.floor(seconds % size / (size === 86400 ? 3600 : 60)) : 0;
  return whole + " " + name + (rest ? " " + rest + (size === 86400 ? " h" : " min") : "");
}

const number = value => value == null ? "–" : Number(value).toLocaleString("en");
const percent = share => share == null ? "–" : (share * 100).toFixed(share > 0 && share < 0.1 ? 1 : 0) + " %";
const moment = text => new Date(text).toLocaleString(undefined, {dateStyle: "medium", timeStyle: "medium", hourCycle: "h23"});
const hour = text => new Date(text).toLocaleTimeString(undefined, {hour: "2-digit", minute: "2-digit", hourCycle: "h23"});

/* 1234567.89 -> 1,234,567.89; amounts are texts, no number of a program could hold them all. */
const grouped = amount => amount.replace(/^-?\d+/, whole => whole.replace(/\B(?=(\d{3})+$)/g, ","));

function amountsAdded(channels) {
  const sums = new Map();
  for (const channel of channels)
    for (const [currency, amount] of Object.entries(channel.at_risk)) {
      const places = (amount.text.split(".")[1] || "").length;
      const sum = sums.get(currency) || {units: 0n, places};
      sum.units += BigInt(amount.text.replace(".", ""));
      sums.set(currency, sum);
    }
  return [...sums].map(([currency, {units, places}]) => {
    const digits = units.toString().padStart(places + 1, "0");
    const cut = digits.length - places;
    return [grouped(digits.slice(0, cut) + (places ? "." + digits.slice(cut) : "")), currency];
  });
}

/* columns: [name, "text" or "", cell of a row, class of the cell]. */
function fill(table, columns, rows, none) {
  const head = make("tr", {}, ...columns.map(([name, kind]) => make("th", {class: kind, scope: "col"}, name)));
  const body = rows.map(row => make("tr", {}, ...columns.map(([name, kind, cell]) => {
    const content = cell(row);
    return make("td", {class: kind, "data-name": name}, ...(Array.isArray(content) ? content : [content]));
  })));
  if (rows.length === 0) body.push(make("tr", {}, make("td", {class: "none", colspan: columns.length}, none)));
  table.className = "cards";
  table.replaceChildren(make("thead", {}, head), make("tbody", {}, ...body));
}

const pill = ([word, kind]) => make("span", {class: "pill " + kind}, word);

/* --- the summary --------------------------------------------------------------------------------------------- */

const sum = (rows, key) => rows.reduce((all, row) => all + (row[key] || 0), 0);
const most = (rows, key) => rows.reduce((top, row) => row[key] != null && row[key] > top ? row[key] : top, -1);

function tile(name, value, small, kind) {
  return make("dl", {class: "tile " + (kind || "")}, make("dt", {}, name),
    make("dd", {}, make("b", {}, value), small ? make("small", {}, small) : null));
}

function tilesShow(channels) {
  const lately = channels.map(channel => channel.lately);
  const parked = channels.reduce((all, channel) => all + Object.values(channel.parked).reduce((a, b) => a + b, 0), 0);
  const more = channels.some(channel => channel.more) ? "at least " : "";
  const risk = amountsAdded(channels);
  const oldest = most(channels, "oldest_s");
  const late = most(channels, "late_s");
  const paid = sum(lately, "paid"), told = paid + sum(lately, "paid_by_shop");
  byId("tiles").replaceChildren(
    tile("Waiting", more + number(sum(channels, "waiting")), number(sum(channels, "due")) + " due, " + number(sum(channels, "in_flight")) + " asked now"),
    tile("Money at risk", risk.length ? risk[0][0] : "none", risk.map(([amount, currency], i) => (i ? amount + " " : "") + currency).join(", ")),
    tile("Parked", number(parked), parked ? "wait for a person" : "nobody has to decide", parked ? "warn" : ""),
    tile("Oldest waits", oldest < 0 ? "–" : span(oldest)),
    tile("Overdue", late > 0 ? span(late) : "no", late > 900 ? "nobody asks" : "", late > 900 ? "bad" : ""),
    tile("Settled, last hour", number(sum(lately, "ended")), told ? percent(paid / told) + " of payments found here" : ""));
}

/* The worst of what the living daemons say, and of what holds the channel back. */
function channelState(channel, instances) {
  const lanes = instances.filter(one => one.lives).map(one => (one.lanes || {})[channel.channel]).filter(Boolean);
  if (channel.paused) return ["paused" + (channel.paused.until ? " until " + hour(channel.paused.until) : ""), "warn"];
  if (!channel.known) return ["not configured", "bad"];
  if (lanes.some(lane => lane.doubted)) return ["halted, doubtful", "bad"];
  const held = lanes.find(lane => lane.held);
  if (held) return [held.held, "warn"];
  if (lanes.length === 0) return ["nobody asks", "bad"];
  if (lanes.some(lane => lane.breaker !== "closed")) return ["failing", "bad"];
  if (channel.lately.fault_share > 0.5) return ["many faults", "warn"];
  return ["works", "good"];
}

function parkedText(parked) {
  const reasons = Object.entries(parked).sort(([, one], [, other]) => other - one);
  if (reasons.length === 0) return "–";
  return [number(reasons.reduce((all, [, rows]) => all + rows, 0)),
    make("small", {}, reasons.map(([reason, rows]) => reason + " " + rows).join(", "))];
}

function channelsShow(overview) {
  fill(byId("channels"), [
    ["Channel", "text", channel => channel.channel || "(none)"],
    ["State", "text", channel => pill(channelState(channel, overview.instances))],
    ["Waiting", "", channel => (channel.more ? "≥ " : "") + number(channel.waiting)],
    ["Due", "", channel => number(channel.due)],
    ["Oldest", "", channel => span(channel.oldest_s)],
    ["At risk", "", channel => Object.entries(channel.at_risk).map(([currency, amount]) => grouped(amount.text) + " " + currency).join(", ") || "–"],
    ["Asked, 1 h", "", channel => number(channel.lately.queries)],
    ["Faults", "", channel => percent(channel.lately.fault_share)],
    ["Settled", "", channel => number(channel.lately.ended)],
    ["Parked", "", channel => parkedText(channel.parked)],
  ], overview.channels, "No channel was announced yet.");
}

function daemonsShow(overview) {
  fill(byId("daemons"), [
    ["Daemon", "text", one => one.instance],
    ["State", "text", one => pill(one.lives ? ["lives", "good"] : ["silent for " + span(one.seen_s), "warn"])],
    ["Version", "text", one => one.version],
    ["Started", "", one => moment(one.started_at)],
    ["Questions", "", one => number(Object.values(one.lanes || {}).reduce((all, lane) => all + (lane.queries || 0), 0))],
  ], overview.instances, "No daemon has said a word within a day.");
}

function stateShow(summary) {
  const overview = summary.overview;
  let state = ["ready", "good"], alarm = "";
  if (summary.unready) [state, alarm] = [["not ready", "bad"], "This daemon can not work: " + summary.unready + "."];
  else if (!overview) [state, alarm] = [["no figures", "warn"], "The database has told nothing for a while (or its schema is older than this page)."];
  else if (overview.halted) {
    state = ["halted", "bad"];
    alarm = "Everything is halted since " + moment(overview.halted.at) + (overview.halted.by ? " by " + overview.halted.by + ": " + overview.halted.note : "") + ".";
  }
  byId("state").textContent = state[0];
  byId("state").className = "pill " + state[1];
  byId("alarm").textContent = alarm;
  byId("alarm").hidden = !alarm;
  byId("updated").textContent = overview ? "figures of " + hour(overview.at) : "";
  byId("version").textContent = "makegood " + summary.version + ", " + summary.instance;
}

/* --- charts -------------------------------------------------------------------------------------------------- */

const DAY_MS = 86400000, BAR_MS = 900000;

function roundUp(value) {
  const size = 10 ** Math.floor(Math.log10(Math.max(value, 1)));
  return [1, 2, 5, 10].map(step => step * size).find(step => step >= value) || 1;
}

/* Axes of the last day; what the values become is drawn by `marks(x, y)`. */
function chart(svg, label, top, marks) {
  const width = svg.clientWidth || 600, height = 150, left = 44, foot = 18, end = Date.now();
  const x = at => left + (at - (end - DAY_MS)) / DAY_MS * (width - left - 4);
  const y = value => 6 + (1 - value / top) * (height - foot - 6);
  svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
  svg.setAttribute("role", "img");
  svg.setAttribute("aria-label", label);
  const parts = [];
  for (const share of [0, 0.5, 1]) {
    parts.push(draw("line", {class: "grid", x1: left, x2: width - 4, y1: y(top * share), y2: y(top * share)}));
    if (top * share % 1 === 0)
      parts.push(draw("text", {x: left - 6, y: y(top * share) + 4, "text-anchor": "end"}, number(top * share)));
  }
  const hours = width < 420 ? 6 : 3;
  const first = new Date(end - DAY_MS);
  first.setMinutes(0, 0, 0);
  for (let at = first.getTime(); at < end; at += 3600000)
    if (new Date(at).getHours() % hours === 0 && x(at) > left + 12 && x(at) < width - 16)
      parts.push(draw("text", {x: x(at), y: height - 3, "text-anchor": "middle"}, hour(at)));
  svg.replaceChildren(...parts, ...marks(x, y));
}

function waitingShow(slots) {
  const known = slots.filter(slot => slot.waiting != null);
  const last = known.length ? known[known.length - 1].waiting : null;
  const top = roundUp(Math.max(1, ...known.map(slot => slot.waiting)));
  byId("waiting-read").textContent = last == null ? "no figures yet" : number(last) + " at " + hour(known[known.length - 1].slot);
  chart(byId("waiting-chart"), `Orders that waited over the last day, at most ${top}, last ${last}`, top, (x, y) => {
    const points = known.map(slot => [x(Date.parse(slot.slot)), y(slot.waiting)]);
    if (points.length === 1) points.push([points[0][0] + 4, points[0][1]]);
    if (points.length === 0) return [];
    const path = points.map(([px, py]) => `${px.toFixed(1)},${py.toFixed(1)}`).join(" L");
    return [draw("path", {class: "area", d: `M${points[0][0].toFixed(1)},${y(0)} L${path} L${points[points.length - 1][0].toFixed(1)},${y(0)}Z`}),
      draw("path", {class: "line", d: "M" + path})];
  });
}

/* Slots of five minutes, three to a bar. */
function barsOf(slots) {
  const bars = new Map();
  for (const slot of slots) {
    const at = Math.floor(Date.parse(slot.slot) / BAR_MS) * BAR_MS;
    const bar = bars.get(at) || {at, ours: 0, shops: 0};
    bar.ours += slot.ended || 0;
    bar.shops += slot.paid_by_shop || 0;
    bars.set(at, bar);
  }
  return [...bars.values()].filter(bar => bar.ours + bar.shops > 0);
}

function endedShow(slots) {
  const bars = barsOf(slots);
  const top = roundUp(Math.max(1, ...bars.map(bar => bar.ours + bar.shops)));
  byId("ended-read").textContent = `${number(sum(bars, "ours"))} by makegood, ${number(sum(bars, "shops"))} by the shop`;
  chart(byId("ended-chart"), "Orders settled by makegood and by the shop over the last day, per 15 minutes", top, (x, y) =>
    bars.flatMap(({at, ours, shops}) => {
      const left = x(at), wide = Math.max(1, x(BAR_MS) - x(0) - 1);
      const spot = draw("rect", {class: "spot", x: left - 0.5, width: wide + 1, y: 0, height: y(0)});
      spot.append(draw("title", {}, `${hour(at)}: ${ours} by makegood, ${shops} by the shop`));
      return [draw("rect", {class: "ours", x: left, width: wide, y: y(ours), height: y(0) - y(ours)}),
        draw("rect", {class: "shops", x: left, width: wide, y: y(ours + shops), height: y(ours) - y(ours + shops)}), spot];
    }));
}

/* --- orders -------------------------------------------------------------------------------------------------- */

/* JSON, or an error; location.origin holds no password. */
async function ask(path) {
  const answer = await fetch(new URL(path, location.origin), {cache: "no-store", credentials: "same-origin"});
  if (!answer.ok) throw new Error((await answer.text()).trim() || "status " + answer.status);
  return answer.json();
}

function orderStateText(order) {
  if (order.state === "parked") return [order.reason, order.detail ? make("small", {}, order.detail) : null];
  const when = order.due_in_s == null ? "" : order.due_in_s > 0 ? "asked in " + span(order.due_in_s) : "due for " + span(-order.due_in_s);
  return [order.state, make("small", {}, order.state === "asked" ? "by " + order.claimed_by : when)];
}

function ordersShow(orders) {
  fill(byId("list"), [
    ["Order", "text", order => {
      const button = make("button", {class: "order", type: "button"}, order.order_no || "(none)");
      button.addEventListener("click", () => { location.hash = "order=" + encodeURIComponent(order.order_no); });
      return button;
    }],
    ["Channel", "text", order => order.channel || "(none)"],
    ["Amount", "", order => order.amount == null ? "–" : grouped(order.amount) + " " + (order.currency || "")],
    ["Age", "", order => span(order.age_s)],
    [list === "parked" ? "Reason" : "State", "text wrap", orderStateText],
    ["Answers", "", order => number(order.answers)],
    ["Errors", "", order => number(order.errors)],
  ], orders, list === "parked" ? "Nothing is parked." : "No order waits.");
}

async function listRefresh() {
  const wanted = list;
  if (Date.now() - listedAt < LIST_MS) return;
  listedAt = Date.now();
  try {
    const orders = await ask("/api/orders?list=" + wanted);
    if (wanted === list) ordersShow(orders);
    byId("locked").hidden = true;
  } catch (error) {
    listedAt = 0;
    byId("locked").hidden = false;
    byId("locked").textContent = "The list is old: " + error.message;
  }
}

function ordersRefresh(summary) {
  const shown = summary.orders === "shown" || location.pathname === "/orders";
  byId("orders").hidden = !shown;
  if (shown) return listRefresh();
  byId("locked").hidden = false;
  if (summary.orders === "password")
    byId("locked").replaceChildren("Single orders are behind a password. ", make("a", {href: "/orders"}, "Show them"));
  else
    byId("locked").textContent = "Single orders are shown behind a password (page_password_file in the configuration), or on a Unix socket.";
}

function historyEntry(entry) {
  const operator = entry.kind === "operator";
  const ends = !operator && ["paid", "closed", "refunded"].includes(entry.verdict) && ["applied", "already"].includes(entry.outcome);
  const kind = operator || entry.verdict === "park" ? "warn" : ends ? "good" : entry.authentic === false && entry.asked ? "bad" : "";
  const title = operator ? entry.action + " by " + entry.who : entry.evidence + " → " + entry.verdict + (entry.reason ? " (" + entry.reason + ")" : "");
  const facts = operator ? [entry.note, entry.detail] : [
    "rule " + entry.rule, entry.outcome !== "applied" ? entry.outcome : "", entry.code, entry.http_status ? "HTTP " + entry.http_status : "",
    entry.amount ? entry.amount + " " + (entry.currency || "") : "", entry.status_before !== entry.status_after && entry.status_after ? entry.status_before + " → " + entry.status_after : "",
    entry.latency_ms ? entry.latency_ms + " ms" : "", entry.detail];
  return make("li", {class: kind}, make("b", {}, title), make("small", {}, " " + moment(entry.at)), make("br"),
    make("small", {}, [entry.channel, ...facts].filter(Boolean).join(" · ")), entry.asked ? make("br") : null, entry.asked ? make("small", {}, entry.asked) : null);
}

function attemptText(attempt) {
  return make("p", {class: "card"}, make("b", {}, attempt.channel + " " + (attempt.number || "")), " ",
    attempt.amount == null ? "" : grouped(attempt.amount) + " " + attempt.currency + ", ", ...orderStateText(attempt).filter(Boolean));
}

const orderWanted = () => new URLSearchParams(location.hash.slice(1)).get("order");

async function orderShow() {
  const wanted = orderWanted();
  const dialog = byId("order");
  if (!wanted) return dialog.close();
  orderShown = wanted;
  byId("order-title").textContent = "Order " + wanted;
  const query = "?order_no=" + encodeURIComponent(wanted);
  try {
    const [open, history] = await Promise.all([ask("/api/explain" + query), ask("/api/history" + query)]);
    if (orderShown !== wanted) return;
    byId("order-open").replaceChildren(...open.map(attemptText));
    byId("order-history").replaceChildren(...history.map(historyEntry));
    if (open.length + history.length === 0) byId("order-open").replaceChildren(make("p", {class: "card"}, "Nothing is known of it."));
  } catch (error) {
    byId("order-open").replaceChildren(make("p", {class: "alarm"}, error.message));
    byId("order-history").replaceChildren();
  }
  if (!dialog.open) dialog.showModal();
}

/* --- the turn ------------------------------------------------------------------------------------------------ */

function summaryShow(summary) {
  seen = summary;
  stateShow(summary);
  if (summary.overview) {
    tilesShow(summary.overview.channels);
    channelsShow(summary.overview);
    daemonsShow(summary.overview);
  }
  chartsShow();
}

function chartsShow() {
  if (!seen) return;
  waitingShow(seen.over_time || []);
  endedShow(seen.over_time || []);
}

async function refresh() {
  try {
    const summary = await ask("/api/summary");
    summaryShow(summary);
    await ordersRefresh(summary);
  } catch (error) {
    byId("state").textContent = "no connection";
    byId("state").className = "pill bad";
    byId("alarm").textContent = "The daemon does not answer (" + error.message + "). What is shown is old.";
    byId("alarm").hidden = false;
  }
}

function tabChoose(button) {
  list = button.dataset.list;
  listedAt = 0;
  for (const tab of document.querySelectorAll("[role=tab]")) tab.setAttribute("aria-selected", String(tab === button));
  refresh();
}

for (const tab of document.querySelectorAll("[role=tab]")) tab.addEventListener("click", () => tabChoose(tab));
byId("find").addEventListener("submit", event => {
  event.preventDefault();
  location.hash = "order=" + encodeURIComponent(byId("order-no").value.trim());
});
byId("order-close").addEventListener("click", () => byId("order").close());
byId("order").addEventListener("close", () => { if (orderWanted() === orderShown) history.replaceState(null, "", location.pathname); });
addEventListener("hashchange", orderShow);
addEventListener("resize", chartsShow);
document.addEventListener("visibilitychange", () => { if (!document.hidden) refresh(); });
setInterval(() => { if (!document.hidden) refresh(); }, EVERY_MS);
refresh().then(() => { if (location.hash) orderShow(); });
