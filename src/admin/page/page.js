// The status page: asks for /v1/status and /v1/history, and shows what it is told.
//
// It only reads. Whatever it is told goes into text nodes and attributes, never into markup, since
// much of it was chosen by strangers. Nodes are kept as long as what they stand for, so that a
// selection or the focus survives the next answer.
"use strict";

const status_every_ms = 1000;
const history_every_ms = 10000;
const answer_within_ms = 4000;
const hour_ms = 3600000;
const no_limit_ms = 365 * 24 * hour_ms;  // a limit that is off is told as one in centuries

const by_id = (id) => document.getElementById(id);

// ---- Words -------------------------------------------------------------------------------------

// As the command `status` says it: "250 ms", "12.3 s", "4 min 5 s", "3 h 12 min", "2 d 7 h".
function span(ms) {
  const s = Math.floor(ms / 1000);
  if (s < 1) return `${Math.round(ms)} ms`;
  if (s < 60) return `${s}.${Math.floor((ms % 1000) / 100)} s`;
  if (s < 3600) return `${Math.floor(s / 60)} min ${s % 60} s`;
  if (s < 86400) return `${Math.floor(s / 3600)} h ${Math.floor((s % 3600) / 60)} min`;
  return `${Math.floor(s / 86400)} d ${Math.floor((s % 86400) / 3600)} h`;
}

// "512 KiB", "54 MiB", "1.2 GiB".
function size(bytes) {
  if (bytes < 2 ** 20) return `${Math.floor(bytes / 2 ** 10)} KiB`;
  if (bytes < 2 ** 30) return `${Math.floor(bytes / 2 ** 20)} MiB`;
  return `${(Math.floor((bytes / 2 ** 30) * 10) / 10).toFixed(1)} GiB`;
}

const or_dash = (value, words) => (value === null || value === undefined ? "–" : words(value));
const count = (n) => n.toLocaleString("en-GB");
const clients = (n) => (n === 1 ? "1 client" : `${count(n)} clients`);

const day_form = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short" });
const clock_form = new Intl.DateTimeFormat("en-GB", { timeStyle: "medium" });
const minute_form = new Intl.DateTimeFormat("en-GB", { timeStyle: "short" });

const clock = (ms) => clock_form.format(ms);

// With the day, where that is not the one of `now`.
function moment(ms, now) {
  const day = day_form.format(ms);
  return day === day_form.format(now) ? clock(ms) : `${day}, ${clock(ms)}`;
}

function zone_in_words() {
  const offset = -new Date().getTimezoneOffset();
  const two = (n) => String(Math.floor(n)).padStart(2, "0");
  const sign = offset < 0 ? "−" : "+";
  const name = Intl.DateTimeFormat().resolvedOptions().timeZone;
  return `${name} (UTC${sign}${two(Math.abs(offset) / 60)}:${two(Math.abs(offset) % 60)})`;
}

const reasons = {
  max_jobs: "it had served as many jobs as it may",
  max_age: "it was as old as it may become",
  schedule: "a line of the schedule came due",
  requested: "an operator asked for it",
  reload: "what it is made of has changed in the configuration",
  memory_soft_limit: "it used more memory than it should, and no job ran",
  memory_hard_limit: "it used more memory than it may",
  idle: "nobody had come for long; the next client starts it again",
  fresh_profile: "a fresh profile was made, and it wants to be started again",
  session_timeout: "a client was inside for too long",
  release_timeout: "the client had left, and it did not close its side",
  died: "it exited although nobody had asked for it",
  unresponsive: "several probes in a row had no answer",
  not_free: "after a session it did not answer in time",
  start_timeout: "it never answered after its start",
  leftovers: "what clients had opened and left behind was still open",
  unreachable: "it had answered, but could not be connected to",
  hook_failed: "it could not be made ready for its next client",
  shutdown: "the supervisor ends",
};
const planned = new Set(["max_jobs", "max_age", "schedule", "requested", "reload",
                         "memory_soft_limit", "idle", "fresh_profile", "shutdown"]);

// A newer supervisor may have reasons that this page has no words for.
const because = (reason) => (reasons[reason] ? `${reason}: ${reasons[reason]}` : reason);

// ---- The document ------------------------------------------------------------------------------

// Untouched if it says so already: a screen reader would speak again, and a selection be lost.
function say(node, text) {
  if (node.textContent !== String(text)) node.textContent = text;
  return node;
}

function set(node, attributes) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null) node.removeAttribute(name);
    else if (node.getAttribute(name) !== String(value)) node.setAttribute(name, value);
  }
  return node;
}

function make(name, attributes = {}, ...children) {
  const node = set(document.createElement(name), attributes);
  node.append(...children);
  return node;
}

function draw(name, attributes = {}, ...children) {
  const node = set(document.createElementNS("http://www.w3.org/2000/svg", name), attributes);
  node.append(...children);
  return node;
}

// The children of `parent` become one for each item, in this order.
function keyed(parent, items, key_of, create, update) {
  const old = new Map([...parent.children].map((node) => [node.dataset.key, node]));
  const keys = items.map((item) => String(key_of(item)));
  const kept = new Set(keys);
  old.forEach((node, key) => kept.has(key) || node.remove());
  items.forEach((item, i) => {
    const node = old.get(keys[i]) ?? create(item);
    node.dataset.key = keys[i];
    update(node, item);
    if (parent.children[i] !== node) parent.insertBefore(node, parent.children[i] ?? null);
  });
}

// columns: {head, of: item => text, kind: classes, is_code}. The first names the row; a phone shows
// the head before each cell.
function fill_table(table, columns, items, key_of, mark = () => "") {
  const new_row = () => make("tr", { role: "row" });
  const name_of = (column) => column.head;
  const head_of = ({ head, kind = "" }) =>
    make("th", { scope: "col", role: "columnheader", class: kind }, head);
  const cell_of = ({ head, kind = "" }) => (head === columns[0].head
    ? make("th", { scope: "row", role: "rowheader", class: kind, "data-label": head })
    : make("td", { role: "cell", class: kind, "data-label": head }));
  table.classList.toggle("empty", items.length === 0);
  keyed(table.tHead, ["heads"], String, new_row, (row) =>
    keyed(row, columns, name_of, head_of, () => {}));
  keyed(table.tBodies[0], items, key_of, new_row, (row, item) => {
    set(row, { class: mark(item) });
    keyed(row, columns, name_of, cell_of, (node, column) => {
      const text = column.of(item);
      say(column.is_code && text ? code_in(node) : node, text);
    });
  });
}

function code_in(node) {
  if (!node.firstElementChild) node.replaceChildren(make("code"));
  return node.firstElementChild;
}

// Where a phone shows rows as cards, their display hides from a screen reader that they are a
// table's: their roles are written out.
function name_roles(table) {
  set(table, { role: "table" });
  for (const group of [table.tHead, ...table.tBodies]) set(group, { role: "rowgroup" });
}

// ---- Asking ------------------------------------------------------------------------------------

async function ask(path) {
  const abort = new AbortController();
  const timer = setTimeout(() => abort.abort(), answer_within_ms);
  try {
    const reply = await fetch(path, { signal: abort.signal, cache: "no-store" });
    if (!reply.ok) throw new Error(`it answered ${path} with ${reply.status}`);
    return await reply.json();
  } catch (error) {
    if (abort.signal.aborted) throw new Error(`nothing came within ${span(answer_within_ms)}`);
    if (error instanceof TypeError) throw new Error("it cannot be reached");
    if (error instanceof SyntaxError) throw new Error(`what came for ${path} is no JSON`);
    throw error;
  } finally {
    clearTimeout(timer);
  }
}

// One question at a time, the next so long after the last was answered; none while nobody looks.
class Poll {
  constructor(path, every_ms, took, failed) {
    Object.assign(this, { path, every_ms, took, failed, timer: null, is_asking: false });
    document.addEventListener("visibilitychange", () => this.now());
  }

  now() {
    clearTimeout(this.timer);
    if (!this.is_asking && !document.hidden) this.run();
  }

  async run() {
    this.is_asking = true;
    try {
      this.show(await ask(this.path));
    } catch (error) {
      this.failed(error);
    }
    this.is_asking = false;
    if (!document.hidden) this.timer = setTimeout(() => this.now(), this.every_ms);
  }

  // What this page cannot show is as bad as no answer, and no reason to stop asking.
  show(answer) {
    try {
      this.took(answer);
    } catch (error) {
      console.error(error);
      throw new Error(`what came cannot be shown (${error.message})`);
    }
  }
}

// ---- State -------------------------------------------------------------------------------------

const ring = "M12 2.5a9.5 9.5 0 1 0 0 19a9.5 9.5 0 1 0 0-19";
const signs = {
  serving: ["good", `${ring}M7.5 12.5l3 3l6-6.5`],
  starting: ["rest", `${ring}M12 7v5l3.5 2`],
  asleep: ["rest", "M20.5 14.5A9 9 0 1 1 9.5 3.5a7.2 7.2 0 0 0 11 11Z"],
  paused: ["warn", "M8 4v16M16 4v16"],
  full: ["bad", "M3 5h18M3 10h18M3 15h18M3 20h18"],
  failing: ["bad", "M12 3L22 20.5H2ZM12 10v5M12 17.7v.2"],
  draining: ["warn", "M12 3v11M7 9.5l5 5l5-5M3 20h18"],
  closing: ["warn", "M12 3v8M6.5 6.5a8 8 0 1 0 11 0"],
  "no answer": ["bad", `${ring}M8.5 8.5l7 7M15.5 8.5l-7 7`],
};

function show_state(word, why, title) {
  const [kind, shape] = signs[word] ?? ["", ring];
  set(by_id("state"), { class: kind });
  set(by_id("state-shape"), { d: shape });
  say(by_id("state-word"), word);
  say(by_id("state-why"), why);
  document.title = `${title} · tcplock-supervisor`;
}

const name_of_place = (place) =>
  place.instance !== null ? `instance ${place.instance}`
  : place.was_instance !== null ? `was instance ${place.was_instance}` : "standby";

// In the middle of a sentence, one that has been replaced is "what was instance 0".
const in_words = (place) => name_of_place(place).replace(/^was /, "what was ");

const place_of = (status, session) =>
  status.places.find((place) => place.generation === session.generation);

function where(status, session, name = name_of_place) {
  const place = place_of(status, session);
  return place ? name(place) : `generation ${session.generation}`;
}

function limit_in_words(session) {
  const ms = session.limit_in_ms;
  if (ms === null) return "it is being ended";
  if (session.state === "leaving") return `has left, to be let go in ${span(ms)}`;
  return ms > no_limit_ms ? "no limit" : `cut in ${span(ms)}`;
}

const longest_inside = (status) =>
  status.sessions.reduce((most, one) => (most?.inside_ms >= one.inside_ms ? most : one), null);

function waiting_in_words({ waiting, oldest_wait_ms }) {
  if (waiting === 0) return "Nobody waits.";
  const who = waiting === 1 ? "1 client waits" : `${clients(waiting)} wait`;
  return `${who}, the first for ${or_dash(oldest_wait_ms, span)}.`;
}

const probes = (number) => (number === 1 ? "1 probe" : `${count(number)} probes`);

// Before it is found to be hung: each is given some tries.
function silence_in_words(status) {
  const silent = status.places.find((place) => place.instance !== null && place.missed_probes > 0);
  if (!silent) return "";
  return ` Instance ${silent.instance} does not answer: ${probes(silent.missed_probes)} missed.`;
}

function holder_in_words(status) {
  const one = longest_inside(status);
  const waiting = waiting_in_words(status.line) + silence_in_words(status);
  if (!one) return `Nobody is inside. ${waiting}`;
  const since = clock(status.now_ms - one.inside_ms);
  const who = `client ${one.client} (${one.peer ?? "address unknown"})`;
  const what = `in ${where(status, one, in_words)} since ${since}, for ${span(one.inside_ms)}; ` +
               `${limit_in_words(one)}. ${waiting}`;
  return status.sessions.length === 1
    ? `C${who.slice(1)} holds the line: ${what}`
    : `${clients(status.sessions.length)} are inside; the longest is ${who}, ${what}`;
}

function recycle_in_words(status) {
  const one = status.recycles[0];
  if (!one) return "Nothing has been recycled since it started.";
  const at = Date.parse(one.at);
  return `Last recycle: ${recycled(one)} at ${moment(at, status.now_ms)}, ` +
         `${span(Math.max(0, status.now_ms - at))} ago. ${because(one.reason)}.`;
}

const recycled = (one) => (one.instance === "standby" ? "a standby" : `instance ${one.instance}`);

// ---- Figures, clients, instances, recycles, commands -------------------------------------------

const sum = (numbers) => numbers.reduce((all, one) => all + one, 0);

function show_figures(status) {
  const line = status.line;
  const counts = status.counts;
  const slots = sum(status.places.filter((p) => p.instance !== null).map((p) => p.slots));
  const memory = sum(status.places.map((place) => place.memory_bytes ?? 0));
  const figures = [
    ["Waiting", count(line.waiting), `of ${count(line.limit)} who may`],
    ["First in line", or_dash(line.oldest_wait_ms, span),
      line.paused_for_ms === null ? "has waited" : `paused for ${span(line.paused_for_ms)}`],
    ["Inside", count(status.sessions.length), `of ${count(slots)} who may`],
    ["Memory", memory ? size(memory) : "–", "of all that lives"],
    ["Let in", count(counts.admitted), `of ${count(counts.accepted)} who came`],
    ["Refused", count(counts.refused), "turned away"],
    ["Left", count(counts.left), "gave up waiting"],
    ["Up", span(status.up_ms), `since ${moment(Date.parse(status.started), status.now_ms)}`],
  ];
  keyed(by_id("figures"), figures, (one) => one[0],
    () => make("div", {}, make("dt"), make("dd"), make("dd", { class: "small" })),
    (node, texts) => texts.forEach((text, i) => say(node.children[i], text)));
}

function state_of_client(client) {
  if (client.state !== "inside") return client.state === "cut" ? "cut, being ended" : client.state;
  if (!client.has_job) return "inside, has sent nothing";
  return client.is_idle ? "inside, silent" : "inside";
}

function show_clients(status) {
  const since = (ms) => `${span(ms)}, since ${clock(status.now_ms - ms)}`;
  const is_inside = (client) => client.inside_ms !== undefined;
  const if_inside = (words) => (client) => (is_inside(client) ? words(client) : "");
  const columns = [
    { head: "Client", kind: "keep", of: (client) => client.client },
    { head: "State", of: state_of_client },
    { head: "From", kind: "foreign", of: (client) => client.peer ?? "–" },
    { head: "Waited", kind: "keep", of: (client) => span(client.waited_ms) },
    { head: "Inside", kind: "keep", of: if_inside((client) => since(client.inside_ms)) },
    { head: "Limit", of: if_inside(limit_in_words) },
    { head: "Where", of: if_inside((client) => where(status, client)) },
    { head: "To end it", is_code: true, kind: "long keep",
      of: (client) => `tcplock-supervisor cut ${client.client}` },
  ];
  const all = [...status.sessions, ...status.line.first];
  fill_table(by_id("clients"), columns, all, (client) => client.client,
             if_inside(() => "is-inside"));
  const more = status.line.waiting - status.line.first.length;
  say(by_id("more-wait"),
      more > 0 ? `… and ${count(more)} more wait. All of them: tcplock-supervisor clients`
      : all.length === 0 ? "Nobody is inside, and nobody waits." : "");
}

// The instances by their numbers, then those that stand by or are on their way out.
const in_order = (places) => [...places].sort((a, b) =>
  (a.instance ?? Infinity) - (b.instance ?? Infinity) || a.place - b.place || 0);

function remark_on(place) {
  const lives = place.phase !== "vacant";
  if (lives && place.due) return `ends: ${because(place.due)}`;
  if (place.missed_probes > 0) return `no answer, ${probes(place.missed_probes)} missed`;
  if (lives && place.planned) return `waits for its turn to end: ${because(place.planned)}`;
  if (place.next_start_in_ms !== null) {
    return `next start in ${span(place.next_start_in_ms)}, failed ${place.failed_starts} in a row`;
  }
  return place.is_unproven ? "must answer before the next client" : "";
}

function show_instances(status) {
  const recycle = (place) => `tcplock-supervisor recycle ${place.instance ?? place.was_instance}`;
  const columns = [
    { head: "Backend", kind: "keep", of: name_of_place },
    { head: "Phase", kind: "keep", of: (place) => place.phase },
    { head: "Generation", kind: "number", of: (place) => place.generation },
    { head: "Inside", kind: "number", of: (place) => `${place.inside} of ${place.slots}` },
    { head: "Jobs", kind: "number", of: (place) => count(place.jobs) },
    { head: "Age", kind: "number", of: (place) => or_dash(place.age_ms, span) },
    { head: "Memory", kind: "number", of: (place) => or_dash(place.memory_bytes, size) },
    { head: "Process", kind: "number", of: (place) => or_dash(place.pid, String) },
    { head: "Address", kind: "foreign", of: (place) => place.address ?? "–" },
    { head: "Remark", of: remark_on },
    { head: "To recycle it", is_code: true, kind: "long keep",
      of: (place) => (name_of_place(place) === "standby" ? "" : recycle(place)) },
  ];
  fill_table(by_id("instances"), columns, in_order(status.places), (place) => place.place);
}

function show_recycles(status) {
  const columns = [
    { head: "At", kind: "keep", of: (one) => moment(Date.parse(one.at), status.now_ms) },
    { head: "Backend", kind: "keep", of: (one) => recycled(one).replace("a standby", "standby") },
    { head: "Why", kind: "long", of: (one) => because(one.reason) },
    { head: "Generation", kind: "number", of: (one) => one.generation },
    { head: "Jobs", kind: "number", of: (one) => count(one.jobs) },
    { head: "Age", kind: "number", of: (one) => span(one.age_ms) },
    { head: "Memory", kind: "number", of: (one) => or_dash(one.memory_bytes, size) },
  ];
  fill_table(by_id("recycles"), columns, status.recycles, (one) => one.generation);
  say(by_id("no-recycles"), status.recycles.length ? "" : recycle_in_words(status));
}

function show_commands(status) {
  const commands = [];
  const add = (words, what) => commands.push([`tcplock-supervisor ${words}`, what]);
  const one = longest_inside(status);
  const busy = one && place_of(status, one);
  const instance = busy?.instance ?? busy?.was_instance ?? 0;
  const is_paused = status.line.paused_for_ms !== null;
  if (is_paused) add("resume", "Lets clients in again, in their order.");
  if (one) add(`cut ${one.client}`, `Ends client ${one.client}, which is inside longest.`);
  if (status.instances > 0) {
    add(`recycle ${instance}`, "A fresh one for it, after the running job.");
    add(`recycle ${instance} --now`, "The same at once: who is inside is cut.");
  }
  if (!is_paused) add("pause", "Nobody is let in; those who wait keep their place.");
  add("drain", "Accepts nobody, serves who waits, then ends.");
  add("status --watch", "This page in a terminal.");
  keyed(by_id("commands"), commands, (entry) => entry[0],
    ([words]) => make("div", {}, make("dt", {}, make("code", {}, words)), make("dd")),
    (node, [, what]) => say(node.lastChild, what));
}

// ---- The line as a picture ---------------------------------------------------------------------

const dots_max = 120;

function bar_of({ inside_ms, limit_in_ms }) {
  const whole = Math.max(1, inside_ms + (limit_in_ms ?? 0));
  const share = limit_in_ms > no_limit_ms ? 0 : inside_ms / whole;
  return [share, share > 0.8 ? "spent late" : "spent"];
}

function show_inside(node, session) {
  const [share, kind] = bar_of(session);
  say(node.firstChild, `client ${session.client}, ${span(session.inside_ms)}`);
  set(node.lastChild.lastChild, { width: `${(share * 100).toFixed(1)}%`, class: kind });
}

function new_inside() {
  const bar = draw("svg", { "aria-hidden": "true" },
                   draw("rect", { class: "spent-ground", width: "100%", height: 4 }),
                   draw("rect", { height: 4, width: 0 }));
  return make("div", { class: "inside" }, make("span"), bar);
}

function free_words(place) {
  if (place.next_start_in_ms !== null) return `next start in ${span(place.next_start_in_ms)}`;
  if (place.phase !== "ready") return place.phase;
  if (place.due || place.planned) return "takes nobody";
  return place.is_unproven ? "must answer first" : "free";
}

function show_door(node, { place, sessions }) {
  const [name, inside, free] = node.children;
  say(name, name_of_place(place));
  keyed(inside, sessions, (one) => one.client, new_inside, show_inside);
  const left = place.slots - sessions.length;
  say(free, sessions.length === 0 ? free_words(place) : left > 0 ? `${left} more may come in` : "");
  node.classList.toggle("busy", sessions.length > 0);
  node.classList.toggle("out", place.instance === null);
}

function show_waiting(line) {
  const dots = Math.min(line.waiting - line.first.length, dots_max);
  const rest = line.waiting - line.first.length - dots;
  const chips = line.first.map((one, i) =>
    ({ key: one.client, text: `${one.client} · ${span(one.waited_ms)}`,
       kind: i === 0 ? "chip head" : "chip" }));
  for (let i = 0; i < dots; ++i) chips.push({ key: `dot ${i}`, text: "", kind: "dot" });
  const remark = (text) => ({ key: text, text, kind: "remark" });
  if (rest > 0) chips.push(remark(`and ${count(rest)} more`));
  if (line.paused_for_ms !== null) chips.unshift(remark("paused: nobody is let in"));
  if (line.waiting === 0) chips.push(remark("nobody waits"));
  keyed(by_id("waiting"), chips, (one) => one.key, () => make("span"), (node, one) =>
    set(say(node, one.text), { class: one.kind }));
}

function show_line(status) {
  const doors = in_order(status.places).map((place) =>
    ({ place, sessions: status.sessions.filter((one) => one.generation === place.generation) }));
  keyed(by_id("doors"), doors, (door) => door.place.place,
    () => make("div", { class: "door" }, make("div", { class: "door-name" }), make("div"),
               make("div", { class: "door-name" })),
    show_door);
  show_waiting(status.line);
  set(by_id("line"), { "aria-label": `Picture of the line. ${holder_in_words(status)}` });
}

// ---- Charts ------------------------------------------------------------------------------------

const plot_height = 132;
const foot = 18;
const gutter = 52;
const headroom = 10;
const margin = 14;  // for what is written at the end of a line

const powers = (factors, base, from, to) =>
  Array.from({ length: to - from }, (_, i) => factors.map((f) => f * base ** (from + i))).flat();
const count_steps = powers([1, 2, 5], 10, 0, 6);
const time_steps = [0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600,
                    900, 1800, 3600, 7200, 14400, 43200, 86400].map((s) => s * 1000);
const size_steps = powers([1], 2, 20, 45);

// A few round numbers from 0 up to at least `top`.
function ticks(top, steps, most = 4) {
  const step = steps.find((one) => top / one <= most) ?? top;
  return Array.from({ length: Math.max(1, Math.ceil(top / step)) + 1 }, (_, i) => i * step);
}

// A round time needs no second unit.
const short_span = (ms) =>
  (ms === 0 ? "0" : span(ms).replace(/\.0 s$/, " s").replace(/ 0 (s|min|h)$/, ""));
const short_size = (bytes) => (bytes === 0 ? "0" : size(bytes).replace(".0 ", " "));

const last_of = (values) => values[values.length - 1];
const most_of = (values) => values.reduce((most, one) => Math.max(most, one ?? 0), 0);

// From the interval's number to the minute it begins in, and the sums of each.
function by_minute(history) {
  const minutes = new Map();
  history.admitted.forEach((_, i) => {
    const at = Math.floor(history.at(i) / 60000) * 60000;
    const one = minutes.get(at) ?? { at, admitted: 0, refused: 0, left: 0 };
    for (const what of ["admitted", "refused", "left"]) one[what] += history[what][i];
    minutes.set(at, one);
  });
  return [...minutes.values()];
}

// The picture's scales: x from the time of day, y from the value.
function scales(history, width, tops) {
  const [low, high] = [tops[0], tops[tops.length - 1]];
  const bottom = plot_height - foot;
  const from = history.now_ms - hour_ms;
  const share = (ms) => Math.min(1, Math.max(0, (ms - from) / hour_ms));
  const x = (ms) => gutter + share(ms) * (width - gutter - margin);
  const y = (value) => bottom - ((value - low) / (high - low)) * (bottom - headroom);
  const left = (i) => x(history.at(i));
  const right = (i) => left(i + 1);
  return { x, y, from, width, bottom, base: y(0), end: width - margin, left, right };
}

const px = (number) => number.toFixed(1);

// Flat over each interval, with a gap where there is no value.
function steps_path(plot, values) {
  let is_open = false;
  return values.map((value, i) => {
    const begin = is_open ? "V" : `M${px(plot.left(i))} `;
    is_open = value !== null;
    return is_open ? `${begin}${px(plot.y(value))}H${px(plot.right(i))}` : "";
  }).join("");
}

const area_path = (plot, values) =>
  `M${px(plot.left(0))} ${px(plot.base)}${steps_path(plot, values).replace(/^M\S+ /, "V")}` +
  `V${px(plot.base)}Z`;

// From one value to the other, where both are.
const range_path = (plot, lows, highs) => lows.map((low, i) => {
  const x = (plot.left(i) + plot.right(i)) / 2;
  return low === null ? "" : `M${px(x)} ${px(plot.y(low) + 0.5)}V${px(plot.y(highs[i]))}`;
}).join("");

function bars_path(plot, minutes, from_of, to_of) {
  return minutes.filter((one) => from_of(one) !== to_of(one)).map((one) => {
    const [left, right] = [plot.x(one.at) + 0.5, plot.x(one.at + 60000) - 0.5];
    const [from, to] = [px(plot.y(from_of(one))), px(plot.y(to_of(one)))];
    return right <= left ? "" : `M${px(left)} ${from}V${to}H${px(right)}V${from}Z`;
  }).join("");
}

const rule = (kind, x1, x2, y1, y2) => draw("line", { class: kind, x1, x2, y1, y2 });
const written = (anchor, x, y, text) => draw("text", { x, y, "text-anchor": anchor }, text);

function time_axis(plot) {
  const every = plot.width < 380 ? 20 : 10;
  const out = [rule("axis", gutter, plot.end, plot.base, plot.base)];
  const first = Math.ceil(plot.from / (every * 60000)) * every * 60000;
  for (let at = first; at <= plot.from + hour_ms; at += every * 60000) {
    const x = px(plot.x(at));
    out.push(rule("axis", x, x, plot.bottom, plot.bottom + 3));
    if (plot.x(at) > gutter + 12 && plot.x(at) < plot.width - 10) {
      out.push(written("middle", x, plot.bottom + 15, minute_form.format(at)));
    }
  }
  return out;
}

function value_axis(plot, values, words) {
  return values.flatMap((value) => {
    const y = plot.y(value);
    return [rule("grid", gutter, plot.end, px(y), px(y)),
            written("end", gutter - 6, px(y + 4), words(Math.abs(value)))];
  });
}

function before_begin(plot, history) {
  const width = plot.left(0) - gutter;
  if (width < 2) return [];
  const height = plot.bottom - headroom;
  const out = [draw("rect", { class: "before", x: gutter, y: headroom, width, height })];
  if (width > 150) {
    const text = `no figures before ${clock(history.at(0))}`;
    out.push(written("middle", gutter + width / 2, (headroom + plot.base) / 2, text));
  }
  return out;
}

const line_of = (d, kind) => draw("path", { d, class: `line ${kind}` });

// So that lines are told from each other by more than their colour.
function name_at_the_end(plot, name, values) {
  const value = last_of(values);
  return value === null ? [] : [written("start", plot.end + 4, px(plot.y(value) + 4), name)];
}

// How the most is told, and when it was.
function most_in_words(history, values, words) {
  const most = most_of(values);
  if (most === 0) return "none";
  return `at most ${words(most)}, at ${clock(history.at(values.indexOf(most)))}`;
}

const series = (i) => `s${i % 4}`;
const key_of_line = (kind) => draw("path", { class: `line ${kind}`, d: "M0 5H16" });
const key_of_box = (kind) => draw("path", { class: kind, d: "M2 0H14V10H2Z" });
const key_of_mark = (kind, d) => draw("path", { class: kind, d, transform: "translate(8 5)" });
const shape_planned = "M0 -5L5 0L0 5L-5 0Z";
const shape_trouble = "M0 -5.5L5.5 4.5H-5.5Z";

// Each chart: its title, the numbers on its axis, what is drawn, what its legend says of one
// interval, the same in words, and the columns of its table.
const charts = [
  {
    id: "waiting",
    title: "In the line",
    axis: (h) => [ticks(Math.max(4, most_of(h.waiting)), count_steps), count],
    is_empty: (h) => most_of(h.waiting) === 0 && "nobody waited",
    paint: (plot, h) => [
      draw("path", { class: "area", d: area_path(plot, h.waiting) }),
      line_of(steps_path(plot, h.waiting), "s0"),
    ],
    legend: (h, i) => [[key_of_line("s0"), "waiting at once", count(h.waiting[i])]],
    words: (h) => `Clients in the line: ${count(last_of(h.waiting))} at the end, ` +
                  `${most_in_words(h, h.waiting, count)}.`,
    columns: [["Waiting at once", (h, i) => count(h.waiting[i])]],
  },
  {
    id: "admitted",
    title: "Let in, by the minute",
    axis(h) {
      const minutes = by_minute(h);
      const up = most_of(minutes.map((one) => one.admitted));
      const down = most_of(minutes.map((one) => one.refused + one.left));
      const step = ticks(Math.max(4, up, down), count_steps, 3)[1];
      const below = Math.ceil(down / step);
      const length = below + Math.max(1, Math.ceil(up / step)) + 1;
      return [Array.from({ length }, (_, i) => (i - below) * step), count];
    },
    is_empty: (h) => sum([...h.admitted, ...h.refused, ...h.left]) === 0 && "nobody came",
    paint(plot, h) {
      const bars = (kind, from, to) =>
        draw("path", { class: kind, d: bars_path(plot, by_minute(h), from, to) });
      return [
        bars("bar", () => 0, (minute) => minute.admitted),
        bars("bar refused", () => 0, (minute) => -minute.refused),
        bars("bar left", (minute) => -minute.refused, (minute) => -minute.refused - minute.left),
      ];
    },
    legend(h, i) {
      const at = Math.floor(h.at(i) / 60000) * 60000;
      const one = by_minute(h).find((minute) => minute.at === at);
      return [[key_of_box("bar"), "let in", count(one.admitted)],
              [key_of_box("bar refused"), "refused", count(one.refused)],
              [key_of_box("bar left"), "left the line", count(one.left)]];
    },
    words: (h) => `Clients in this hour: ${count(sum(h.admitted))} let in, ` +
                  `${count(sum(h.refused))} refused, ${count(sum(h.left))} left the line.`,
    columns: [["Let in", (h, i) => count(h.admitted[i])],
              ["Refused", (h, i) => count(h.refused[i])],
              ["Left", (h, i) => count(h.left[i])]],
  },
  {
    id: "waits",
    title: "How long they waited",
    axis(h) {
      const most = Math.max(100, most_of(h.wait_max_ms), most_of(h.oldest_wait_ms));
      return [ticks(most, time_steps), short_span];
    },
    is_empty: (h) => most_of(h.wait_max_ms) + most_of(h.oldest_wait_ms) === 0 && "nobody waited",
    paint: (plot, h) => [
      draw("path", { class: "range", d: range_path(plot, h.wait_median_ms, h.wait_max_ms),
                     "stroke-width": px(Math.max(1, plot.right(0) - plot.left(0))) }),
      line_of(steps_path(plot, h.oldest_wait_ms.map((ms) => ms || null)), "head-line"),
      line_of(steps_path(plot, h.wait_median_ms), "s0"),
    ],
    legend: (h, i) => [[key_of_line("s0"), "median", or_dash(h.wait_median_ms[i], span)],
                       [key_of_box("area"), "longest", or_dash(h.wait_max_ms[i], span)],
                       [key_of_line("head-line"), "first in line", span(h.oldest_wait_ms[i])]],
    words: (h) => `Waits of those let in: ${most_in_words(h, h.wait_max_ms, span)}. ` +
                  `The first in line had waited ${most_in_words(h, h.oldest_wait_ms, span)}.`,
    columns: [["Median", (h, i) => or_dash(h.wait_median_ms[i], span)],
              ["Longest", (h, i) => or_dash(h.wait_max_ms[i], span)],
              ["First in line", (h, i) => span(h.oldest_wait_ms[i])]],
  },
  {
    id: "memory",
    title: "Memory and recycles",
    axis(h) {
      const at_the_end = h.recycles.map((one) => one.memory_bytes);
      const all = [2 ** 22, ...Object.values(h.memory_bytes).flat(), ...at_the_end];
      return [ticks(most_of(all), size_steps), short_size];
    },
    is_empty: (h) => most_of(Object.values(h.memory_bytes).flat()) === 0 && "nothing lived",
    paint: (plot, h) => Object.entries(h.memory_bytes).flatMap(([name, values], i) =>
      [line_of(steps_path(plot, values), series(i)), ...name_at_the_end(plot, name, values)]),
    legend: (h, i) => [
      ...Object.entries(h.memory_bytes).map(([name, values], n) =>
        [key_of_line(series(n)), `instance ${name}`, or_dash(values[i], size)]),
      [key_of_mark("planned", shape_planned), "recycled as planned", ""],
      [key_of_mark("trouble", shape_trouble), "after trouble", ""]],
    words: (h) => Object.entries(h.memory_bytes).map(([name, values]) =>
      `Memory of instance ${name}: ${most_in_words(h, values, size)}.`).join(" ") +
      ` Recycles in this hour: ${count(h.recycles.length)}.`,
    columns: (h) => Object.keys(h.memory_bytes).map((name) =>
      [`Instance ${name}`, (of, i) => or_dash(of.memory_bytes[name]?.[i], size)]),
  },
];

function build_chart(chart) {
  const caption = `${chart.title}: the intervals in which something was, the newest first`;
  const table = make("table", {}, make("caption", {}, caption), make("thead"), make("tbody"));
  const scroll = make("div", { class: "scroll", role: "region", tabindex: 0,
                               "aria-label": `${chart.title}, the figures` }, table);
  const details = make("details", {}, make("summary", {}, `${chart.title}, as a table`), scroll);
  details.addEventListener("toggle", () => show_chart_table(chart));
  const title = make("h3", {}, chart.title);
  const when = make("span", { class: "when" });
  const legend = make("ul", { class: "legend" });
  const picture = draw("svg", { role: "img", class: "picture", height: plot_height });
  const marks = draw("svg", { role: "group", class: "marks", height: plot_height });
  const plot = make("div", { class: "plot" }, picture);
  if (chart.id === "memory") plot.append(marks);
  const figure = make("figure", { id: `chart-${chart.id}` },
                      make("figcaption", {}, title, when, legend), plot, details);
  Object.assign(chart, { figure, picture, marks, plot, legend_list: legend, when, table, details });
  plot.addEventListener("pointermove", (event) => look_at(chart, event));
  plot.addEventListener("pointerleave", look_at_the_end);
  return figure;
}

let hour = null;
let looked_at = null;  // the number of the interval under the pointer

function said_so(nothing, width) {
  const is_whole = hour.at(0) <= hour.now_ms - hour_ms + hour.every_ms;
  const text = `${nothing} ${is_whole ? "in this hour" : `since ${clock(hour.at(0))}`}`;
  return written("middle", (gutter + width) / 2, plot_height / 2 - foot, text);
}

function show_chart(chart) {
  const width = chart.plot.clientWidth;
  if (!hour || width === 0) return;
  const [values, words] = chart.axis(hour);
  const scale = scales(hour, width, values);
  const nothing = chart.is_empty(hour);
  chart.scale = scale;
  chart.cross = rule("cross", 0, 0, headroom, scale.bottom);
  set(chart.picture, { viewBox: `0 0 ${width} ${plot_height}`,
                       "aria-label": `${chart.words(hour)} The figures are in a table below.` });
  const paper = before_begin(scale, hour);
  chart.picture.replaceChildren(
    ...(nothing ? paper.slice(0, 1) : paper), ...value_axis(scale, values, words),
    ...time_axis(scale), ...(nothing ? [said_so(nothing, width)] : chart.paint(scale, hour)),
    chart.cross);
  if (chart.id === "memory") show_marks(chart);
  show_legend(chart);
  show_chart_table(chart);
}

function show_legend(chart) {
  const last = hour.waiting.length - 1;
  const i = looked_at === null || looked_at > last ? last : looked_at;
  say(chart.when, `at ${clock(i === last ? hour.now_ms : hour.at(i))}`);
  keyed(chart.legend_list, chart.legend(hour, i), (one) => one[1],
    ([key, words]) => make("li", {},
      draw("svg", { viewBox: "0 -1 16 12", "aria-hidden": "true" }, key), `${words} `, make("b")),
    (node, [, , value]) => say(node.lastChild, value));
  const x = px((chart.scale.left(i) + chart.scale.right(i)) / 2);
  set(chart.cross, { x1: x, x2: x, visibility: i === last ? "hidden" : "visible" });
}

// Three hundred rows are made only for those who look.
function show_chart_table(chart) {
  if (!chart.details.open || !hour) return;
  const values = typeof chart.columns === "function" ? chart.columns(hour) : chart.columns;
  const figures = values.map(([head, of]) => ({ head, kind: "number", of: (i) => of(hour, i) }));
  const columns = [{ head: "From", kind: "keep", of: (i) => clock(hour.at(i)) }, ...figures];
  const said = (i) => values.some(([, of]) => !["0", "–", "0 ms"].includes(of(hour, i)));
  const rows = hour.waiting.map((_, i) => i).filter(said).reverse();
  fill_table(chart.table, columns, rows, (i) => hour.at(i));
}

function time_under(chart, event) {
  const box = chart.plot.getBoundingClientRect();
  const share = (event.clientX - box.left - gutter) / (box.width - gutter - margin);
  return hour.now_ms - hour_ms + Math.min(1, Math.max(0, share)) * hour_ms;
}

// A browser also tells of a pointer that has not moved, when something has moved below it: what was
// dismissed would come back.
function look_at(chart, event) {
  const place = `${event.clientX} ${event.clientY}`;
  if (!hour || place === chart.pointer) return;
  chart.pointer = place;
  const i = Math.floor((time_under(chart, event) - hour.at(0)) / hour.every_ms);
  looked_at = i < 0 ? null : Math.min(i, hour.waiting.length - 1);
  charts.forEach(show_legend);
  if (chart.id === "memory") show_tip_near(chart, event);
}

function look_at_the_end() {
  looked_at = null;
  hide_tip();
  if (hour) charts.forEach(show_legend);
}

// ---- The recycles in the memory chart ----------------------------------------------------------

const near_px = 9;
const told_at_once = 4;
const marks_with_drops = 60;

const mark_words = (one) =>
  `${clock(Date.parse(one.at))}, ${recycled(one)}, generation ${one.generation}: ` +
  `${because(one.reason)}. ` +
  `${one.jobs === 1 ? "1 job" : `${count(one.jobs)} jobs`}, ${span(one.age_ms)} old` +
  (one.memory_bytes === null ? "." : `, ${size(one.memory_bytes)}.`);

// One stop for the Tab key, however many there are: the newest, until somebody is at another one. The
// arrow keys go from one to the next.
function show_marks(chart) {
  const shown = hour.recycles.filter((one) => Date.parse(one.at) >= chart.scale.from);
  const at = document.activeElement;
  const focused = chart.marks.contains(at) ? at.dataset.key : undefined;
  const stop = shown.some((one) => String(one.generation) === focused) ? focused
             : String(shown[shown.length - 1]?.generation);
  set(chart.marks, { class: shown.length > marks_with_drops ? "marks many" : "marks",
                     viewBox: `0 0 ${chart.scale.width} ${plot_height}`,
                     "aria-label": "Recycles; the arrow keys go from one to the next" });
  keyed(chart.marks, shown, (one) => one.generation, () => new_mark(chart), (node, one) => {
    const y = chart.scale.y(one.memory_bytes ?? 0);
    const is_trouble = !planned.has(one.reason);
    set(node, { class: `mark${is_trouble ? " trouble" : ""}`, "aria-label": mark_words(one),
                transform: `translate(${px(chart.scale.x(Date.parse(one.at)))} ${px(y)})`,
                tabindex: String(one.generation) === stop ? 0 : -1 });
    const [drop, , shape] = node.children;
    set(drop, { y2: px(chart.scale.base - y) });
    set(shape, { d: is_trouble ? shape_trouble : shape_planned });
  });
}

function new_mark(chart) {
  const target = draw("rect", { x: -8, y: -8, width: 16, height: 16 });
  const mark = draw("g", { role: "img" }, draw("line"), target, draw("path"));
  mark.addEventListener("focus", () => {
    const box = mark.getBoundingClientRect();
    show_tip([mark.getAttribute("aria-label")], box.left + 8, box.top);
  });
  mark.addEventListener("blur", hide_tip);
  mark.addEventListener("keydown", (event) => move_focus(chart, mark, event));
  return mark;
}

function move_focus(chart, mark, event) {
  const marks = [...chart.marks.children];
  const to = { ArrowLeft: mark.previousElementSibling, ArrowUp: mark.previousElementSibling,
               ArrowRight: mark.nextElementSibling, ArrowDown: mark.nextElementSibling,
               Home: marks[0], End: marks[marks.length - 1] }[event.key];
  if (to === undefined) return;
  event.preventDefault();
  if (!to) return;
  marks.forEach((one) => set(one, { tabindex: one === to ? 0 : -1 }));
  to.focus();
}

function show_tip_near(chart, event) {
  const x = event.clientX - chart.plot.getBoundingClientRect().left;
  const is_near = (one) => Math.abs(chart.scale.x(Date.parse(one.at)) - x) <= near_px;
  const near = hour.recycles.filter(is_near);
  if (near.length === 0) return hide_tip();
  const texts = near.slice(-told_at_once).reverse().map(mark_words);
  const more = near.length - told_at_once;
  if (more > 0) texts.push(`… and ${more} more just there.`);
  show_tip(texts, event.clientX, event.clientY);
}

function show_tip(texts, x, y) {
  const tip = by_id("tip");
  tip.hidden = false;
  keyed(tip, texts, (text) => text, () => make("p"), say);
  const box = tip.getBoundingClientRect();
  const room = document.documentElement.clientWidth - box.width - 8;
  tip.style.left = `${Math.max(8, Math.min(room, x - box.width / 2))}px`;
  tip.style.top = `${y - box.height - 14 < 8 ? y + 22 : y - box.height - 14}px`;
}

function hide_tip() {
  by_id("tip").hidden = true;
}

// ---- What comes in -----------------------------------------------------------------------------

const last = { status: null, version: null, trouble: null, history_trouble: null };
const opened = Date.now();

function show_freshness(kind, words) {
  set(document.body, { class: kind });
  say(by_id("fresh-words"), words);
}

function show_as_of() {
  const at = last.trouble && last.status ? `as of ${clock(last.status.now_ms)}` : "";
  document.querySelectorAll(".as-of").forEach((node) => say(node, at));
  if (last.history_trouble && !last.trouble) {
    const shown = hour ? `as of ${clock(hour.now_ms)}` : "no figures";
    say(by_id("hour-as-of"), `${shown}: ${last.history_trouble}`);
  }
}

function take_status(status) {
  status.now_ms = Date.parse(status.now);
  // Another supervisor has taken over, which may have another page.
  if (last.version !== null && last.version !== status.version) location.reload();
  const newest = (told) => told?.recycles[0]?.generation;
  const is_new = last.status !== null && newest(status) !== newest(last.status);
  const why = status.why ? `${status.why}.` : "Whoever comes now is served soon.";
  const waiting = status.line.waiting ? ` · ${count(status.line.waiting)} wait` : "";
  show_state(status.state, why, status.state + waiting);
  say(by_id("holder"), holder_in_words(status));
  say(by_id("last-recycle"), recycle_in_words(status));
  say(by_id("about"),
      `${status.version} at ${location.host}, ${status.protocol}, process ${status.pid}`);
  [show_figures, show_line, show_clients, show_instances, show_recycles, show_commands]
    .forEach((show) => show(status));
  const is_back = last.trouble !== null;
  Object.assign(last, { status, version: status.version, trouble: null });
  show_freshness("live", `live, ${clock(status.now_ms)}`);
  show_as_of();
  if (is_new || is_back) history_poll.now();
}

// Old figures stay, since they may be all there is to go by, but are said to be old.
function miss_status(error) {
  last.trouble = error.message;
  const since = last.status ? last.status.now_ms : opened;
  const how_long = `${last.status ? "since" : "yet, asked since"} ${clock(since)}`;
  const below = last.status ? ` Everything below is as it was at ${clock(since)}.` : "";
  show_state("no answer", `${how_long}: ${error.message}.${below}`, `no answer ${how_long}`);
  say(by_id("holder"), "Does it run? Ask on the machine itself: tcplock-supervisor status");
  say(by_id("last-recycle"), "It is asked again every second.");
  show_freshness("stale", `no answer ${how_long}`);
  show_as_of();
}

function take_history(told) {
  const begins = Date.parse(told.begins);
  hour = { ...told, now_ms: Date.parse(told.now), at: (i) => begins + i * told.every_ms };
  last.history_trouble = null;
  charts.forEach(show_chart);
  show_as_of();
}

function miss_history(error) {
  last.history_trouble = error.message;
  show_as_of();
}

const status_poll = new Poll("v1/status", status_every_ms, take_status, miss_status);
const history_poll = new Poll("v1/history", history_every_ms, take_history, miss_history);

function start() {
  ["clients", "instances", "recycles"].forEach((id) => {
    by_id(id).classList.add("wide");
    name_roles(by_id(id));
  });
  by_id("charts").append(...charts.map(build_chart));
  charts.forEach((chart) => name_roles(chart.table));
  new ResizeObserver(() => charts.forEach(show_chart)).observe(by_id("charts"));
  document.addEventListener("keydown", (event) => event.key === "Escape" && hide_tip());
  document.addEventListener("visibilitychange", () => {
    if (!document.hidden) show_freshness("asking", "asking again");
  });
  say(by_id("zone"), zone_in_words());
  status_poll.now();
  history_poll.now();
}

start();
